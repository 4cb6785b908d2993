"""Containers of LXD: from a command to the first line of a job's output, beside ``lxc launch`` and a login by hand."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lxd.daemon import IMAGE_WITH_PYTHON, LxdDaemon, why_no_lxd

from bench.first_lines import make_marking_project, seconds_side_by_side, seconds_to_first_lines
from bench.report import Figure

ROUNDS = 3
ROUNDS_OF_EIGHT = 3
MOST_OF_BY_HAND = 1.5
MOST_OF_EIGHT_BY_HAND = 1.3
EIGHT = 8

# What somebody types who wants to log in over SSH.
_BY_HAND = """set -eu
lxc launch -q "$1" "$2"
lxc exec "$2" -- sh -c 'mkdir -p -m 700 /root/.ssh; cat > /root/.ssh/authorized_keys' < "$3.pub"
until address=$(lxc list --format=csv -c 4 "$2" | cut -d ' ' -f 1) && [ -n "$address" ]; do sleep 0.1; done
until ssh -q -i "$3" -o BatchMode=yes -o ConnectTimeout=1 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \\
    "root@$address" true; do
    sleep 0.1
done
"""


def containers(bin_dir: Path) -> Iterator[Figure]:
    if reason := why_no_lxd():
        sys.stdout.write(f"  not measured: {reason}\n")
        return
    with tempfile.TemporaryDirectory() as scratch, LxdDaemon() as daemon:
        base = Path(scratch)
        key = base / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        _by_hand(daemon, key, 1)  # the first one of an image pays for its unpacking
        environment = {**daemon.environment, "OUTSPREAD_STATE": str(base / "state")}
        for count, rounds, most in ((1, ROUNDS, MOST_OF_BY_HAND), (EIGHT, ROUNDS_OF_EIGHT, MOST_OF_EIGHT_BY_HAND)):
            system = f"systems:\n    - debian-12:\n        image: local:{IMAGE_WITH_PYTHON}\n        workers: {count}"
            project = make_marking_project(base / f"of-{count}", "lxd", system, machines=count)
            hand, ours = [], []
            for _ in range(rounds):  # in turn, so that what else the host does weighs on both
                hand.append(_by_hand(daemon, key, count))
                ours.append(seconds_to_first_lines(bin_dir, project, environment, jobs=count))
            by_hand = statistics.median(hand)
            what = "a container" if count == 1 else "eight containers side by side"
            yield Figure(f"lxd: {what} by hand, launch to the first login", by_hand, "s")
            lines = "the first line of a job's output" if count == 1 else "a line of each of eight jobs"
            ratio = statistics.median(ours) / by_hand
            yield Figure(f"lxd: process start to {lines}, by that", ratio, "times", most, f"{statistics.median(ours):.2f} s")


def _by_hand(daemon: LxdDaemon, key: Path, count: int) -> float:
    names = [f"by-hand-{time.monotonic_ns():x}-{number}" for number in range(count)]

    def launch(number: int) -> None:
        daemon.inside("bash", "-c", _BY_HAND, "bash", IMAGE_WITH_PYTHON, names[number], str(key))

    try:
        return seconds_side_by_side(launch, count)
    finally:
        seconds_side_by_side(lambda number: daemon.delete(names[number]), count)
