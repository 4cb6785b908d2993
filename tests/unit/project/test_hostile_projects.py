"""Projects that are meant to do harm end in an error within a moment, and in little memory."""

import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from outspread.project.errors import ProjectError
from outspread.project.loader import load_project
from outspread.project.model import Project

Load = Callable[..., Project]


@pytest.fixture(autouse=True)
def _in_a_moment() -> Iterator[None]:
    before = time.process_time()
    yield
    assert time.process_time() - before < 5  # takes a fraction of that, also on a busy machine


def _nested(kind: str, names: str = "abcdefghij") -> str:
    lines = [f"x-{names[0]}: &{names[0]} {{A: 1}}" if kind == "merge" else f"x-{names[0]}: &{names[0]} [x]"]
    for below, name in pairwise(names):
        ten = ", ".join([f"*{below}"] * 10)
        lines.append(f"x-{name}: &{name} {{<<: [{ten}]}}" if kind == "merge" else f"x-{name}: &{name} [{ten}]")
    return "\n".join(lines) + "\n"


def test_alias_bombs(load: Load, spread_yaml: str) -> None:
    with pytest.raises(ProjectError, match="excessive aliasing"):
        load(_nested("merge") + spread_yaml + "environment: {<<: *j}\n")
    with pytest.raises(ProjectError, match="cannot unmarshal !!seq into string"):
        load(_nested("list") + spread_yaml + "include: *j\n")
    with pytest.raises(ProjectError, match="excessive aliasing"):
        load(_nested("merge").replace("{A: 1}", "{}") + spread_yaml + "environment: {<<: *j}\n")


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? "])
def test_depth(load: Load, spread_yaml: str, piece: str) -> None:
    with pytest.raises(ProjectError, match=r"cannot load tests/a/task\.yaml: yaml: "):
        load(spread_yaml, {"tests/a": "summary: s\nx:\n  " + piece * 100_000})


def test_large_files(load: Load, spread_yaml: str, task_yaml: str) -> None:
    assert load(spread_yaml, {"tests/a": f"{task_yaml}details: {'x y ' * 2_500_000}"}).suites
    with pytest.raises(ProjectError, match="larger than 16 MiB"):
        load(spread_yaml, {"tests/a": f"{task_yaml}details: {'x y ' * 5_000_000}"})


@pytest.mark.parametrize(
    "made",
    [
        lambda count: "include: [" + "a," * count + "]\n",
        lambda count: "x-y: {" + "a: {}," * count + "}\n",
        lambda count: "environment:\n" + "".join(f"  A{number}: b\n" for number in range(count)),
    ],
)
def test_more_items_than_anybody_writes(load: Load, spread_yaml: str, made: Callable[[int], str]) -> None:
    text = spread_yaml + made(1_000_000)
    before = time.process_time()
    with pytest.raises(ProjectError, match="larger than 500000 keys and values"):
        load(text)
    assert time.process_time() - before < 4  # a second, but on a machine in need


@pytest.mark.parametrize(
    "task", [b"summary: \xff", b"summary: a\0b", b"\xff\xfes\0", b"\0" * 100, b"%YAML 9.9\n---\n", b"\t" * 1000]
)
def test_no_yaml(load: Load, spread_yaml: str, task: bytes) -> None:
    with pytest.raises(ProjectError):
        load(spread_yaml, {"tests/a": task})


@pytest.mark.parametrize("samples", ["1000000000", "9223372036854775807"])
def test_too_many_samples(load: Load, listed: Callable[..., list[str]], spread_yaml: str, task_yaml: str, samples: str) -> None:
    project = load(spread_yaml, {"tests/a": f"{task_yaml}samples: {samples}\n"})
    with pytest.raises(ProjectError, match="more than 1000000 jobs") as caught:
        listed(project)
    assert caught.value.hint == f"tests/a alone makes {samples}: look at its samples and variants"


@pytest.mark.parametrize("samples", ["9" * 25, "1" + "0" * 10_000, ".inf", "-.inf", ".nan"])
def test_samples_beyond_numbers(load: Load, spread_yaml: str, task_yaml: str, samples: str) -> None:
    with pytest.raises(ProjectError, match="into int"):
        load(spread_yaml, {"tests/a": f"{task_yaml}samples: {samples}\n"})


def test_negative_samples_are_no_jobs(load: Load, listed: Callable[..., list[str]], spread_yaml: str, task_yaml: str) -> None:
    with pytest.raises(ProjectError, match="cannot find any tasks"):
        listed(load(spread_yaml, {"tests/a": f"{task_yaml}samples: -5\n"}))


