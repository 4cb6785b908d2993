import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.cli.terminal_text import last_lines, shown_text, valid_text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nétoile", "plain\ttext\nétoile"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended", ""),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1b(Bcharset", "charset"),
        ("\x1bcreset", "reset"),
        ("\x9b31mc1", "c1"),
        ("bell\x07 back\x08space \x00nul", "bell backspace nul"),
        ("lone \x1b", "lone "),
        ("10%\r50%\r100%\n", "100%\n"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("ends with return\r", "ends with return"),
        ("bad \udcff byte", "bad \ufffd byte"),
        ("\u202eright to left", "right to left"),
    ],
)
def test_only_lines_and_tabs_are_left(text: str, shown: str) -> None:
    assert shown_text(text) == shown


@given(ANY_TEXT)
def test_nothing_that_controls_a_terminal_survives(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown_text(text))


@given(ANY_TEXT)
def test_valid_text_can_be_encoded(text: str) -> None:
    assert len(valid_text(text)) == len(text)
    valid_text(text).encode()


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("", 3, ([], 0)),
        ("\n \n", 3, ([], 0)),
        ("a\nb\n", 3, (["a", "b"], 0)),
        ("a\nb\nc\nd\n", 3, (["b", "c", "d"], 1)),
        ("\n\na\n\nb\n\n", 9, (["a", "", "b"], 0)),
    ],
)
def test_last_lines(text: str, count: int, expected: tuple[list[str], int]) -> None:
    assert last_lines(text, count) == expected
