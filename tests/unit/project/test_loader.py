from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from outspread.project.errors import ProjectError
from outspread.project.loader import load_project
from outspread.project.model import NEVER_S, PRESERVE_SIZE, Flavour, Project, SkipCondition, Timeouts
from outspread.project.project_file import find_project_file

Load = Callable[..., Project]


def failure(load: Load, spread: str | bytes, tasks: Mapping[str, str | bytes] | None = None, **options: object) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        load(spread, tasks, **options)
    return caught.value


FULL = """\
project: exp
path: '$(HOST: echo path)'
environment: {A: 1}
include: [a, ~]
exclude: [b]
rename: ['s,x,y,']
repack: "  repack  "
prepare: " p "
restore: r
debug: d
prepare-each: pe
restore-each: re
debug-each: de
warn-timeout: 1m
kill-timeout: 1.5h
tasks-limit: 7
artifacts: [log]
backends:
  cloud:
    type: openstack
    key: k
    plan: small
    location: p/r
    storage: 10G
    account: me
    endpoint: https://x
    networks: [n1]
    groups: [g1]
    environment: {B: 2}
    variants: [v]
    prepare: bp
    halt-timeout: 2h
    wait-timeout: 10m
    priority: 3
    manual: yes
    proxy: px
    cidr-port-rel: [10.0.0.0/8:5000]
    volume-auto-delete: on
    systems:
      - ubuntu-24.04
      - debian-12:
          image: deb
          username: u
          password: p
          workers: 3
          storage: preserve-size
          plan: big
          networks: [n2]
          secure-boot: true
          bios: uefi
          cpu-family: old
          priority: -1
          provision-data: {url: x, n: 1}
  mine:
    type: adhoc
    allocate: " alloc "
    memory: 1G
    systems: [ubuntu-24.04]
suites:
  tests/:
    summary: " s "
    backends: [-mine]
    systems: [-debian-*]
    variants: [+w]
    environment: {C: 3}
    restore-each: sre
    kill-timeout: 2m
    priority: 0
    manual: no
    artifacts: [x]
    skip: [{if: 'true', reason: because}]
"""
TASK = """\
summary: " t "
details: long
backends: [cloud]
systems: [ubuntu-*]
variants: [v]
environment: {D/v: 4}
samples: 3
prepare: tp
execute: " te "
restore: tr
debug: td
artifacts: [out, dir/x]
warn-timeout: 90s
kill-timeout: -1ns
priority: 1.5
manual: true
skip: [{if: x, reason: y}]
"""


def test_every_field_arrives(load: Load, host: object) -> None:
    host.answers = {"echo path": "/root/../srv//proj/"}  # type: ignore[attr-defined]
    project = load(FULL, {"tests/one": TASK})
    assert project.path == "/srv/proj"
    assert project.environment == (("A", "1"),)
    assert (project.include, project.exclude, project.rename, project.repack) == (("a", ""), ("b",), ("s,x,y,",), "repack")
    assert project.scripts.prepare == "p"
    assert project.scripts.debug_each == "de"
    assert project.timeouts == Timeouts(60, 5400)
    assert (project.tasks_limit, project.artifacts) == (7, ("log",))
    cloud = project.backends["cloud"]
    assert (cloud.type, cloud.key, cloud.location, cloud.account, cloud.endpoint) == ("openstack", "k", "p/r", "me", "https://x")
    assert (cloud.storage_bytes, cloud.priority, cloud.manual) == (10 * 1024**3, 3, True)
    assert cloud.timeouts == Timeouts(halt_s=7200, wait_s=600)
    assert (cloud.proxy, cloud.cidr_port_rel, cloud.volume_auto_delete) == ("px", ("10.0.0.0/8:5000",), True)
    ubuntu, debian = cloud.systems["ubuntu-24.04"], cloud.systems["debian-12"]
    assert (ubuntu.image, ubuntu.workers, ubuntu.plan, ubuntu.networks, ubuntu.groups) == (
        "ubuntu-24.04",
        1,
        "small",
        ("n1",),
        ("g1",),
    )
    assert ubuntu.timeouts.wait_s == 600
    assert (debian.image, debian.workers, debian.plan, debian.networks) == ("deb", 3, "big", ("n2",))
    assert (debian.storage_bytes, debian.secure_boot, debian.bios, debian.cpu_family) == (PRESERVE_SIZE, True, "uefi", "old")
    assert (debian.priority, debian.backend, debian.provision_data) == (-1, "cloud", (("url", "x"), ("n", "1")))
    assert (project.backends["mine"].allocate, project.backends["mine"].memory_bytes) == ("alloc", 1024**3)
    suite = project.suites["tests/"]
    assert (suite.summary, suite.backends, suite.systems, suite.variants) == ("s", ("-mine",), ("-debian-*",), ("+w",))
    assert (suite.priority, suite.manual, suite.timeouts.kill_s, suite.scripts.restore_each) == (0, False, 120, "sre")
    assert suite.skip == (SkipCondition("true", "because"),)
    task = suite.tasks["tests/one"]
    assert (task.summary, task.details, task.execute, task.samples, task.priority, task.manual) == ("t", "long", "te", 3, 1, True)
    assert task.timeouts == Timeouts(90, NEVER_S)
    assert (task.scripts.prepare, task.scripts.restore, task.scripts.debug) == ("tp", "tr", "td")
    assert task.artifacts == ("out", "dir/x")
    assert task.environment == (("D/v", "4"),)
    assert not project.diagnostics


