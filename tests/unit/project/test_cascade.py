import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.project.cascade import cascade, narrowing_cascade
from outspread.project.errors import ProjectError

FIRST = ["ubuntu-16.04", "ubuntu-18.04", "debian-12"]


@pytest.mark.parametrize(
    ("levels", "spread", "plus"),
    [
        ([[], []], "ubuntu-16.04 ubuntu-18.04 debian-12", None),
        ([["-debian-12"], []], "ubuntu-16.04 ubuntu-18.04", None),
        ([["-ubuntu-16.04"], ["ubuntu-16.04"]], "ubuntu-16.04", ""),
        (
            [["-ubuntu-16.04"], ["+ubuntu-*"]],
            "ubuntu-16.04 ubuntu-18.04 debian-12 ubuntu-*",
            "ubuntu-16.04 ubuntu-18.04 debian-12",
        ),
        ([["ubuntu-16.04"], ["+debian-12"]], "ubuntu-16.04 debian-12", None),
        ([["fedora-40"], ["+debian-12"]], "fedora-40 debian-12", ""),
        ([["-*"], ["+debian-12"]], "debian-12", None),
        ([["fedora-40"], []], "fedora-40", ""),
        ([["ubuntu-*"], []], "ubuntu-16.04 ubuntu-18.04 ubuntu-*", "ubuntu-16.04 ubuntu-18.04"),
        ([["+fedora-40"], ["-debian-12"]], "ubuntu-16.04 ubuntu-18.04 fedora-40", "ubuntu-16.04 ubuntu-18.04"),
        ([["ubuntu-16.04", "debian-12"], ["debian-*"]], "debian-12 debian-*", "debian-12"),
        ([["-ubuntu-*", "+ubuntu-18.04"], []], "ubuntu-18.04 debian-12", None),
    ],
)
def test_levels(levels: list[list[str]], spread: str, plus: str | None) -> None:
    named = [("first", FIRST), *((f"level {number}", items) for number, items in enumerate(levels))]
    assert cascade("systems", named) == set(spread.split())
    assert narrowing_cascade("systems", named) == set((spread if plus is None else plus).split())


@pytest.mark.parametrize("rule", [cascade, narrowing_cascade])
@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([("project", ["+a"])], "project specifies systems in delta format"),
        ([("project", ["a"]), ("suite x/", ["+a", "b"])], "suite x/ specifies systems both in delta and plain format"),
        ([("project", ["a"]), ("suite x/", ["b", "-a"])], "suite x/ specifies systems both in delta and plain format"),
        ([("project", ["a"]), ("x/t", ["["])], "syntax error in pattern"),
    ],
)
def test_faults(rule: type[object], levels: list[tuple[str, list[str]]], message: str) -> None:
    with pytest.raises(ProjectError) as caught:
        rule("systems", levels)  # type: ignore[call-arg]
    assert str(caught.value) == message


def test_refuses_more_patterns_than_it_could_try() -> None:
    with pytest.raises(ProjectError, match="too many patterns of variants"):
        cascade("variants", [("task", [f"v{number}*" for number in range(5000)])])


def test_thousands_of_plain_names_are_fine() -> None:
    names = [f"v{number}" for number in range(20_000)]
    assert len(cascade("variants", [("task", names)])) == len(names)


_NAMES = st.sampled_from(["a", "b", "ab"])
_PATTERNS = st.sampled_from(["a", "b", "ab", "c", "a*", "*", "?"])
_LEVEL = st.one_of(
    st.lists(_PATTERNS, max_size=3), st.lists(st.tuples(st.sampled_from("+-"), _PATTERNS).map("".join), max_size=3)
)


def _matches(pattern: str, name: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern)


@given(st.lists(_NAMES, max_size=3, unique=True), st.lists(_LEVEL, max_size=4))
def test_agrees_with_a_plain_model(first: list[str], levels: list[list[str]]) -> None:
    expected: set[str] = set()
    mentioned: list[str] = []
    for items in [first, *levels]:
        mentioned += [item.lstrip("+-") for item in items]
        if items and items[0][0] not in "+-":
            expected = set()
        for item in items:
            found = {name for name in mentioned if _matches(item.lstrip("+-"), name)}
            expected = expected - found if item[0] == "-" else expected | found
    assert cascade("x", [(str(number), items) for number, items in enumerate([first, *levels])]) == expected


@given(st.lists(_NAMES, max_size=3, unique=True), st.lists(_LEVEL, max_size=4))
def test_narrowing_never_leaves_the_first_level(first: list[str], levels: list[list[str]]) -> None:
    assert narrowing_cascade("x", [(str(number), items) for number, items in enumerate([first, *levels])]) <= set(first)
