import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.project.errors import ProjectError
from outspread.project.filter_pattern import compile_pattern
from outspread.project.job_filter import JobFilter

NAMES = [
    "lxd:ubuntu-16.04:main/one",
    "lxd:ubuntu-16.04:main/one:v1",
    "lxd:ubuntu-16.04-64:main/one-two",
    "lxd-vm:ubuntu-16.04:main/sub/one",
    "lxd:ubuntu-16.04:other.suite/two.three:v1#2",
]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("lxd:", [0, 1, 2, 4]),
        ("lxd", [0, 1, 2, 4]),
        ("lxd-", []),
        ("lxd...", [0, 1, 2, 3, 4]),
        ("...-vm", [3]),
        ("...lxd", [0, 1, 2, 4]),
        ("ubuntu-16.04", [0, 1, 3, 4]),
        ("ubuntu-16x04", []),
        ("main/", [0, 1, 2, 3]),
        ("main", []),
        ("/one", [0, 1, 3]),
        ("one", []),
        ("sub/", []),
        ("/sub/", [3]),
        ("main/sub/", [3]),
        (":v1", [1, 4]),
        ("v1", [1, 4]),
        (":v1:", []),
        ("v1:lxd", []),
        ("lxd:main/one", [0, 1]),
        ("lxd:v1", [1, 4]),
        ("...:...", [0, 1, 2, 3, 4]),
        ("/", [0, 1, 2, 3, 4]),
        ("//", []),
        (":", [0, 1, 2, 3, 4]),
        (".", []),
        ("", []),
        ("(lxd-vm|main/one-two)", [2, 3]),
        ("on?e", []),
        ("main/on?e", [0, 1]),
        ("main/one$", [0]),
        ("main/o[nm]e", [0, 1]),
        ("main\\/one", [0, 1]),
        ("MAIN/one", []),
        ("(?i)MAIN/one", [0, 1]),
        ("other.suite/", [4]),
        ("...o...e", [0, 1, 3, 4]),
        ("main/...n...w...", [2]),
        ("x*", []),
        ("*", [0, 1, 2, 3, 4]),
        ("main/one(-two){1,2}", [2]),
        ("\\w+", [0, 1, 2, 4]),
    ],
)
def test_grammar(argument: str, expected: list[int]) -> None:
    found = JobFilter([argument])
    assert [number for number, name in enumerate(NAMES) if found.passes(name, 2)] == expected


def test_several_arguments_are_alternatives() -> None:
    found = JobFilter(["nope", "lxd-vm"])
    assert [name for name in NAMES if found.passes(name, 1)] == [NAMES[3]]
    assert JobFilter([]).passes("anything", 1)
    assert not JobFilter([])


def test_samples() -> None:
    found = JobFilter(["main/one#2..3"])
    assert [sample for sample in range(1, 6) if found.passes("lxd:u-1:main/one", sample)] == [2, 3]
    assert JobFilter(["main/one#1"]).passes("lxd:u-1:main/one", 1)
    assert not JobFilter(["main/one#2"]).passes("lxd:u-1:main/one", 1)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("..", 'invalid filter string: ".."'),
        ("a....b", 'invalid filter string: "...."'),
        ("a::b", 'invalid filter string: "::"'),
        ("a#", 'invalid filter string: "#"'),
        ("a#1#2", 'invalid filter string: "#"'),
        ("a#x", 'invalid filter string: "#"'),
        ("a#0", 'invalid sample range in filter string: "a#0"'),
        ("a#2..1", 'invalid sample range in filter string: "a#2..1"'),
        ("a#1..99999999999999999999", 'invalid sample range in filter string: "a#1..99999999999999999999"'),
        ("(", 'invalid filter string: "("'),
        ("a)", 'invalid filter string: "a)"'),
        ("[a", 'invalid filter string: "[a"'),
        ("a**", 'invalid filter string: "a**"'),
        ("a++", 'invalid filter string: "a++"'),
        ("(a)\\1", 'invalid filter string: "(a)\\\\1"'),
        ("(?=a)", 'invalid filter string: "(?=a)"'),
        ("(?<!a)", 'invalid filter string: "(?<!a)"'),
        ("\\", 'invalid filter string: "\\\\"'),
        ("a{2000}", 'invalid filter string: "a{2000}"'),
        ("a{1,99999999999}", 'invalid filter string: "a{1,99999999999}"'),
        ("(a*)*b", 'invalid filter string: "(a*)*b"'),
        ("((a+)b)+", 'invalid filter string: "((a+)b)+"'),
        ("(a...){2,}", 'invalid filter string: "(a...){2,}"'),
    ],
)
def test_faults(argument: str, message: str) -> None:
    with pytest.raises(ProjectError) as caught:
        JobFilter([argument])
    assert str(caught.value) == message


def test_many_wildcards_take_no_time() -> None:
    assert not JobFilter(["...a" * 100 + "b"]).passes("a" * 200, 1)


_PART = st.text("abo-/", min_size=1, max_size=4)


@given(
    st.lists(st.one_of(_PART, st.just("..."), st.just(":"), st.just(".")), max_size=6), st.lists(_PART, min_size=1, max_size=4)
)
def test_agrees_with_the_expression_that_spread_makes(parts: list[str], components: list[str]) -> None:
    argument, name = "".join(parts), ":".join(components)
    runs = re.findall(r"\.+|:+", argument)
    if not all(run in (".", "...", ":") for run in runs):
        return
    replaced = re.sub(r"\.+|:", lambda run: {".": r"\.", "...": "[^:]*", ":": "(:.+)*:(.+:)*"}[run[0]], argument)
    begins = ".+" if argument.startswith((":", "/")) else ""
    ends = ".+" if argument.endswith((":", "/")) else ""
    assert bool(compile_pattern(argument)(name)) is bool(re.search(f"(?:^|:){begins}{replaced}{ends}(?:$|[:#])", name))


@given(st.text(max_size=12))
def test_any_text_is_a_filter_or_an_error(argument: str) -> None:
    try:
        JobFilter([argument]).passes(NAMES[0], 1)
    except ProjectError as error:
        assert str(error).startswith(("invalid filter string", "invalid sample range"))  # noqa: PT017 - either way is fine
