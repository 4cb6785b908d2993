"""Content made to harm: project files and files of jobs (F31), archives and trees (F32)."""

import asyncio
import io
import os
import random
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.peak_memory import run_measured

from outspread.machines.tar_reader import TarFormatError, TarReader
from outspread.machines.tree_writer import TreeWriter
from outspread.store.blob_cache import BlobCache
from outspread.store.digest import Digest
from outspread.store.directory_form import canonical_directory
from outspread.store.disk_store import DiskStore
from outspread.store.errors import MalformedTreeError
from outspread.store.materialise import materialise
from outspread.store.tree_values import DirectoryNode, FileNode

SEED = int(os.environ.get("OUTSPREAD_FAULT_SEED", "1"))

# --- F31 ---

_HEAD = "project: p\npath: /p\nbackends:\n  sandbox:\n    systems: [host]\n"
_SUITES = "suites:\n  t/:\n    summary: t\n"
_LAUGHS = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 12))
PROJECTS: dict[str, Callable[[], str]] = {
    "billion laughs": lambda: "x0: &x0 [a]\n" + _LAUGHS + _HEAD + "environment:\n  A: *x11\n" + _SUITES,
    "depth": lambda: _HEAD + "environment: " + "[" * 100_000,
    "depth of mappings": lambda: _HEAD + "environment:" + "".join(f"\n{' ' * n}a:" for n in range(1, 3000)),
    "a scalar without end": lambda: _HEAD + "prepare: '" + "x" * 50_000_000 + "'\n" + _SUITES,
    "a tag that makes an object": lambda: _HEAD + "prepare: !!python/object/apply:os.system ['touch /tmp/owned']\n" + _SUITES,
    "the same key twice": lambda: _HEAD + "project: q\n" + _SUITES,
    "a time that is none": lambda: _HEAD + "kill-timeout: .nan\n" + _SUITES,
    "a list as a key": lambda: _HEAD + "? [a, b]\n: c\n" + _SUITES,
}
_MATRIX = "".join(f"  V{n}/{','.join(f'a{m}' for m in range(10))}: x\n" for n in range(9))


@pytest.fixture
def outspread(tmp_path: Path) -> Callable[..., tuple[int, str, float, int]]:
    """Run the program; return its exit code, what it said on standard error, seconds, and kilobytes."""

    def run(*words: str) -> tuple[int, str, float, int]:
        program = [sys.executable, "-c", "from outspread.cli.entry import outspread; outspread()", *words]
        began = time.monotonic()
        with (tmp_path / "said").open("w+b") as said:
            code, most_kb = run_measured(program, cwd=tmp_path, stderr=said)
            took_s = time.monotonic() - began
            said.seek(0)
            return code, said.read().decode(errors="replace"), took_s, most_kb

    return run


@pytest.mark.parametrize("name", PROJECTS)
def test_f31_a_project_made_to_harm_is_refused_at_once(
    tmp_path: Path, outspread: Callable[..., tuple[int, str, float, int]], name: str
) -> None:
    (tmp_path / "spread.yaml").write_text(PROJECTS[name]())
    code, said, took_s, most_kb = outspread("list")
    assert code == 1, said[:500]
    assert "spread.yaml" in said
    assert "Traceback" not in said
    assert took_s < 5  # a second on a machine with nothing else to do
    assert most_kb < 200 * 1024
    assert not Path("/tmp/owned").exists()


def test_f31_a_matrix_is_counted_before_it_is_built(
    tmp_path: Path, outspread: Callable[..., tuple[int, str, float, int]]
) -> None:
    (tmp_path / "spread.yaml").write_text(_HEAD + _SUITES)
    (tmp_path / "t/x").mkdir(parents=True)
    (tmp_path / "t/x/task.yaml").write_text(f"summary: x\nenvironment:\n{_MATRIX}execute: 'true'\n")
    code, said, took_s, most_kb = outspread("list")
    assert code == 1, said[:500]
    assert took_s < 5
    assert most_kb < 200 * 1024


