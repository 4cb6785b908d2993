"""Submitting a directory does not wait for what only others need."""

import subprocess
import sys


def test_uploading_needs_neither_protobuf_nor_a_network() -> None:
    script = "import sys, outspread.store.upload, outspread.store.disk_store; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in ended.stdout.split()}
    assert "msgspec" in imported
    assert not imported & {"google", "aiohttp", "sqlite3", "uvicorn", "email"}


def test_reading_trees_comes_with_the_first_tree() -> None:
    script = "import sys, outspread.store.materialise; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "google.protobuf" not in ended.stdout.split()
