import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.errors import UserError
from outspread.store.path_globs import path_globs
from outspread.worker.commands.output_globs import OutputGlobs

names = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name not in {".", ".."})
parts = st.one_of(names, st.just("**"), st.text("ab*?.", min_size=1, max_size=3).filter(lambda name: name.strip(".*") != ""))
patterns = st.lists(parts, min_size=1, max_size=4).map("/".join)
paths = st.lists(names, min_size=1, max_size=5)


def wanted(globs: OutputGlobs, path: list[str]) -> bool:
    """Return whether a file is found by walking down to it."""
    state: OutputGlobs | None = globs
    for name in path[:-1]:
        assert state is not None
        state = state.enter(name)
        if state is None:
            return False
    assert state is not None
    return state.wants(path[-1])


@given(st.lists(patterns, min_size=1, max_size=3), paths)
def test_walking_down_finds_what_the_patterns_match(globs: list[str], path: list[str]) -> None:
    assert wanted(OutputGlobs.parse(globs), path) == path_globs(globs)("/".join(path))


def test_directories_that_can_hold_nothing_are_not_entered() -> None:
    globs = OutputGlobs.parse(["logs/*.xml", "build/**/core"])
    assert globs.enter("src") is None
    logs = globs.enter("logs")
    assert logs is not None
    assert logs.enter("deep") is None
    build = globs.enter("build")
    assert build is not None
    assert build.enter("any") is not None


@pytest.mark.parametrize("pattern", ["/etc/*", "../x", "a/../../x", "", "."])
def test_patterns_lead_into_the_tree(pattern: str) -> None:
    with pytest.raises(UserError, match="does not lead into the work tree"):
        OutputGlobs.parse([pattern])