def test_values_keep_their_spelling(load: Load, spread_yaml: str) -> None:
    project = load(spread_yaml + "environment: {A: ~, B: 1.50, C: yes, D: 0x10, E: 2001-01-01}\n")
    assert project.environment == (("A", ""), ("B", "1.50"), ("C", "yes"), ("D", "0x10"), ("E", "2001-01-01"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("project: exp", "", 'invalid project name: ""'),
        ("project: exp", "project: Exp", 'invalid project name: "Exp"'),
        ("path: /root/proj", "", "missing project path field with remote project location"),
        ("path: /root/proj", "path: root/proj", "remote project path must be absolute and not /: root/proj"),
        ("path: /root/proj", "path: //", "remote project path must be absolute and not /: /"),
        ("  lxd:", "  LXD:", 'invalid backend name: "LXD"'),
        ("  lxd:", "  foo:", 'backend "foo" has unsupported type "foo"'),
        ("  lxd:", "  testflinger:", 'backend "testflinger" has unsupported type "testflinger"'),
        ("    systems: [ubuntu-16.04]", "", "must define at least one backend"),
        ("    systems: [ubuntu-16.04]", "    systems: []", 'no systems specified for backend "lxd"'),
        ("    systems: [ubuntu-16.04]", "    systems: [ubuntu-16.04, ~]", 'backend "lxd" has an empty entry in its systems'),
        ("    systems: [ubuntu-16.04]", "    systems: [u2-16.04]", 'backend "lxd" refers to invalid system name: "u2-16.04"'),
        ("    systems: [ubuntu-16.04]", "    systems: [{}]", 'backend "lxd" refers to invalid system name: ""'),
        ("[ubuntu-16.04]", "[{ubuntu-16.04: {workers: -1}}]", 'backend "lxd" has system "ubuntu-16.04" with -1 workers'),
        (
            "[ubuntu-16.04]",
            "[{ubuntu-16.04: {environment: {1A: x}}}]",
            'invalid lxd:ubuntu-16.04 environment: invalid variable name: "1A"',
        ),
        ("    systems:", "    allocate: x\n    systems:", 'backend "lxd" cannot use allocate and dispose fields'),
        ("    systems:", "    type: adhoc\n    systems:", 'backend "lxd" requires an allocate field'),
        (
            "    systems:",
            "    environment: {A/: x}\n    systems:",
            'invalid backend "lxd" environment: invalid variable name: "A/"',
        ),
        ("  tests/:", "  tests:", 'invalid suite name (must end with /): "tests"'),
        ("  tests/:", "  Tests/:", 'invalid suite name: "Tests/"'),
        ("    summary: s", "    summary: '  '", "suite tests/ is missing a summary"),
        ("    summary: s", "", "suite tests/ is missing a summary"),
        ("    summary: s", "    summary: s\n    systems: [foo]", 'suite tests/ refers to invalid system name: "foo"'),
        (
            "    summary: s",
            "    summary: s\n    environment: {Y: 1}",
            "invalid suite tests/ environment: invalid variable name: true",
        ),
        ("suites:\n  tests/:\n    summary: s\n", "", "must define at least one task suite"),
        ("suites:", "environment: {A: 1, A: 2}\nsuites:", 'invalid project environment: variable "A" defined multiple times'),
        ("suites:", "environment: {1: x}\nsuites:", 'invalid project environment: invalid variable name: "1"'),
    ],
)
def test_refuses_in_the_words_of_spread(load: Load, spread_yaml: str, old: str, new: str, message: str) -> None:
    assert old in spread_yaml
    assert str(failure(load, spread_yaml.replace(old, new))) == message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("include: a", "yaml: unmarshal errors:\n  line 9: cannot unmarshal !!str `a` into []string"),
        ("include: [{}]", "yaml: unmarshal errors:\n  line 9: cannot unmarshal !!map into string"),
        ("environment: {A: [b]}", "yaml: unmarshal errors:\n  line 9: cannot unmarshal !!seq into string"),
        ("environment: [b]", "yaml: unmarshal errors:\n  line 9: cannot unmarshal !!seq into map[string]string"),
        ("prepare: {}", "yaml: unmarshal errors:\n  line 9: cannot unmarshal !!map into string"),
        ("[a]: b", "yaml: unmarshal errors:\n  line 9: cannot unmarshal !!seq into string"),
        ("kill-timeout: 5", 'timeout must look like 10s or 15m or 1.5h, not "5"'),
        ("kill-timeout: ''", 'timeout must look like 10s or 15m or 1.5h, not ""'),
        ("warn-timeout: []", 'timeout must look like 10s or 15m or 1.5h, not ""'),
        ("x: *a", "yaml: line 9: unknown anchor"),
    ],
)
def test_types(load: Load, spread_yaml: str, tmp_path: Path, line: str, message: str) -> None:
    error = failure(load, spread_yaml + line + "\n")
    if "anchor" in message:
        assert str(error) == f"cannot load {tmp_path}/spread.yaml: yaml: unknown anchor 'a' referenced"
    else:
        assert str(error) == f"cannot load {tmp_path}/spread.yaml: {message}"
    assert (error.file, error.line) == (f"{tmp_path}/spread.yaml", 9)


