"""Our listings against recorded ones of Spread, where a directory with them is at hand."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from outspread.project.errors import ProjectError
from outspread.project.host_commands import ShellHostCommands
from outspread.project.loader import load_project
from outspread.project.model import Flavour
from outspread.project.selection import select_jobs

_CORPUS = os.environ.get("OUTSPREAD_CORPUS", "")

pytestmark = pytest.mark.skipif(not _CORPUS, reason="OUTSPREAD_CORPUS does not name a directory with recorded listings")


def _cases() -> Iterator[tuple[str, dict[str, object]]]:
    if _CORPUS:
        cases = json.loads((Path(_CORPUS) / "synthetic" / "cases.json").read_text())["cases"]
        yield from ((case["name"], case) for case in cases)


def _projects() -> Iterator[tuple[Path, Path, str]]:
    for meta in sorted(Path(_CORPUS).glob("*/meta.json")) if _CORPUS else ():
        for found in json.loads(meta.read_text())["projects"].values():
            if name := found["spread"].get("list"):
                yield meta.parent / "project" / found["dir"], meta.parent / found["lists_dir"], name


def _listing(root: Path, filters: list[str], flavour: Flavour) -> tuple[list[str], str]:
    host = ShellHostCommands()
    try:
        project = load_project(root, flavour=flavour, host=host)
        return [job.name for job in select_jobs(project, filters, host=host)], ""
    except ProjectError as error:
        return [], f"error: {error}".replace(str(root), "<project>")


@pytest.mark.parametrize("flavour", list(Flavour))
@pytest.mark.parametrize(("name", "case"), list(_cases()))
def test_synthetic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flavour: Flavour, name: str, case: dict[str, dict[str, str]]
) -> None:
    recorded = case["expect"].get(flavour) or case["expect"]["spread"]
    if recorded["stderr"].startswith("PANIC"):  # type: ignore[index]
        pytest.skip("Spread crashes here")
    for file, text in case["files"].items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    for directory in case["dirs"]:
        (tmp_path / directory).mkdir(parents=True)
    for link, target in case["symlinks"].items():
        (tmp_path / link).symlink_to(target)
    for variable, value in case["env"].items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    names, error = _listing(tmp_path, [argument for argument in case["args"] if not argument.startswith("-")], flavour)
    allowed = [recorded, *recorded.get("unstable_also", [])]  # type: ignore[attr-defined]
    assert (sorted(names), error) in [(sorted(one["stdout"].split("\n")[:-1]), one["stderr"]) for one in allowed]


@pytest.mark.parametrize(("root", "lists", "name"), list(_projects()))
def test_real_projects(root: Path, lists: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    text = gzip.decompress((lists / name).read_bytes()).decode() if name.endswith(".gz") else (lists / name).read_text()
    names, _ = _listing(root, [], Flavour.SPREAD)
    assert sorted(names) == sorted(text.splitlines())
