import os

import pytest

from outspread.project.go_quote import go_quote


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a\n\t\x00\x7f", '"a\\n\\t\\x00\\x7f"'),
        ("caf\u00e9", '"caf\u00e9"'),
        ("\u200b", '"\\u200b"'),
        (os.fsdecode(b"\xff"), '"\\xff"'),
    ],
)
def test_quotes_as_go_does(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted


def test_long_text_is_cut() -> None:
    assert len(go_quote("x" * 100_000)) < 2000