def test_all_wrong_types_of_a_file_are_told(load: Load, spread_yaml: str) -> None:
    error = failure(load, spread_yaml + "prepare: []\ninclude: 5\nbackends: []\n")
    assert str(error).partition("errors:")[2].split("\n  ")[1:] == [
        "line 9: cannot unmarshal !!seq into string",
        "line 10: cannot unmarshal !!int `5` into []string",
        "line 11: cannot unmarshal !!seq into map[string]*spread.Backend",
    ]


@pytest.mark.parametrize(
    ("task", "message", "line"),
    [
        ("", "tests/a is missing a summary", 0),
        ("~", "tests/a is missing a summary", 1),
        ("summary: ' '", "tests/a is missing a summary", 1),
        (
            "summary: s\nsamples: x",
            "cannot load tests/a/task.yaml: yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `x` into int",
            2,
        ),
        (
            "summary: s\nsamples: '3'",
            "cannot load tests/a/task.yaml: yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `3` into int",
            2,
        ),
        (
            "summary: s\nmanual: 'yes'",
            "cannot load tests/a/task.yaml: yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `yes` into bool",
            2,
        ),
        (
            "summary: s\npriority: a",
            "cannot load tests/a/task.yaml: yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `a` into int64",
            2,
        ),
        ("[]", "cannot load tests/a/task.yaml: yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into spread.Task", 1),
        ("a: b: c", "cannot load tests/a/task.yaml: yaml: mapping values are not allowed in this context", 1),
        ("summary: s\nenvironment: {'A/': 1}", 'invalid tests/a environment: invalid variable name: "A/"', 2),
        ("summary: s\nsystems: [debian-1?]", 'tests/a refers to invalid system name: "debian-1?"', 2),
        ("summary: s\nartifacts: [/abs]", "tests/a has improper artifact path: /abs", 2),
        ("summary: s\nartifacts: [a/../b]", "tests/a has improper artifact path: a/../b", 2),
        ("summary: s\nartifacts: [../b]", "tests/a has improper artifact path: ../b", 2),
        ("summary: s\nartifacts: [../]", "tests/a has improper artifact path: ../", 2),
        ("summary: s\nartifacts: ['']", "tests/a has improper artifact path: ", 2),
        ("summary: s\nartifacts: [a//]", "tests/a has improper artifact path: a//", 2),
    ],
)
def test_refuses_tasks(load: Load, spread_yaml: str, tmp_path: Path, task: str, message: str, line: int) -> None:
    error = failure(load, spread_yaml, {"tests/a": task})
    assert str(error) == message
    assert (error.file, error.line) == (f"{tmp_path}/tests/a/task.yaml", line)


def test_a_fault_says_where_and_what_to_do(load: Load, spread_yaml: str, tmp_path: Path) -> None:
    error = failure(load, spread_yaml.replace("  tests/:", "  tests:"))
    assert error.located == f'{tmp_path}/spread.yaml:7: invalid suite name (must end with /): "tests"'
    assert error.hint == "write tests/:"