def test_a_matrix_without_end(load: Load, listed: Callable[..., list[str]], task_yaml: str) -> None:
    systems = ", ".join(f"u-{number}" for number in range(300))
    variants = ", ".join(f"v{number}" for number in range(300))
    backends = "".join(f"  b{number}: {{type: lxd, systems: [{systems}], variants: [{variants}]}}\n" for number in range(10))
    project = load(
        f"project: exp\npath: /p\nbackends:\n{backends}suites: {{tests/: {{summary: s}}}}\n",
        {"tests/a": task_yaml + "samples: 999\n"},
    )
    tracemalloc.start()
    try:
        with pytest.raises(ProjectError, match="more than 1000000 jobs"):
            listed(project)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_many_notes_are_not_kept(load: Load, spread_yaml: str, task_yaml: str) -> None:
    unknown = "".join(f"summarx{number}: v\n" for number in range(20_000))
    assert len(load(spread_yaml, {"tests/a": task_yaml + unknown}).diagnostics) <= 101
    assert len(load(spread_yaml, {"tests/a": task_yaml + "details: b\n" * 20_000}).diagnostics) == 1


def test_many_faults_are_cut(load: Load, spread_yaml: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load(spread_yaml + f"include: [{', '.join(['{}'] * 10_000)}]\n")
    assert str(caught.value).endswith("and 9950 more")


def test_a_giant_suite(load: Load, spread_yaml: str, task_yaml: str) -> None:
    assert len(load(spread_yaml, {f"tests/t{number}": task_yaml for number in range(2000)}).suites["tests/"].tasks) == 2000


def _place(tmp_path: Path, kind: str) -> None:
    task = tmp_path / "tests" / "a" / "task.yaml"
    task.unlink()
    match kind:
        case "fifo":
            os.mkfifo(task)
        case "directory":
            task.mkdir()
        case "loop":
            task.symlink_to(task.name)
        case _:
            task.symlink_to(kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("fifo", "read {}: not a regular file"),
        ("directory", "read {}: is a directory"),
        ("loop", "open {}: too many levels of symbolic links"),
        ("/dev/zero", "read {}: not a regular file"),
        ("/proc/self/mem", "read {}: input/output error"),
    ],
)
def test_task_files_that_are_none(write: Callable[..., Path], host: object, tmp_path: Path, kind: str, message: str) -> None:
    write()
    _place(tmp_path, kind)
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path, host=host)  # type: ignore[arg-type]
    path = f"{tmp_path}/tests/a/task.yaml"
    assert (str(caught.value), caught.value.file) == (message.format(path), path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_task_files_without_permission(write: Callable[..., Path], host: object, tmp_path: Path) -> None:
    write()
    (tmp_path / "tests" / "a" / "task.yaml").chmod(0)
    with pytest.raises(ProjectError, match="permission denied"):
        load_project(tmp_path, host=host)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "cause"), [("nowhere", "no such file or directory"), ("x", "too many levels of symbolic links")]
)
def test_links_that_lead_nowhere(write: Callable[..., Path], host: object, tmp_path: Path, target: str, cause: str) -> None:
    write()
    (tmp_path / "tests" / "x").symlink_to(target)
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path, host=host)  # type: ignore[arg-type]
    assert str(caught.value) == f"cannot list suite tests/: stat {tmp_path}/tests/x: {cause}"


def test_links_to_the_directory_above(write: Callable[..., Path], host: object, tmp_path: Path) -> None:
    write()
    (tmp_path / "tests" / "up").symlink_to("..")
    assert list(load_project(tmp_path, host=host).suites["tests/"].tasks) == ["tests/a"]  # type: ignore[arg-type]


def test_directory_names_that_are_no_text(write: Callable[..., Path], host: object, tmp_path: Path, task_yaml: str) -> None:
    write()
    odd = tmp_path / "tests" / os.fsdecode(b"\xff\xfe")
    odd.mkdir()
    assert load_project(tmp_path, host=host)  # type: ignore[arg-type]
    (odd / "task.yaml").write_text(task_yaml)
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path, host=host)  # type: ignore[arg-type]
    assert str(caught.value) == 'invalid task name: "tests/\\xff\\xfe"'


def test_values_full_of_commands(load: Load, listed: Callable[..., list[str]], spread_yaml: str) -> None:
    for value in ("$(HOST:" * 5_000, "$(HOST:(x)" * 5_000, "$" * 50_000):
        assert listed(load(spread_yaml + f"environment: {{A: '{value}'}}\n"))