@pytest.mark.parametrize(
    "document",
    [b"[" * 1_000_000, b'{"jobs": [{"name": "a", "command": ["x"], "timeout_s": NaN}]}', b'{"jobs": 1e999}', b"\xff\xfe"],
)
def test_f31_a_file_of_jobs_made_to_harm_is_refused(
    tmp_path: Path, outspread: Callable[..., tuple[int, str, float, int]], document: bytes
) -> None:
    (tmp_path / "jobs.json").write_bytes(document)
    code, said, took_s, most_kb = outspread("submit", "--controller", "http://127.0.0.1:9", "-f", "jobs.json")
    assert code == 1, said[:500]
    assert said.startswith("error: cannot read jobs")
    assert took_s < 5
    assert most_kb < 200 * 1024


# --- F32 ---

_NAMES = ["../up", "/etc/owned", "a/../../up", "C:\\x", ".", "..", "a/./b", "ok", "a/b", "A/B", "a", "link/x", "n\nl", "\udcff"]
_NAMES.append("x" * 5000)
_TARGETS = ["/", "..", "/etc", "../../..", "a", ".", "/proc/self/root", "link"]
_KINDS = [
    tarfile.REGTYPE,
    tarfile.REGTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.DIRTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
]


def hostile_tar(dice: random.Random) -> bytes:
    """Return an archive of entries that want out, over and through one another."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=dice.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])) as tar:
        for _ in range(dice.randrange(1, 30)):
            entry = tarfile.TarInfo(dice.choice(_NAMES))
            entry.type = dice.choice(_KINDS)
            entry.linkname = dice.choice(_TARGETS + _NAMES[:8])
            entry.mode = dice.choice([0o644, 0o6777, 0o1777, 0])
            content = b"owned" if entry.type == tarfile.REGTYPE else b""
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    whole = bytearray(raw.getvalue())
    if dice.random() < 0.3:
        for _ in range(dice.randrange(1, 20)):
            whole[dice.randrange(len(whole))] = dice.randrange(256)
    return bytes(whole)


def test_f32_no_archive_leads_out(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/file").write_text("mine")
    for number in range(400):
        dice = random.Random(f"{SEED} {number}")
        into = tmp_path / "into"
        with TreeWriter(into) as writer:
            reader = TarReader()
            try:
                for event in reader.feed(hostile_tar(dice)):
                    writer.take(event)
                reader.finish()
            except TarFormatError:
                pass  # what was damaged is not a tar any more
        for path in into.rglob("*") if into.exists() else ():
            about = path.lstat()
            assert path.is_symlink() or path.is_file() or path.is_dir(), (number, path)
            assert not about.st_mode & 0o6000, (number, path)
            assert about.st_dev == tmp_path.stat().st_dev, (number, path)
            if path.is_symlink():
                assert Path(os.path.realpath(path)).is_relative_to(into.resolve()), (number, path)
        assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name != "into") == ["beside"], number
        assert (tmp_path / "beside/file").read_text() == "mine"
        assert [entry.name for entry in (tmp_path / "beside").iterdir()] == ["file"]
        subprocess.run(["chmod", "-R", "u+rwx", into], check=False)
        subprocess.run(["rm", "-rf", into], check=True)


@pytest.mark.parametrize("name", ["..", ".", "", "/etc/owned", "a/b", "../up", "nul\0", "a\\..\\b"])
def test_f32_no_tree_leads_out(tmp_path: Path, name: str) -> None:
    async def scenario() -> None:
        store = DiskStore(tmp_path / "store")
        content = Digest.of(b"owned")
        await store.put_blobs({content: b"owned"})
        inner = canonical_directory((FileNode("x", content),), (), ())
        await store.put_blobs({Digest.of(inner): inner})
        for files, directories in (
            ((FileNode(name, content),), ()),
            ((), (DirectoryNode(name, Digest.of(inner)),)),
        ):
            message = canonical_directory(files, directories, ())
            await store.put_blobs({Digest.of(message): message})
            with BlobCache(tmp_path / "cache", store, limit_bytes=1024**2) as cache:
                if "\\" in name:  # a name like any other here
                    work = await materialise(cache, Digest.of(message), tmp_path / "work")
                    assert [entry.name for entry in work.path.iterdir()] == [name]
                    await work.remove()
                    work.release()
                    continue
                with pytest.raises(MalformedTreeError):
                    await materialise(cache, Digest.of(message), tmp_path / "work")
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cache", "store"]

    asyncio.run(scenario())