def test_names_of_tasks(load: Load, spread_yaml: str, task_yaml: str) -> None:
    assert "tests/a_b" in load(spread_yaml, {"tests/a_b": task_yaml}).suites["tests/"].tasks
    assert str(failure(load, spread_yaml, {"tests/A": task_yaml})) == 'invalid task name: "tests/A"'


def test_merge_keys_and_repeated_maps(load: Load, spread_yaml: str) -> None:
    text = spread_yaml.replace("    systems: [ubuntu-16.04]", "    <<: *common\n    plan: big")
    project = load("x-c: &common {systems: [ubuntu-16.04], plan: small, environment: {<<: {A: 1}, B: 2}}\n" + text)
    assert project.backends["lxd"].plan == "big"
    assert project.backends["lxd"].environment == (("A", "1"), ("B", "2"))
    assert not project.diagnostics
    assert len(load(spread_yaml + "backends:\n  qemu:\n    systems: [ubuntu-16.04]\n").backends) == 2


def test_flavours_and_types(load: Load, spread_yaml: str) -> None:
    plus = Flavour.SPREAD_PLUS
    assert load(spread_yaml.replace("ubuntu-16.04", "u2-16.04"), flavour=plus).backends["lxd"].systems
    assert load(spread_yaml.replace("lxd:", "testflinger:"), flavour=plus).backends
    assert load(spread_yaml.replace("lxd:", "sandbox:")).backends["sandbox"].type == "sandbox"
    assert load(spread_yaml.replace("lxd:", "site:"), extra_backend_types=frozenset({"site"})).backends["site"].type == "site"


@pytest.mark.parametrize(
    ("spread_line", "task_line", "message"),
    [
        ("artifacts: [/abs]", "", "the project has an invalid artifact path: /abs"),
        ("", "skip: [{if: x}]", "tests/a is missing either the if or reason for the skip"),
        ("tasks-limit: x", "", "line 9: cannot unmarshal !!str `x` into int"),
        ("", "skip: x", "line 3: cannot unmarshal !!str `x` into []*spread.SkipCondition"),
    ],
)
def test_faults_that_only_spread_plus_sees_stop_runs_only(
    load: Load, spread_yaml: str, task_yaml: str, spread_line: str, task_line: str, message: str
) -> None:
    files = f"{spread_yaml}{spread_line}\n", {"tests/a": f"{task_yaml}{task_line}\n"}
    (found,) = load(*files).diagnostics
    assert found.stops_run
    assert found.text == message
    assert message in str(failure(load, *files, flavour=Flavour.SPREAD_PLUS))


@pytest.mark.parametrize(
    ("spread_line", "task_line", "text", "hint"),
    [
        ("foo: 1", "", 'unknown field "foo" in project is ignored', ""),
        ("prepare_each: x", "", 'unknown field "prepare_each" in project is ignored', "did you mean prepare-each?"),
        ("enviroment: {}", "", 'unknown field "enviroment" in project is ignored', "did you mean environment?"),
        (
            "variants: [a]",
            "",
            'unknown field "variants" in project is ignored',
            "it belongs to a backend or a system or a suite or a task",
        ),
        ("", "include: [a]", 'unknown field "include" in task is ignored', "it belongs to the project"),
        ("", "details: a\ndetails: b", "details is written more than once; the last one counts", "write it once"),
        ("environment: {A: 'x \"y\" z'}", "", "project: the shell takes the double quotes out of the value of A", None),
        ("kill-timeout: -5s", "", "negative timeout: -5s", "write -1 for never"),
    ],
)
def test_what_is_odd_is_told(
    load: Load, spread_yaml: str, task_yaml: str, spread_line: str, task_line: str, text: str, hint: str | None
) -> None:
    (found,) = load(f"{spread_yaml}{spread_line}\n", {"tests/a": f"{task_yaml}{task_line}\n"}).diagnostics
    assert found.text == text
    assert hint is None or found.hint == hint
    assert found.line >= 3


def test_unknown_backends_are_told(load: Load, spread_yaml: str, task_yaml: str, tmp_path: Path) -> None:
    tasks = {"tests/a": task_yaml + "backends: [lxt, lxd]\n", "tests/b": task_yaml + "backends: [+other, -gone]\n"}
    found = load(spread_yaml + "    backends: [-gone, +l*]\n", tasks).diagnostics
    assert [(one.text, one.hint, one.file) for one in found] == [
        ('tests/a names backend "lxt", which the project does not have', "did you mean lxd?", f"{tmp_path}/tests/a/task.yaml"),
        ('tests/b names backend "other", which the project does not have', "known: lxd", f"{tmp_path}/tests/b/task.yaml"),
    ]


