"""What is packed, what is refused, and what a pack that fails says."""

import contextlib
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from outspread.client import content
from outspread.errors import UserError
from outspread.project.content_rules import ContentRules
from outspread.project.model import Project


def packed(root: Path, *include: str, repack: str = "", within_s: float = 30) -> list[str]:
    project = Project(
        name="demo", root=str(root), file=str(root / "spread.yaml"), path="/p", backends={}, suites={}, repack=repack
    )
    archive = content.pack_content(project, ContentRules(include=include), (), repack_within_s=within_s)
    with contextlib.closing(archive), archive.open() as file, tarfile.open(fileobj=file) as tar:
        return tar.getnames()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "b").mkdir(parents=True)
    (root / "a").write_text("1")
    (root / "b" / "c").write_text("2")
    return root


def test_all_there_is(root: Path) -> None:
    (root / ".spread-reuse.yaml").touch()
    assert packed(root) == ["a", "b", "b/c"]


@pytest.mark.parametrize("pattern", ["/etc/hostname", "/etc/host*", "..", "../*", "b/../../x", "b/.."])
def test_includes_that_lead_outside_are_refused(root: Path, pattern: str) -> None:
    with pytest.raises(UserError, match="leads out of the project") as caught:
        packed(root, "a", pattern)
    assert caught.value.hint


def test_what_goes_away_meanwhile_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_names", lambda *_: ["a", "gone", "b"])
    assert packed(root) == ["a", "b", "b/c"]
    with pytest.raises(UserError, match="gone: Cannot stat"):
        packed(root, "a", "gone", "b")


def test_a_full_disk_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make: Callable[..., IO[bytes]] = tempfile.TemporaryFile

    def full(**options: Any) -> IO[bytes]:
        return Path("/dev/full").open("r+b") if options.get("prefix") else make(**options)

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(UserError, match=r"cannot pack project content: .*No space left on device"):
        packed(root)


def test_no_place_for_temporary_files_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(root / "absent"))
    with pytest.raises(UserError, match=r"cannot pack project content: .*absent.*: No such file or directory"):
        packed(root)


def test_a_repack_that_leaves_a_process_behind_does_not_hang(root: Path) -> None:
    (root / "large").write_bytes(bytes(1_000_000))  # more than a pipe holds
    assert packed(root, repack="sleep 600 &\ntar -c a >&4\n") == ["a"]


def test_a_repack_has_its_time(root: Path) -> None:
    began = time.monotonic()
    with pytest.raises(UserError, match=r"cannot repack project content: not done within 0\.1 s"):
        packed(root, repack="sleep 600 & sleep 600\n", within_s=0.1)
    assert time.monotonic() - began < 10


_PACK_WITH_LOW_NUMBERS = """
import os, sys, tempfile
from outspread.client import content
from outspread.project.content_rules import ContentRules
from outspread.project.model import Project
root, free = sys.argv[1], int(sys.argv[2])
make, count = tempfile.TemporaryFile, 0
def make_counted(**options):
    global count
    count += 1
    if count == 4:  # after the archive, the names and what tar says: the script
        os.close(free)
    return make(**options)
tempfile.TemporaryFile = make_counted
for _ in range(3, free + 1):
    os.open("/dev/null", os.O_RDONLY)
project = Project(name="demo", root=root, file="", path="/p", backends={}, suites={}, repack="tar -t <&3 >&2; tar -c a >&4\\n")
print(content.pack_content(project, ContentRules(), (), repack_within_s=30).size_bytes)
"""


@pytest.mark.parametrize("free", [3, 4, 8, 9])
def test_whatever_descriptors_are_free_the_script_is_the_script(root: Path, free: int) -> None:
    """The file of the script may well have a number that is promised for something else."""
    ended = subprocess.run(
        [sys.executable, "-c", _PACK_WITH_LOW_NUMBERS, root, str(free)], capture_output=True, text=True, timeout=60
    )
    assert (ended.stdout, ended.returncode) == ("10240\n", 0), ended.stderr
