from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outspread.project.errors import ProjectError
from outspread.project.model import Flavour, Project
from outspread.project.selection import select_jobs

Load = Callable[..., Project]
Listed = Callable[..., list[str]]

MATRIX = """\
project: exp
path: /root/proj
backends:
  lxd:
    systems: [ubuntu-16.04, debian-12]
  qemu:
    systems: [debian-12]
suites:
  tests/:
    summary: s
"""


@pytest.mark.parametrize(
    ("of_suite", "of_task", "expected"),
    [
        ("", "", "lxd:debian-12 lxd:ubuntu-16.04 qemu:debian-12"),
        ("backends: [lxd]", "", "lxd:debian-12 lxd:ubuntu-16.04"),
        ("backends: [lxd]", "backends: [qemu]", "qemu:debian-12"),
        ("backends: [-l*]", "", "qemu:debian-12"),
        ("backends: ['l*']", "", "lxd:debian-12 lxd:ubuntu-16.04"),
        ("backends: [lxd, unknown]", "", "lxd:debian-12 lxd:ubuntu-16.04"),
        ("systems: [-debian-*]", "", "lxd:ubuntu-16.04"),
        ("systems: [-debian-*]", "systems: [debian-12]", "lxd:debian-12 qemu:debian-12"),
        ("systems: [ubuntu-16.04]", "systems: [+debian-12]", "lxd:debian-12 lxd:ubuntu-16.04 qemu:debian-12"),
        ("systems: [fedora-40]", "systems: [+debian-*]", "lxd:debian-12 qemu:debian-12"),
    ],
)
def test_backends_and_systems(load: Load, listed: Listed, task_yaml: str, of_suite: str, of_task: str, expected: str) -> None:
    project = load(f"{MATRIX}    {of_suite}\n", {"tests/a": f"{task_yaml}{of_task}\n"})
    assert listed(project) == [f"{place}:tests/a" for place in expected.split()]


def test_spread_plus_only_narrows(load: Load, listed: Listed, task_yaml: str) -> None:
    files = f"{MATRIX}    systems: [ubuntu-16.04]\n", {"tests/a": f"{task_yaml}systems: [+debian-12]\n"}
    assert listed(load(*files, flavour=Flavour.SPREAD_PLUS)) == ["lxd:debian-12:tests/a", "lxd:ubuntu-16.04:tests/a"]
    with pytest.raises(ProjectError, match="cannot find any tasks"):
        listed(load(MATRIX, {"tests/a": f"{task_yaml}backends: [unknown]\n"}, flavour=Flavour.SPREAD_PLUS))


@pytest.mark.parametrize(
    ("project", "backend", "system", "suite", "task", "expected"),
    [
        ("", "", "", "", "", ""),
        ("environment: {X/a: 1}", "", "", "", "", ":a"),
        ("", "", "", "", "environment: {X/a: 1, 'Y/a,b': 2}", ":a :b"),
        ("", "", "", "environment: {X/a: 1, X/b: 2}", "variants: [b, c]", ":b :c"),
        ("", "", "", "environment: {X/aa: 1, X/c: 3}", "variants: ['-a*']", ":c"),
        ("", "", "", "", "variants: ['*']", ":*"),
        ("", "", "", "", "variants: [-foo]", ""),
        ("", "", "", "variants: [-x]", "environment: {V/x: 1}", ":x"),
        ("", "variants: [+q]", "", "", "", ":q"),
        ("", "variants: [q, r]", "", "", "environment: {X/z: 1}", ":q :r :z"),
        ("", "environment: {E/b: 1}", "environment: {E/s: 1}", "", "", ":b :s"),
        ("environment: {X/a: 1}", "", "variants: [-a]", "", "environment: {X/t: 1}", ":t"),
        ("", "", "variants: [v]", "", "variants: [+w]", ":v :w"),
        ("", "", "", "", "environment: {V/x: 1}\nvariants: [y]", ":y"),
    ],
)
def test_variants(
    load: Load, listed: Listed, task_yaml: str, project: str, backend: str, system: str, suite: str, task: str, expected: str
) -> None:
    spread = f"""\
project: exp
path: /root/proj
{project}
backends:
  lxd:
    systems: [{{ubuntu-16.04: {{{system}}}}}]
    {backend}
suites:
  tests/:
    summary: s
    {suite}
"""
    names = [f"lxd:ubuntu-16.04:tests/a{variant}" for variant in expected.split()] or ["lxd:ubuntu-16.04:tests/a"]
    assert listed(load(spread, {"tests/a": f"{task_yaml}{task}\n"})) == names


