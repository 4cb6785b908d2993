"""Child processes that end with us, however we end: nobody is there to end them when we are killed."""

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

# it waits for the end of a pipe that only we can write to, and then ends its whole process group
_WATCH = ("/bin/sh", "-c", "read -r _; kill -KILL 0")


class BoundProcesses:
    """A process group, used as a context manager. All that is in it, whoever started it, is killed at the end."""

    def __enter__(self) -> "BoundProcesses":
        self._watcher = subprocess.Popen(
            _WATCH, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
        )
        self._started: list[subprocess.Popen[bytes]] = []
        return self

    def start(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process of the group; ``options`` are those of ``subprocess.Popen``."""
        self._started.append(subprocess.Popen(argv, process_group=self._watcher.pid, **options))
        return self._started[-1]

    def __exit__(self, *_: object) -> None:
        os.killpg(self._watcher.pid, signal.SIGKILL)  # it is there: we have not waited for it yet
        for process in (*self._started, self._watcher):
            with process:  # waits for it, and closes what was opened for it
                pass
