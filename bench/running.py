"""Running jobs in sandboxes."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.made_projects import make_project
from bench.report import Figure
from bench.timing import ProcessCost, run_process

MARK = b"first-line-of-output"


def _seconds_to_first_line(program: str, project: Path, state: Path) -> float:
    """Return how long it takes from process start until a job's first line of output is seen outside."""
    command = [program, "run", "-vv"]
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=project, env=_environment(state), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if MARK in line:
                took = time.perf_counter() - began
                run.stdout.read()
                return took
    raise SystemExit("the job's output was never seen")


def _environment(state: Path) -> dict[str, str]:
    """Return an environment in which history is kept in ``state``, not among the user's own."""
    return os.environ | {"OUTSPREAD_STATE": str(state)}


def _run(program: str, project: Path, state: Path) -> ProcessCost:
    cost = run_process([program, "run"], cwd=project, env=_environment(state))
    if cost.exit_code:
        raise SystemExit(f"{program} run in {project} ended with {cost.exit_code}")
    return cost


def running(bin_dir: Path) -> Iterator[Figure]:
    outspread = str(bin_dir / "outspread")
    with tempfile.TemporaryDirectory() as scratch:
        base, state = Path(scratch), Path(scratch) / "state"
        state.mkdir()
        one = make_project(base / "one", tasks=1, execute=f"echo {MARK.decode()}")
        first = statistics.median([_seconds_to_first_line(outspread, one, state) for _ in range(8)][1:])
        yield Figure("sandbox: process start to the first line of a job's output", first, "s", 0.5)
        few, many = make_project(base / "few", tasks=20), make_project(base / "many", tasks=200)
        slopes, wholes = [], []
        for _ in range(5):
            short, long = _run(outspread, few, state).wall_s, _run(outspread, many, state).wall_s
            slopes.append((long - short) / 180 * 1000)
            wholes.append(long / 200 * 1000)
        yield Figure("sandbox: a trivial job, by (T200 - T20) / 180", statistics.median(slopes), "ms", 4)
        yield Figure(
            "sandbox: a trivial job, by T200 / 200", statistics.median(wholes), "ms", note="start and end of the run included"
        )
        huge = make_project(base / "huge", tasks=1000, samples=10, workers=2)
        cost = _run(outspread, huge, state)
        yield Figure("10,000 jobs in one run: memory", cost.memory_mb, "MB", 300)
        yield Figure("10,000 jobs in one run: time a job on 2 sandboxes", cost.wall_s / 10_000 * 1000, "ms")
