"""Patterns of paths, by example."""

import pytest

from outspread.errors import UserError
from outspread.store.path_globs import path_globs

CASES = [
    ("a", "a", True),
    ("a", "a/b/c", True),  # what is below a match
    ("a", "ab", False),
    ("a", "b/a", False),
    ("*.py", "x.py", True),
    ("*.py", "d/x.py", False),
    ("*", ".hidden", True),
    ("**/*.py", "x.py", True),
    ("**/*.py", "d/e/x.py", True),
    ("**/*.py", "d/e/x.pyc", False),
    ("d/**", "d/e/f", True),
    ("d/**", "d", False),
    ("**", "anything/at/all", True),
    ("d/**/x", "d/x", True),
    ("d/**/x", "d/1/2/x", True),
    ("d?", "d1", True),
    ("d?", "d/", False),
    ("[ab]c", "bc", True),
    ("[!ab]c", "bc", False),
    ("[!ab]c", "xc", True),
    ("[!ab]c", "/c", False),
    ("[a-c]", "b", True),
    ("[]]", "]", True),
    ("[^a]", "^", True),
    ("[^a]", "b", False),
    ("[", "[", True),
    ("a.b", "axb", False),
    ("a\n*", "a\nb", True),
    ("a", "a\n", False),
    ("./d//e/", "d/e", True),
    ("(x|y)+$", "(x|y)+$", True),
]


@pytest.mark.parametrize(("pattern", "path", "matches"), CASES)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert path_globs([pattern])(path) is matches
    assert path_globs(["other", pattern])(path) is matches


def test_no_pattern_matches_nothing() -> None:
    assert not path_globs([])("a")


@pytest.mark.parametrize("pattern", ["", "/", "/a", "../a", "a/../b", "."])
def test_a_pattern_stays_in_the_tree(pattern: str) -> None:
    with pytest.raises(UserError):
        path_globs([pattern])
