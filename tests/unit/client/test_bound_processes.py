import os
import subprocess
import sys
from pathlib import Path

from outspread.client.bound_processes import BoundProcesses

_PARENT = """
import subprocess, sys
from outspread.client.bound_processes import BoundProcesses
with BoundProcesses() as processes:
    processes.start(["/bin/sh", "-c", "sleep 98765 & echo $! $$; wait"])
    sys.stdin.read()
"""


def test_how_a_process_ended_is_known() -> None:
    with BoundProcesses() as processes:
        assert processes.start(["/bin/sh", "-c", "exit 7"]).wait() == 7


def test_what_a_process_left_running_is_killed() -> None:
    with BoundProcesses() as processes:
        leaving = processes.start(["/bin/sh", "-c", "sleep 98765 & echo"], stdout=subprocess.PIPE, bufsize=0)
        assert leaving.stdout is not None
        kept = os.dup(leaving.stdout.fileno())
        leaving.stdout.readline()
    with open(kept, "rb") as output:  # noqa: PTH123 - a descriptor
        assert output.read() == b""  # whoever held it is gone


def test_all_ends_when_we_are_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        parent.kill()
        assert parent.stdout.read() == b""  # they held it, too