@pytest.mark.parametrize(
    ("of_task", "message"),
    [
        ("systems: [ubuntu-16.04, -debian-12]", "tests/a specifies systems both in delta and plain format"),
        ("variants: [+a, b]", "tests/a specifies variants both in delta and plain format"),
        ("backends: ['[']", "syntax error in pattern"),
        ("variants: [-a, '+[']", "syntax error in pattern"),
        ("manual: true\nsystems: [ubuntu-16.04, -debian-12]", "tests/a specifies systems both in delta and plain format"),
        ("systems: [fedora-40]", "cannot find any tasks"),
        ("variants: ['-*']", "cannot find any tasks"),
    ],
)
def test_faults_of_lists(load: Load, listed: Listed, task_yaml: str, of_task: str, message: str) -> None:
    with pytest.raises(ProjectError) as caught:
        listed(load(MATRIX, {"tests/a": f"{task_yaml}{of_task}\n"}))
    assert str(caught.value) == message


def test_a_signed_system_of_a_backend_is_a_fault(load: Load, listed: Listed, spread_yaml: str) -> None:
    with pytest.raises(ProjectError) as caught:
        listed(load(spread_yaml.replace("ubuntu-16.04", "+ubuntu-16.04")))
    assert str(caught.value) == 'backend "lxd" specifies systems in delta format'


def test_names_samples_and_priorities(load: Load, host: object, spread_yaml: str) -> None:
    tasks = {
        "tests/a": "summary: s\nsamples: 2\nenvironment: {V/x: 1}\npriority: 5\n",
        "tests/b": "summary: s\nsamples: 0\n",
    }
    jobs = select_jobs(load(spread_yaml + "    priority: 7\n", tasks), [], host=host)  # type: ignore[arg-type]
    assert [(job.name, job.variant, job.sample, job.samples, job.priority) for job in jobs] == [
        ("lxd:ubuntu-16.04:tests/a:x#1", "x", 1, 2, 5),
        ("lxd:ubuntu-16.04:tests/a:x#2", "x", 2, 2, 5),
        ("lxd:ubuntu-16.04:tests/b", "", 1, 1, 7),
    ]
    assert (jobs[0].backend, jobs[0].system, jobs[0].suite, jobs[0].task) == ("lxd", "ubuntu-16.04", "tests/", "tests/a")


@pytest.mark.parametrize(
    ("task", "suite", "system", "backend", "expected"),
    [
        ("1", "2", "3", "4", 1),
        ("", "2", "3", "4", 2),
        ("", "", "3", "4", 3),
        ("", "", "", "4", 4),
        ("", "", "", "", 0),
        ("0", "2", "", "", 0),
    ],
)
def test_the_first_priority_set_counts(
    load: Load, host: object, task_yaml: str, task: str, suite: str, system: str, backend: str, expected: int
) -> None:
    spread = (
        f"project: e\npath: /p\nbackends:\n  lxd:\n    priority: {backend}\n    systems: [{{u-1: {{priority: {system}}}}}]\n"
        f"suites: {{tests/: {{summary: s, priority: {suite}}}}}\n"
    )
    (job,) = select_jobs(load(spread, {"tests/a": f"{task_yaml}priority: {task}\n"}), [], host=host)  # type: ignore[arg-type]
    assert job.priority == expected


def test_listing_order(load: Load, listed: Listed, spread_yaml: str, task_yaml: str) -> None:
    tasks = {
        "tests/one": task_yaml + "samples: 11\nvariants: [b, a]\n",
        "tests/one-two": task_yaml,
        "tests/one.two": task_yaml + "variants: [z]\n",
        "tests/one0": task_yaml + "samples: 2\n",
    }
    place = "lxd:ubuntu-16.04:tests/"
    assert listed(load(spread_yaml, tasks)) == [
        f"{place}one-two",
        f"{place}one.two:z",
        f"{place}one0#1",
        f"{place}one0#2",
        *(f"{place}one:{variant}#{sample}" for sample in range(1, 12) for variant in "ab"),
    ]


