import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.project.glob_pattern import BadPatternError, compile_glob, is_glob


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("ubuntu-*", "ubuntu-16.04", True),
        ("ubuntu-*", "xubuntu-16.04", False),
        ("*", "", True),
        ("*", "a/b", False),
        ("?", "/", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[^a]", "\n", True),
        ("[c-a]", "b", False),
        ("[^c-a]", "b", True),
        ("[]-]", "]", None),
        ("[a\\]]", "]", True),
        ("\\*", "*", True),
        ("\\*", "a", False),
        ("a*b*c", "aXbXbXc", True),
        ("a*b*c", "aXcXb", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "aab", False),
        ("[*]", "*", True),
        ("[*]", "a", False),
        ("[", "x", None),
        ("[a", "x", None),
        ("[]", "x", None),
        ("[-a]", "x", None),
        ("[a-]", "x", None),
        ("\\", "x", None),
        ("x[", "a", None),
        ("a.c", "abc", False),
    ],
)
def test_patterns(pattern: str, name: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(BadPatternError, match="syntax error in pattern"):
            compile_glob(pattern)
    else:
        assert bool(compile_glob(pattern)(name)) is matches


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_stars_and_question_marks_like_the_obvious_expression(pattern: str, name: str) -> None:
    obvious = re.fullmatch(_obvious(pattern), name)
    assert bool(compile_glob(pattern)(name)) is bool(obvious)


def _obvious(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(character, character) for character in pattern)


@given(st.text(max_size=12))
def test_any_text_is_a_pattern_or_an_error(pattern: str) -> None:
    try:
        compile_glob(pattern)("name")
    except BadPatternError:
        assert is_glob(pattern)


def test_many_stars_take_no_time() -> None:
    assert not compile_glob("a*" * 500 + "b")("a" * 500)
