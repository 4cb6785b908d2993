import os
import signal
import subprocess

import pytest

from outspread.controller import process_mark
from outspread.controller.process_mark import is_alive, own_mark


def test_this_process_is_alive() -> None:
    assert is_alive(own_mark())


@pytest.mark.parametrize(
    ("place", "alive"),
    [(0, False), (1, True), (2, False), (3, False)],
    ids=["another boot", "another namespace: nobody can tell", "another number", "the number given anew"],
)
def test_what_differs_in_the_mark(place: int, alive: bool) -> None:
    parts = own_mark().split(" ")
    parts[place] = "4194303999" if place > 1 else "other"
    assert is_alive(" ".join(parts)) is alive


@pytest.mark.parametrize("mark", ["", "x", "x y z"])
def test_nonsense_is_not_alive(mark: str) -> None:
    assert not is_alive(mark)


def test_a_corpse_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        start = process_mark._start_time(process.pid)
        mark = " ".join([*own_mark().split(" ")[:2], str(process.pid), start])
        assert is_alive(mark)
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet buried
        assert not is_alive(mark)
