"""From a command to the first line that a job prints, on one machine or on several side by side."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

MARK = "first-line-of-output"
_ENDS_WITHIN_S = 120.0


def make_marking_project(root: Path, backend: str, system: str, *, machines: int = 1) -> Path:
    """Make a project with a job for each of its machines, which says its name and then keeps its machine.

    ``backend`` and ``system`` are the lines of YAML below them.
    """
    for number in range(machines):
        task = root / f"tests/t{number}/task.yaml"
        task.parent.mkdir(parents=True)
        task.write_text(f"summary: one\nexecute: |\n    echo {MARK}-$(hostname)\n    sleep 100\n")
    text = f"project: made\npath: /srv/made\nbackends:\n    {backend}:\n{_indented(8, system)}\n"
    (root / "spread.yaml").write_text(f"{text}suites:\n    tests/:\n        summary: Made to be measured\n")
    return root


def _indented(by: int, text: str) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())


def seconds_to_first_lines(bin_dir: Path, project: Path, environment: Mapping[str, str], *, jobs: int = 1) -> float:
    """Return how long it takes from process start until a line of each of so many jobs is seen outside."""
    command = [str(bin_dir / "outspread"), "run", "--live"]
    environment = {**os.environ, **environment}
    seen = 0
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        assert run.stdout is not None
        try:
            for line in run.stdout:
                seen += MARK.encode() + b"-" in line and b"echo" not in line
                if seen == jobs:
                    return time.perf_counter() - began
        finally:
            run.send_signal(signal.SIGTERM)
            run.stdout.read()
            run.wait(_ENDS_WITHIN_S)
    raise SystemExit(f"the output of {jobs - seen} jobs was never seen")


def seconds_side_by_side(action: Callable[[int], object], count: int) -> float:
    """Return how long ``count`` threads take, each of which does ``action`` with its number."""
    threads = [threading.Thread(target=action, args=(number,)) for number in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began