MANUAL = """\
project: exp
path: /root/proj
backends:
  ba: {type: lxd, systems: [{sys-a: {}}, {sys-m: {manual: true}}]}
  bm: {type: lxd, manual: true, systems: [{sys-a: {}}, {sys-m: {manual: true}}]}
suites:
  sa/: {summary: s}
  sm/: {summary: s, manual: true}
"""


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", "ba:sys-a:sa/ta"),
        ("bm", "bm:sys-a:sa/ta"),
        ("sys-m", "ba:sys-m:sa/ta"),
        ("/tm", "ba:sys-a:sa/tm"),
        ("sm/tm", "ba:sys-a:sm/tm"),
        ("bm:sys-m:sm/tm", "bm:sys-m:sm/tm"),
        ("...", "ba:sys-a:sa/ta"),
        ("bm:sm/", "bm:sys-a:sm/ta"),
        ("sa/tm sm/tm", "ba:sys-a:sa/tm"),
        ("sa/tm sa/ta", "ba:sys-a:sa/ta"),
    ],
)
def test_manual(load: Load, listed: Listed, task_yaml: str, filters: str, expected: str) -> None:
    manual = task_yaml + "manual: true\n"
    project = load(MANUAL, {"sa/ta": task_yaml, "sa/tm": manual, "sm/ta": task_yaml, "sm/tm": manual})
    assert listed(project, *filters.split()) == [expected]


def test_manual_at_different_levels_leaves_nothing(load: Load, listed: Listed, task_yaml: str) -> None:
    project = load(MANUAL, {"sa/tm": task_yaml + "manual: true\n", "sm/ta": task_yaml})
    with pytest.raises(ProjectError, match="nothing matches provider filter"):
        listed(project, "sa/tm", "sm/ta")


def test_nothing_matches(load: Load, listed: Listed) -> None:
    with pytest.raises(ProjectError) as caught:
        listed(load(), "nope")
    assert str(caught.value) == "nothing matches provider filter"


def test_only_commands_of_selected_jobs_run(load: Load, listed: Listed, host: object, spread_yaml: str, task_yaml: str) -> None:
    host.answers = {"fails": "!err"}  # type: ignore[attr-defined]
    spread = spread_yaml.replace("    systems", "    key: '$(HOST: key)'\n    systems")
    tasks = {
        "tests/good": task_yaml + "environment: {A: '$(HOST: good)', B/x: '$(HOST: variant)', B/y: '$(HOST: other)'}\n",
        "tests/bad": task_yaml + "environment: {A: '$(HOST: fails)'}\n",
    }
    project = load(spread, tasks)
    assert listed(project, "tests/good:x") == ["lxd:ubuntu-16.04:tests/good:x"]
    assert [command.strip() for command in host.asked] == ["key", "good", "variant"]  # type: ignore[attr-defined]
    with pytest.raises(ProjectError) as caught:
        listed(project)
    assert str(caught.value) == "$(HOST: fails) in tests/bad environment returned error: err"


@pytest.mark.parametrize(
    ("spread_line", "owner"),
    [
        ("environment: {A: '$(HOST:no)'}", "project"),
        ("include: ['$(HOST:no)']", "include list"),
        ("exclude: ['$(HOST:no)']", "exclude list"),
        ("rename: ['$(HOST:no)']", "rename expression"),
    ],
)
def test_failing_commands_name_their_owner(
    load: Load, listed: Listed, host: object, spread_yaml: str, spread_line: str, owner: str
) -> None:
    host.answers = {"no": "!exit status 3"}  # type: ignore[attr-defined]
    with pytest.raises(ProjectError) as caught:
        listed(load(f"{spread_yaml}{spread_line}\n"))
    assert str(caught.value) == f"$(HOST:no) in {owner} environment returned error: exit status 3"


_FILTERS = st.sampled_from(
    ["lxd", "qemu:", "ubuntu-16.04", "debian-...", "tests/", "/a", "tests/b", ":x", "y#1", "...", "(lxd|qemu)", "nope"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(_FILTERS, min_size=1, max_size=3))
def test_filters_select_from_all_and_are_alternatives(load: Load, host: object, task_yaml: str, filters: list[str]) -> None:
    project = load(MATRIX, {"tests/a": task_yaml + "variants: [x, y]\n", "tests/b": task_yaml + "samples: 2\n"})

    def selected(*arguments: str) -> list[str]:
        try:
            return [job.name for job in select_jobs(project, arguments, host=host)]  # type: ignore[arg-type]
        except ProjectError:
            return []

    everything = selected()
    union = {name for one in filters for name in selected(one)}
    assert selected(*filters) == [name for name in everything if name in union]