def test_custom_fields_are_not_odd(load: Load, spread_yaml: str) -> None:
    assert not load(spread_yaml + "x-common: &c {}\n").diagnostics


def test_quirks_of_systems_are_told(load: Load, spread_yaml: str) -> None:
    project = load(spread_yaml.replace("[ubuntu-16.04]", "[{a-1: {}, b-2: {workers: 2}}, b-2]"))
    assert list(project.backends["lxd"].systems) == ["b-2"]
    assert [one.text for one in project.diagnostics] == [
        "one entry of the systems of lxd has several names; b-2 counts, not a-1",
        'backend "lxd" has system "b-2" twice; the last counts',
    ]


def test_no_execute_and_no_tasks_are_told(load: Load, spread_yaml: str, tmp_path: Path) -> None:
    (found,) = load(spread_yaml, {"tests/a": "summary: s\n"}).diagnostics
    assert (found.text, found.file) == (
        "tests/a has no execute script: it passes without doing anything",
        f"{tmp_path}/tests/a/task.yaml",
    )


def test_what_spread_refuses_and_we_accept_says_so(load: Load, spread_yaml: str, task_yaml: str) -> None:
    project = load(spread_yaml + "kill-timeout: -1\n", {"tests/a": task_yaml + "artifacts: [some/dir/]\n"})
    assert project.timeouts.kill_s == NEVER_S
    assert [one.spread_error for one in project.diagnostics] == [
        'timeout must look like 10s or 15m or 1.5h, not "-1"',
        "tests/a has improper artifact path: some/dir/",
    ]


def test_finds_the_project_from_below(write: Callable[..., Path], tmp_path: Path) -> None:
    write()
    assert find_project_file(tmp_path / "tests" / "a") == tmp_path / "spread.yaml"
    (tmp_path / "spread.yaml").rename(tmp_path / ".spread.yaml")
    assert find_project_file(tmp_path / "tests" / "a") == tmp_path / ".spread.yaml"


def test_an_unreadable_project_file_counts_as_absent(write: Callable[..., Path], tmp_path: Path) -> None:
    write()
    (tmp_path / "tests" / "spread.yaml").mkdir()
    (tmp_path / "tests" / ".spread.yaml").write_text("never looked at")
    assert find_project_file(tmp_path / "tests" / "a") == tmp_path / "spread.yaml"


def test_no_project_is_an_error(host: object) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(Path("/proc/self"), host=host)  # type: ignore[arg-type]
    assert str(caught.value) == "cannot load project file from /proc/self: cannot find spread.yaml or .spread.yaml"


@pytest.mark.parametrize("reroot", ["..", "/..", "./x/../.."])
def test_reroot(write: Callable[..., Path], host: object, spread_yaml: str, tmp_path: Path, reroot: str) -> None:
    write(spread_yaml)
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "spread.yaml").write_text(spread_yaml + f"reroot: {reroot}\n")
    project = load_project(tmp_path / "ci", host=host)  # type: ignore[arg-type]
    assert (project.root, project.file) == (str(tmp_path), str(tmp_path / "ci" / "spread.yaml"))
    assert list(project.suites["tests/"].tasks) == ["tests/a"]


def test_suites_nest_and_links_are_followed(load: Load, spread_yaml: str, task_yaml: str, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "linked").symlink_to("a")
    (tmp_path / "tests" / "file").write_text("no directory")
    (tmp_path / "tests" / "empty").mkdir()
    (tmp_path / "tests" / ".#lock").symlink_to("nobody@nowhere")
    (tmp_path / "other").symlink_to("tests")
    spread = spread_yaml + "  tests/a/: {summary: s}\n  other/: {summary: s}\n"
    project = load(spread, {"tests/a": task_yaml, "tests/a/b": task_yaml})
    assert list(project.suites["tests/"].tasks) == ["tests/a", "tests/linked"]
    assert list(project.suites["tests/a/"].tasks) == ["tests/a/b"]
    assert list(project.suites["other/"].tasks) == ["other/a", "other/linked"]


def test_the_suite_directory_must_be_there(load: Load, spread_yaml: str, tmp_path: Path) -> None:
    error = failure(load, spread_yaml + "  tests2/: {summary: s}\n")
    assert str(error) == f"cannot list suite tests2/: open {tmp_path}/tests2: no such file or directory"
    assert error.line == 9
