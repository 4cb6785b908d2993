"""Whole runs over SSH beside Spread's: what a job costs, what a run costs, how content gets to machines, many machines at once.

What Spread would take here follows from yardsticks, which are taken before and after each round: a machine that is busy with
other things is so for both. Of all rounds the one with the middle ratio is shown.
"""

import hashlib
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from tests.hosts.host import why_no_hosts

from bench.lab import Lab, open_lab
from bench.peers import LARGE_CONTENT, MANY_FILES, ONE_TASK, SLOPE, SLOPE_OF_FOUR, PeerFigure
from bench.report import Figure
from bench.timing import ProcessCost, seconds_of, spawn_bash

_HOSTS = 8
_SLOPES, _SINGLES, _CONTENTS, _SIDE_BY_SIDE = 5, 7, 3, 3
_SPAWNS = 100
_FEW, _MANY = 20, 200
_SLOPE_SHARE = 0.6
_OVER_SPREAD_S = 0.25
_LARGE_SHARE = 0.25
_SIDE_BY_SIDE_LIMIT = 1.5
#: What there is to do on a host before its first task: nothing, or as much as an image or a package manager would at the least.
_PREPARES = ("'true'", "sleep 1")
#: Long enough for no host to take the task of one that is still being prepared.
_TASK = "sleep 0.7"


class _Round(NamedTuple):
    """Something that a run took, beside what Spread would have taken at that time."""

    taken: float
    spread: float
    yard: float
    cost: ProcessCost  # of the run


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
        yield from _slope(lab, 1, SLOPE)
        yield from _slope(lab, 4, SLOPE_OF_FOUR)
        yield from _content(lab)
        yield from _side_by_side(lab)


def _middle(
    peer: PeerFigure, yardstick: Callable[[], float], measure: Callable[[], tuple[float, ProcessCost]], *, rounds: int
) -> _Round:
    """Return the round with the middle ratio to Spread."""
    found = []
    before = yardstick()
    for _ in range(rounds):
        taken, cost = measure()
        after = yardstick()
        yard = (before + after) / 2
        found.append(_Round(taken, peer.scaled(yard), yard, cost))
        before = after
    return sorted(found, key=lambda round_: round_.taken / round_.spread)[rounds // 2]


# --- what a run costs, and each job more ----------------------------------------------------------------------------


def _one_task(lab: Lab) -> Iterator[Figure]:
    one = lab.project("one", tasks=1)
    lab.run(one)

    def measure() -> tuple[float, ProcessCost]:
        cost = lab.run(one)
        return cost.wall_s, cost

    middle = _middle(ONE_TASK, _spawn_ms, measure, rounds=_SINGLES)
    bound = middle.spread + _OVER_SPREAD_S
    name = "one task on 1 host: whole run"
    yield Figure(name, middle.taken, "s", bound, f"{ONE_TASK.source(middle.yard)}; + {_OVER_SPREAD_S:g}")
    yield Figure(f"{name}: CPU", middle.cost.cpu_s, "s", note="of our process")


def _slope(lab: Lab, hosts: int, peer: PeerFigure) -> Iterator[Figure]:
    few = lab.project(f"few-{hosts}", tasks=_FEW, workers=hosts)
    many = lab.project(f"many-{hosts}", tasks=_MANY, workers=hosts)
    lab.run(few)
    cpus = []

    def measure() -> tuple[float, ProcessCost]:
        short, long = lab.run(few), lab.run(many)
        cpus.append((long.cpu_s - short.cpu_s) / (_MANY - _FEW) * 1000)
        return (long.wall_s - short.wall_s) / (_MANY - _FEW) * 1000, long

    middle = _middle(peer, lab.exec_ms, measure, rounds=_SLOPES)
    name = f"a trivial job on {hosts} host{'s' * (hosts > 1)}, (T200 - T20) / 180"
    note = f"{_SLOPE_SHARE:g} of {peer.source(middle.yard)}"
    yield Figure(name, middle.taken, "ms", _SLOPE_SHARE * middle.spread, note)
    yield Figure(f"{name}: CPU", statistics.median(cpus), "ms", note="of our process")


# --- content --------------------------------------------------------------------------------------------------------


def _content(lab: Lab) -> Iterator[Figure]:
    empty = lab.project("empty", tasks=1)
    large, small = lab.project("large", tasks=1), lab.project("small", tasks=1)
    for number in range(20):
        (large / f"file{number}").write_bytes(os.urandom(10_000_000))
    for number in range(20_000):
        directory = small / f"d{number // 100}"
        directory.mkdir(exist_ok=True)
        (directory / f"file{number}").write_bytes(os.urandom(250).hex().encode())

    def more_than_empty(project: Path) -> tuple[float, ProcessCost]:
        without, cost = lab.run(empty), lab.run(project)
        return cost.wall_s - without.wall_s, cost

    for name, project, peer, share, yardstick in (
        ("200 MB of random content", large, LARGE_CONTENT, _LARGE_SHARE, _sha256_s_per_gib),
        ("20,000 files of 500 bytes", small, MANY_FILES, 1.0, _spawn_ms),
    ):
        middle = _middle(peer, yardstick, lambda project=project: more_than_empty(project), rounds=_CONTENTS)  # type: ignore[misc]
        note = f"{share:g} of {peer.source(middle.yard)}"
        yield Figure(f"{name}: packed, sent, unpacked", middle.taken, "s", share * middle.spread, note)
        yield Figure(f"{name}: whole run of one task", middle.cost.wall_s, "s")


# --- many machines --------------------------------------------------------------------------------------------------


def _side_by_side(lab: Lab) -> Iterator[Figure]:
    quick, slow = ({count: _prepared(lab, script, count) for count in (1, _HOSTS)} for script in _PREPARES)
    by_hand, quick_ratios, slow_ratios = [], [], []
    for _ in range(_SIDE_BY_SIDE):
        by_hand.append(lab.log_in_s(_HOSTS) / lab.log_in_s(1))
        quick_ratios.append(_ready_s(lab, quick[_HOSTS]) / _ready_s(lab, quick[1]))
        slow_ratios.append(_ready_s(lab, slow[_HOSTS]) / _ready_s(lab, slow[1]))
    what = f"{_HOSTS} hosts beside each other, allocated and prepared : 1"
    yield Figure(what, statistics.median(slow_ratios), "", _SIDE_BY_SIDE_LIMIT, "1 s of work for the hosts each")
    note = f"no work for the hosts: {os.cpu_count()} processors are the limit; log-ins alone, by hand"
    yield Figure(what, statistics.median(quick_ratios), "", note=f"{note}: {statistics.median(by_hand):.2f}")


def _prepared(lab: Lab, script: str, count: int) -> Path:
    name = f"prepare-{_PREPARES.index(script)}-{count}"
    return lab.project(name, tasks=count, workers=count, execute=_TASK, more=f"prepare: {script}\n")


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
    return statistics.mean(spawn_bash() for _ in range(_SPAWNS)) * 1000


def _sha256_s_per_gib() -> float:
    data = bytes(64 * 2**20)
    return statistics.mean(seconds_of(lambda: hashlib.sha256(data)) for _ in range(3)) * 2**30 / len(data)
