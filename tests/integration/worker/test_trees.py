"""What commands find in their directories, and what is kept of what they leave there."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outspread.controller.command_values import CommandJob, Isolation
from outspread.controller.values import Outcome
from outspread.store.digest import Digest
from outspread.store.disk_store import DiskStore
from outspread.store.upload import upload_tree
from outspread.worker.commands.store_trees import StoreTrees

Do = Callable[..., Any]
Store = tuple[DiskStore, StoreTrees]


@pytest.fixture
def uploaded(tmp_path: Path, store_trees: Store) -> str:
    """The digest of a tree with a script, two files and an empty directory."""
    source = tmp_path / "source"
    (source / "sub/empty").mkdir(parents=True)
    (source / "run.sh").write_text('#!/bin/sh\necho "run in $(basename $(pwd))"\ncat given.txt || cat ../given.txt\n')
    (source / "run.sh").chmod(0o755)
    (source / "given.txt").write_text("given\n")
    (source / "sub/mine.txt").write_text("mine\n")
    return str(asyncio.run(upload_tree(store_trees[0], source)).root)


@pytest.fixture
def fetched(tmp_path: Path, store_trees: Store) -> Callable[[str], dict[str, str]]:
    """Return the files of a tree by path; links as ``-> TARGET``."""

    def fetch(digest: str) -> dict[str, str]:
        into = tmp_path / f"fetched-{digest[:8]}"
        asyncio.run(store_trees[1].materialise(digest, into, writable=()))
        return {str(path.relative_to(into)): path.read_text() for path in sorted(into.rglob("*")) if path.is_file()}

    return fetch


def shell(name: str, script: str, **fields: Any) -> CommandJob:
    return CommandJob(name, ("sh", "-c", script), **fields)


def test_commands_run_in_their_trees(do_jobs: Do, store_trees: Store, uploaded: str) -> None:
    jobs = [
        CommandJob("top", ("./run.sh",), inputs=uploaded),
        CommandJob("below", ("../run.sh",), inputs=uploaded, directory="sub"),
        shell("listing", "find . | sort; test -d sub/empty", inputs=uploaded),
    ]
    controller = do_jobs(jobs, store_trees[1])
    assert {end.outcome for end in controller.ends.values()} == {Outcome.PASSED}
    assert controller.log("top") == b"run in tree\ngiven\n"
    assert controller.log("below").startswith(b"run in sub\n")
    assert controller.log("listing").split() == [
        b".", b"./given.txt", b"./run.sh", b"./sub", b"./sub/empty", b"./sub/mine.txt",
    ]  # fmt: skip
    assert all(end.fetch_s > 0 for end in controller.ends.values())


def test_what_a_command_changes_is_its_own(do_jobs: Do, store_trees: Store, uploaded: str) -> None:
    jobs = [
        shell("changes", "echo changed >sub/mine.txt && echo new >new.txt", inputs=uploaded, writable=("sub/*",)),
        shell("reads", "cat sub/mine.txt; ls", inputs=uploaded),
    ]
    controller = do_jobs(jobs, store_trees[1], slots=1)
    assert controller.ends["changes"].outcome is Outcome.PASSED
    assert controller.log("reads") == b"mine\ngiven.txt\nrun.sh\nsub\n"


def test_inputs_that_are_not_there_are_no_verdict(do_jobs: Do, store_trees: Store) -> None:
    absent = str(Digest.of(b"absent"))
    controller = do_jobs([CommandJob("j", ("true",), inputs=absent)], store_trees[1])
    assert controller.ends["j"].outcome is Outcome.INFRA
    assert absent in controller.ends["j"].reason


@pytest.mark.parametrize("directory", ["../up", "/tmp", "a/../../up"])
def test_a_command_starts_in_its_tree(do_jobs: Do, directory: str) -> None:
    controller = do_jobs([CommandJob("j", ("true",), directory=directory)])
    assert controller.ends["j"].outcome is Outcome.FAILED  # its own fault: no worker is blamed
    assert "it is not in the work tree" in controller.ends["j"].reason


def test_a_command_that_starts_where_its_tree_has_nothing_is_told_so(do_jobs: Do, store_trees: Store, uploaded: str) -> None:
    controller = do_jobs([CommandJob("j", ("true",), inputs=uploaded, directory="not/there")], store_trees[1])
    assert controller.ends["j"].outcome is Outcome.FAILED
    assert "'not/there': there is no such directory" in controller.ends["j"].reason


def test_outputs_are_kept_with_failures_too(do_jobs: Do, store_trees: Store, fetched: Do) -> None:
    script = "mkdir -p logs/deep build; echo 1 >logs/a.xml; echo 2 >logs/deep/b.xml; echo 3 >build/c.o; echo 4 >d.txt; exit 1"
    controller = do_jobs([shell("j", script, outputs=("logs/**/*.xml", "d.*"))], store_trees[1])
    end = controller.ends["j"]
    assert (end.outcome, end.remark) == (Outcome.FAILED, "")
    assert fetched(end.outputs) == {"logs/a.xml": "1\n", "logs/deep/b.xml": "2\n", "d.txt": "4\n"}


def test_outputs_that_are_not_there_are_no_fault(do_jobs: Do, store_trees: Store) -> None:
    controller = do_jobs([CommandJob("j", ("true",), outputs=("*.xml",))], store_trees[1])
    assert (controller.ends["j"].outcome, controller.ends["j"].outputs) == (Outcome.PASSED, "")


def test_a_pattern_that_leads_out_of_the_tree_is_told(do_jobs: Do, store_trees: Store) -> None:
    controller = do_jobs([CommandJob("j", ("true",), outputs=("../*",))], store_trees[1])
    assert "does not lead into the work tree" in controller.ends["j"].reason


@pytest.mark.skipif(os.geteuid() != 0, reason="who may make a sandbox without root differs from host to host")
def test_a_sandbox_keeps_what_is_in_the_tree_only(
    do_jobs: Do, store_trees: Store, uploaded: str, fetched: Do, tmp_path: Path
) -> None:
    outside = tmp_path.parent / "outside.txt"
    script = f"pwd; hostname; ps -A | grep -c .; mkdir -p {outside.parent}; echo x >{outside}; echo y >/etc/y; echo z >kept.txt"
    sandboxed: dict[str, Any] = {"isolation": Isolation.SANDBOX, "inputs": uploaded}
    jobs = [
        shell("j", script, outputs=("kept.txt",), directory="sub", **sandboxed),
        shell("k", script.replace("kept.txt", "sub/kept.txt"), outputs=("sub/kept.txt",), **sandboxed),
        shell("code", "exit 7", **sandboxed),
        shell("signal", "kill -9 $$", **sandboxed),
        shell("late", "trap 'echo bye; exit 0' TERM; echo on; sleep 60 & wait", timeout_s=2.0, **sandboxed),
        CommandJob("absent", ("no-such-program",), **sandboxed),
        CommandJob("no image", ("true",), isolation=Isolation.SANDBOX, image="/no/such/image"),
    ]
    controller = do_jobs(jobs, store_trees[1])
    ends = controller.ends
    assert ends["j"].outcome is Outcome.PASSED, ends["j"]
    first, host, *_ = controller.log("j").decode().splitlines()
    assert (first, host) == ("/outspread/sub", "sandbox")
    assert not outside.exists()
    assert not Path("/etc/y").exists()
    assert fetched(ends["k"].outputs) == {"sub/kept.txt": "z\n"}
    assert (ends["code"].outcome, ends["code"].exit_code) == (Outcome.FAILED, 7)
    assert (ends["signal"].outcome, ends["signal"].signal) == (Outcome.FAILED, 9)
    assert ends["late"].outcome is Outcome.TIMEOUT
    assert controller.log("late") == b"on\nbye\n"
    assert (ends["absent"].outcome, ends["absent"].exit_code) == (Outcome.FAILED, 127)
    assert ends["no image"].outcome is Outcome.INFRA
    assert "/no/such/image" in ends["no image"].reason
