"""Reading projects and listing their jobs."""

import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.made_projects import make_project
from bench.report import Figure
from bench.timing import ProcessCost, run_process

#: Real projects kept beside the checkout, where there are some; never part of it.
CORPUS = Path(os.environ.get("OUTSPREAD_CORPUS", Path(__file__).parents[2] / "shared/corpus"))


def _median(costs: list[ProcessCost]) -> ProcessCost:
    return ProcessCost(
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        max(cost.memory_mb for cost in costs),
        max(cost.exit_code for cost in costs),
    )


def _cost(program: str, project: Path, *arguments: str, runs: int = 5) -> ProcessCost:
    cost = _median([run_process([program, *arguments], cwd=project) for _ in range(runs + 1)][1:])
    if cost.exit_code:
        raise SystemExit(f"{program} {' '.join(arguments)} in {project} ended with {cost.exit_code}")
    return cost


def listing(bin_dir: Path) -> Iterator[Figure]:
    outspread = str(bin_dir / "outspread")
    yield Figure("outspread --help", _cost(outspread, Path(), "--help").wall_s * 1000, "ms", 100)
    with tempfile.TemporaryDirectory() as scratch:
        small = make_project(Path(scratch) / "small", tasks=20)
        yield Figure("list of a small project, 20 jobs", _cost(outspread, small, "list").wall_s * 1000, "ms", 150)
    snapd = CORPUS / "snapd-2024/project"
    if not snapd.is_dir():
        yield Figure("list of snapd: not measured", 0, "", note=f"no corpus in {CORPUS}: name one with OUTSPREAD_CORPUS")
        return
    whole = _cost(outspread, snapd, "list")
    yield Figure("list of snapd of 2024, 60,262 jobs: time", whole.wall_s, "s", 1.0, "Spread: 7.8 s")
    yield Figure("list of snapd of 2024, 60,262 jobs: memory", whole.memory_mb, "MB", 250, "Spread: 910 MB")
    narrow = _cost(outspread, snapd, "list", "google:ubuntu-22.04-64:tests/main/abort")
    yield Figure("list of snapd of 2024, one job by filter: time", narrow.wall_s, "s", 0.3)
