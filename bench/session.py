"""Whole runs over SSH beside Spread's: what a job costs, what a run costs, how content gets to machines, many machines at once.

Each round takes its yardstick first, and what Spread would take here follows from that: a machine that is busy with other things
is so for both.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import zstandard
from tests.hosts.host import why_no_hosts

from bench import peers
from bench.lab import Lab, open_lab
from bench.report import Figure
from bench.timing import median_ms, seconds_of, spawn_bash

_HOSTS = 8
_SLOPES, _SINGLES, _CONTENTS, _SIDE_BY_SIDE = 5, 7, 3, 5
_FEW, _MANY = 20, 200
_SLOPE_SHARE = 0.6
_OVER_SPREAD_S = 0.25
_LARGE_SHARE = 0.25
_SIDE_BY_SIDE_LIMIT = 1.5
_PREPARE = "prepare: 'true'\n"
#: How long a machine takes to be had, and to be prepared, elsewhere: hardly anything, against a cloud or a package manager.
_SLOW_S = 1.0


class _Event(msgspec.Struct):
    """What is read of a line of ``--json``."""

    event: str
    at: float
    verb: str = ""
    level: str = ""


def session(bin_dir: Path) -> Iterator[Figure]:
    if reason := why_no_hosts():
        sys.stdout.write(f"  not measured: {reason}\n")
        return
    with (
        tempfile.TemporaryDirectory(prefix="outspread-bench-") as scratch,
        open_lab(Path(scratch), str(bin_dir / "outspread"), hosts=_HOSTS) as lab,
    ):
        yield from _one_task(lab)
        yield from _slope(lab, 1, peers.SLOPE)
        yield from _slope(lab, 4, peers.SLOPE_OF_FOUR)
        yield from _content(lab)
        yield from _side_by_side(lab)


# --- what a run costs, and each job more ----------------------------------------------------------------------------


def _one_task(lab: Lab) -> Iterator[Figure]:
    one = lab.project("one", tasks=1)
    lab.run(one)
    yards, costs = [], []
    for _ in range(_SINGLES):
        yards.append(_spawn_ms())
        costs.append(lab.run(one))
    spawn = statistics.median(yards)
    taken = statistics.median(cost.wall_s for cost in costs)
    bound = peers.ONE_TASK.scaled(spawn) + _OVER_SPREAD_S
    yield Figure("one task on 1 host: whole run", taken, "s", bound, f"{peers.ONE_TASK.source(spawn)} + {_OVER_SPREAD_S:g}")
    yield Figure("one task on 1 host: CPU time of our process", statistics.median(cost.cpu_s for cost in costs), "s")


def _slope(lab: Lab, hosts: int, peer: peers.PeerFigure) -> Iterator[Figure]:
    few = lab.project(f"few-{hosts}", tasks=_FEW, workers=hosts)
    many = lab.project(f"many-{hosts}", tasks=_MANY, workers=hosts)
    lab.run(few)
    yards, slopes, cpus = [], [], []
    for _ in range(_SLOPES):
        yards.append(lab.exec_ms())
        short, long = lab.run(few), lab.run(many)
        slopes.append((long.wall_s - short.wall_s) / (_MANY - _FEW) * 1000)
        cpus.append((long.cpu_s - short.cpu_s) / (_MANY - _FEW) * 1000)
    yard = statistics.median(yards)
    name = f"a trivial job on {hosts} host{'s' * (hosts > 1)}, (T200 - T20) / 180"
    bound = _SLOPE_SHARE * peer.scaled(yard)
    yield Figure(name, statistics.median(slopes), "ms", bound, f"{_SLOPE_SHARE:g} of {peer.source(yard)}")
    yield Figure(f"{name}: CPU", statistics.median(cpus), "ms", note="of our process")


# --- content --------------------------------------------------------------------------------------------------------


def _content(lab: Lab) -> Iterator[Figure]:
    one = lab.project("empty", tasks=1)
    large, small = lab.project("large", tasks=1), lab.project("small", tasks=1)
    for number in range(20):
        (large / f"file{number}").write_bytes(os.urandom(10_000_000))
    for number in range(20_000):
        directory = small / f"d{number // 100}"
        directory.mkdir(exist_ok=True)
        (directory / f"file{number}").write_bytes(os.urandom(250).hex().encode())
    yield from _content_of("200 MB of random content", lab, large, one, peers.LARGE_CONTENT, _LARGE_SHARE, _zstd_s_per_gib)
    yield from _content_of("20,000 files of 500 bytes", lab, small, one, peers.MANY_FILES, 1, _spawn_ms)


def _content_of(
    name: str, lab: Lab, project: Path, empty: Path, peer: peers.PeerFigure, share: float, yardstick: Callable[[], float]
) -> Iterator[Figure]:
    yards, taken, more = [], [], []
    for _ in range(_CONTENTS):
        yards.append(yardstick())
        without = lab.run(empty).wall_s
        taken.append(lab.run(project).wall_s)
        more.append(taken[-1] - without)
    yard = statistics.median(yards)
    of = "" if share == 1 else f"{share:g} of "
    yield Figure(
        f"{name}: packed, sent, unpacked", statistics.median(more), "s", share * peer.scaled(yard), of + peer.source(yard)
    )
    yield Figure(f"{name}: whole run of one task", statistics.median(taken), "s")


# --- many machines --------------------------------------------------------------------------------------------------


def _side_by_side(lab: Lab) -> Iterator[Figure]:
    slow = f"prepare: sleep {_SLOW_S:g}\n"
    names = {
        more: {count: lab.project(f"{name}-{count}", tasks=count, workers=count, more=more) for count in (1, _HOSTS)}
        for name, more in (("quick", _PREPARE), ("slow", slow))
    }
    by_hand = []
    ratios: dict[str, list[float]] = {more: [] for more in names}
    for _ in range(_SIDE_BY_SIDE):
        by_hand.append(lab.log_in_s(_HOSTS) / lab.log_in_s(1))
        for more, projects in names.items():
            one, all_of_them = (_ready_s(lab, projects[count]) for count in (1, _HOSTS))
            ratios[more].append(all_of_them / one)
    note = f"by hand, log-ins alone: {statistics.median(by_hand):.2f}"
    yield Figure(
        f"{_HOSTS} hosts allocated and prepared ({_SLOW_S:g} s of work on each) : 1 host",
        statistics.median(ratios[slow]),
        "",
        _SIDE_BY_SIDE_LIMIT,
    )
    yield Figure(
        f"{_HOSTS} hosts allocated and prepared (nothing to do) : 1 host", statistics.median(ratios[_PREPARE]), "", note=note
    )


def _ready_s(lab: Lab, project: Path) -> float:
    """Return the seconds from the first request for a machine to the end of the last preparation."""
    output = lab.directory / "events"
    lab.run(project, "--json", output=output)
    events = [msgspec.json.decode(line, type=_Event) for line in output.read_bytes().splitlines()]
    asked = [event.at for event in events if event.event == "machine-requested"]
    prepared = [event.at for event in events if (event.event, event.verb, event.level) == ("step-finished", "prepare", "project")]
    if len(asked) != len(prepared):
        raise SystemExit(f"{project} asked for {len(asked)} hosts, and prepared {len(prepared)}")
    return max(prepared) - min(asked)


# --- yardsticks -----------------------------------------------------------------------------------------------------


def _spawn_ms() -> float:
    return median_ms(spawn_bash, runs=50)


def _zstd_s_per_gib() -> float:
    data = b"".join(b"%d of many lines, with some text that is the same\n" % number for number in range(700_000))
    packer = zstandard.ZstdCompressor(level=1)
    taken = statistics.median(seconds_of(lambda: packer.compress(data)) for _ in range(3))
    return taken * 2**30 / len(data)
