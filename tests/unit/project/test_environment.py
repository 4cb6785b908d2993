from hypothesis import given
from hypothesis import strategies as st

from outspread.project.environment import concerns, job_environment, project_environment
from outspread.project.host_commands import no_host_commands
from outspread.project.model import Backend, Environment, Job, Project, Suite, System, Task

OWN = 9


def project_with(
    project: Environment = (),
    backend: Environment = (),
    system: Environment = (),
    suite: Environment = (),
    task: Environment = (),
) -> Project:
    return Project(
        name="exp",
        root="/r",
        file="/r/spread.yaml",
        path="/srv/exp",
        environment=project,
        backends={"b": Backend("b", "lxd", {"s-1": System("s-1", "b", environment=system)}, environment=backend)},
        suites={"t/": Suite("t/", "s", {"t/a": Task("t/a", "t/", "s", environment=task)}, environment=suite)},
    )


def job(variant: str = "") -> Job:
    name = f"b:s-1:t/a:{variant}" if variant else "b:s-1:t/a"
    return Job(f"{name}#2", "b", "s-1", "t/", "t/a", variant, 2, 3)


def variables(project: Project, variant: str = "") -> list[tuple[str, str]]:
    return list(job_environment(project, job(variant), no_host_commands))[OWN:]


def test_what_every_job_has() -> None:
    assert job_environment(project_with(), job("v"), no_host_commands) == (
        ("SPREAD_JOB", "b:s-1:t/a:v#2"),
        ("SPREAD_PROJECT", "exp"),
        ("SPREAD_PATH", "/srv/exp"),
        ("SPREAD_BACKEND", "b"),
        ("SPREAD_SYSTEM", "s-1"),
        ("SPREAD_SUITE", "t/"),
        ("SPREAD_TASK", "t/a"),
        ("SPREAD_VARIANT", "v"),
        ("SPREAD_SAMPLE", "2"),
    )


def test_levels_follow_each_other() -> None:
    project = project_with((("Z", "1"),), (("B", "2"),), (("Y", "3"),), (("S", "4"),), (("A", "5"),))
    assert variables(project) == [("Z", "1"), ("B", "2"), ("Y", "3"), ("S", "4"), ("A", "5")]


def test_set_again_it_moves_to_its_last_place() -> None:
    assert variables(project_with((("A", "1"), ("B", "2")), task=(("C", "3"), ("A", "$C")))) == [
        ("B", "2"),
        ("C", "3"),
        ("A", "$C"),
    ]


def test_what_is_referred_to_in_between_stays_in_its_first_place() -> None:
    assert variables(project_with((("A", "1"), ("B", "${A}x")), task=(("A", "2"),))) == [("A", "2"), ("B", "${A}x")]
    # Another name that begins alike is no reference.
    assert variables(project_with((("A", "1"), ("B", "$AB")), task=(("A", "2"),))) == [("B", "$AB"), ("A", "2")]


def test_both_values_are_kept_when_the_last_needs_what_comes_later() -> None:
    project = project_with((("A", "1"), ("B", "$A")), task=(("C", "3"), ("A", "$C")))
    assert variables(project) == [("A", "1"), ("B", "$A"), ("C", "3"), ("A", "$C")]


def test_a_value_may_build_on_its_former_one() -> None:
    project = project_with((("P", "/a"),), suite=(("P", "$P:/b"),), task=(("P", "$P:/c"),))
    assert variables(project) == [("P", "/a"), ("P", "$P:/b"), ("P", "$P:/c")]


def test_variables_of_ours_can_be_replaced() -> None:
    found = job_environment(project_with(task=(("SPREAD_PATH", "/x"),)), job(), no_host_commands)
    assert [value for name, value in found if name == "SPREAD_PATH"] == ["/x"]
    assert found[-1] == ("SPREAD_PATH", "/x")


def test_variants() -> None:
    project = project_with((("A", "plain"), ("A/v", "v"), ("B/w", "w")), task=(("A", "later"), ("C/v,w", "c")))
    assert variables(project, "v") == [("A", "v"), ("C", "c")]
    assert variables(project, "w") == [("B", "w"), ("A", "later"), ("C", "c")]
    assert variables(project) == [("A", "later")]


def test_the_last_of_several_keys_for_a_variant_counts() -> None:
    assert variables(project_with((("A/v", "1"), ("A/v,w", "2"))), "v") == [("A", "2")]


def test_of_the_project() -> None:
    project = project_with((("A", "1"), ("B/v", "2"), ("SPREAD_BACKENDS", "mine")))
    found = project_environment(project, no_host_commands, backends_with_jobs=["z", "a", "z"])
    assert found == (("A", "1"), ("SPREAD_BACKENDS", "a z"))


def test_concerns() -> None:
    assert concerns("A", "v")
    assert concerns("A/u,v", "v")
    assert not concerns("A/u,vv", "v")
    assert not concerns("A/u", "")


_NAMES = st.sampled_from("ABC")
_LEVELS = st.lists(
    st.tuples(_NAMES, st.sampled_from(["1", "2", "$A", "$B", "$C", "$X"])), max_size=4, unique_by=lambda pair: pair[0]
)


def _unbound(found: list[tuple[str, str]]) -> set[str]:
    """Return what a shell would miss: values that refer to names not set before."""
    known: set[str] = set()
    missing: set[str] = set()
    for name, value in found:
        if value.startswith("$") and value[1:] not in known:
            missing.add(name)
        known.add(name)
    return missing


@given(_LEVELS, _LEVELS, _LEVELS)
def test_whatever_works_in_the_order_of_spread_is_exactly_that(
    first: Environment, second: Environment, third: Environment
) -> None:
    spread: dict[str, str] = {}
    for name, value in [*first, *second, *third]:
        spread.pop(name, None)
        spread[name] = value
    found = variables(project_with(tuple(first), suite=tuple(second), task=tuple(third)))
    assert dict(found) == spread
    if not _unbound(list(spread.items())):
        assert found == list(spread.items())
