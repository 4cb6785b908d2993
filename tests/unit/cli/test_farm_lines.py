"""What people read about workers, and jobs over many runs."""

from outspread.cli.farm_lines import flaky_rows, worker_rows
from outspread.controller.command_values import FlakyJob, WorkerStatus


def worker(name: str, **more: object) -> WorkerStatus:
    return WorkerStatus(name, {"os": "debian", "kvm": "yes"}, 2, ("r1.0.1",), connected=True, last_heard_s=1.0, **more)  # type: ignore[arg-type] # those of the struct


def test_workers_with_why_they_are_idle() -> None:
    lines = list(
        worker_rows([worker("ann"), worker("bob", hold="disk \x1b[2Jfull", held_until=60.0), worker("eve", draining=True)])
    )
    assert [line.split()[:3] for line in lines[:4]] == [
        ["worker", "state", "slots"],
        ["ann", "working", "2"],
        ["bob", "on", "hold"],
        ["eve", "draining", "2"],
    ]
    assert lines[1].endswith("kvm=yes os=debian")
    assert lines[4:] == ["bob is on hold until 1970-01-01 00:01: disk full"]


def test_flaky_jobs() -> None:
    (_, line) = flaky_rows([FlakyJob("p", "tests/a\nb", 3, 7, "r9", 4)])
    assert line.split() == ["3", "7", "p", "r9.4", "tests/a", "/", "b"]
