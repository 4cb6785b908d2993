"""How a farm goes, as people read it."""

from outspread.cli.top_lines import FarmLook, top_lines
from outspread.controller.command_values import CommandRunStatus, JobCounts, WorkerStatus
from outspread.controller.farm_figures import LATENCY_CLASSES_S, FarmFigures, LaneFigures, LatencyFigures


def latencies(**counts: int) -> LatencyFigures:
    classes = [0] * (len(LATENCY_CLASSES_S) + 1)
    classes[3], classes[-1] = counts.get("quick", 0), counts.get("slow", 0)
    return LatencyFigures(tuple(classes))


def look(at_s: float, passed: int, *, runs: int = 0, commit: LatencyFigures | None = None) -> FarmLook:
    figures = FarmFigures(
        lanes=(LaneFigures("", 3, 2.0), LaneFigures("kvm=yes", 4, 700.0)),
        running=5,
        workers_connected=1,
        workers_held=1,
        slots=8,
        runs=runs,
        attempts={"passed": passed, "failed": 1},
        claims=0,
        leases_lost=2,
        commits=0,
        commit=commit or LatencyFigures(),
        exchange=latencies(quick=5),
    )
    counts = JobCounts(total=20, queued=7, running=5, passed=7, failed=1)
    shown = tuple(
        CommandRunStatus(f"r{n}", "a\x1b[2Jb", "me", "p", "running", counts, 0.0, work_left_s=90.0) for n in range(runs)
    )
    worker = WorkerStatus("ann", {"os": "linux"}, 8, (), connected=True, last_heard_s=1.0, hold="no disk")
    return FarmLook(at_s, figures, shown, (worker,))


def test_a_farm_at_work() -> None:
    lines = list(top_lines(look(12.0, 110, runs=1, commit=latencies(quick=99, slow=1)), look(10.0, 10)))
    assert lines[:5] == [
        "jobs: 5 running, 7 waiting, 50.0 a second; runs: 1",
        "attempts: 111 ended: 1 failed, 110 passed; leases lost: 2",
        "workers: 1, 1 on hold; slots: 8",
        "commits: 100, half of them within 10 ms, 99% within 10 ms",
        "exchanges: none",
    ]
    assert [line.split() for line in lines[6:9]] == [
        ["waiting", "oldest", "requires"],
        ["4", "11m40s", "kvm=yes"],
        ["3", "2.0s", "anything"],
    ]
    assert lines[11].split() == ["r0", "me", "8", "20", "1", "5", "1m30s", "ab"]
    assert lines[-1] == "ann is on hold: no disk"


def test_a_first_look_knows_no_rate_and_shows_only_so_many_runs() -> None:
    lines = list(top_lines(look(1.0, 0, runs=12, commit=latencies(slow=1)), None))
    assert lines[0] == "jobs: 5 running, 7 waiting; runs: 12"
    assert lines[3] == "commits: 1, half of them within more than 10 s, 99% within more than 10 s"
    assert "and 2 more runs" in lines
