"""The worked example of a backend from another package: installed as a package is, and used by name."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hosts.host import Host

PACKAGE = Path(__file__).parents[3] / "docs/how-to/backend-package"

YAML = """\
project: made
path: /srv/made
backends:
    lab:
        type: fixed-hosts
        options:
            hosts: {hosts}
            clean: find /srv/made -mindepth 1 -delete
        systems:
            - debian-12:
                password: {password}
                workers: 2
suites:
    tests/:
        summary: Made for a test
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the package is installed, apart from everything else."""
    source = tmp_path_factory.mktemp("source") / "package"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    place = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "--target",
            place,
            source,
        ],
        check=True,
        capture_output=True,
        timeout=120,
        env={name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
    )
    return place


def test_a_project_runs_on_machines_of_another_package(
    tmp_path: Path, installed: Path, project: Any, new_host: Callable[..., Host]
) -> None:
    hosts = [new_host() for _ in range(2)]
    listed = tmp_path / "hosts"
    listed.write_text("".join(f"debian-12 {host.spread_address}\n" for host in hosts) + "debian-13 10.0.0.1\n")
    taken = tmp_path / "taken"
    env = {"PYTHONPATH": str(installed), "OUTSPREAD_FIXED_HOSTS": str(taken), "HOME": str(tmp_path)}
    project.file("spread.yaml", YAML.format(hosts=listed, password=hosts[0].password))
    for name in ("a", "b", "c"):
        project.task(name, "execute: hostname\n")

    without = project.run("outspread", "list")
    assert without.code == 1
    assert "unsupported type" in without.err
    assert len(project.run("outspread", "list", env=env).out.splitlines()) == 3

    run = project.run("outspread", "run", "-vv", env=env)
    assert run.code == 0, run.out + run.err
    assert "3 passed" in run.out
    assert list(taken.iterdir()) == []

    kept = project.run("outspread", "run", "-v", "--reuse", env=env)
    assert kept.code == 0, kept.out + kept.err
    assert len(list(taken.iterdir())) == 2
    machines = project.run("outspread", "machines", env=env).out
    assert machines.count("kept") == 2, machines
    assert project.run("outspread", "discard", env=env).code == 0
    assert list(taken.iterdir()) == []
    assert "lab:" not in project.run("outspread", "machines", env=env).out


def test_hosts_that_cannot_be_read_are_named(tmp_path: Path, installed: Path, project: Any) -> None:
    project.file("spread.yaml", YAML.format(hosts=tmp_path / "none", password="x"))
    project.task("a", "execute: 'true'\n")
    run = project.run("outspread", "run", env={"PYTHONPATH": str(installed), "OUTSPREAD_FIXED_HOSTS": str(tmp_path / "taken")})
    assert run.code == 1
    assert f"cannot read the hosts of lab, '{tmp_path}/none': No such file or directory" in run.out + run.err
