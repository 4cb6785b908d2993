"""Markers count with their exit code and on the last line only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.machines.markers import Marker, Word, address, final_marker


@pytest.mark.parametrize(
    ("output", "exit_code", "marker"),
    [
        ("<REBOOT>\n", 213, Marker(Word.REBOOT)),
        ("a\n<REBOOT key 2>\n", 213, Marker(Word.REBOOT, "key 2")),
        ("<REBOOT>\n", 0, None),
        ("<REBOOT>\n", None, None),
        ("<REBOOT>\nmore\n", 213, None),
        ("x <REBOOT>", 213, None),
        ("<reboot>", 213, None),
        ("<OTHER text>", 213, None),
        ("<ADDRESS a>", 213, None),
        ("", 213, None),
        ("+ set\n<ERROR it > broke>\n\n", 213, Marker(Word.ERROR, "it > broke")),
        ("<ERROR>", 213, Marker(Word.ERROR)),
        ("<FATAL quota  used>\r\n", 213, Marker(Word.FATAL, "quota  used")),
        ("<ERRORtext>", 213, None),
    ],
)
def test_final_marker(output: str, exit_code: int | None, marker: Marker | None) -> None:
    assert final_marker(output, exit_code) == marker


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("", ""),
        ("<ADDRESS host>\nmore\n", "host"),
        ("<ADDRESS one:22>\n<ADDRESS two:23>\nx\n", "two:23"),
        ("+ <ADDRESS no>\n", ""),
        ("<ADDRESS>\n", ""),
    ],
)
def test_address(output: str, found: str) -> None:
    assert address(output) == found


@given(st.text(), st.sampled_from(Word), st.text(alphabet=st.characters(exclude_categories=["Cc", "Zl", "Zp", "Zs", "Cs"])))
def test_a_marker_is_read_whatever_comes_before(before: str, word: Word, text: str) -> None:
    line = f"<{word} {text}>" if text else f"<{word}>"
    assert final_marker(f"{before}\n{line}\n", 213) == Marker(word, text)
