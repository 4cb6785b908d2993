"""Runs on machines of their own that are stopped, in every phase: by Ctrl-C, by SIGTERM, by both."""

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.faults.phases import PHASES, Lingering, arguments

NewSite = Callable[..., Any]
SideBySide = Callable[..., None]

AT_ONCE_S = 8.0


@pytest.mark.parametrize(("program", "number", "code"), [("outspread", signal.SIGTERM, 130), ("spread", signal.SIGINT, 1)])
def test_a_signal_gives_machines_back_at_once(
    new_site: NewSite, side_by_side: SideBySide, program: str, number: int, code: int
) -> None:
    def stop_in(phase: str) -> None:
        site = new_site(phase)
        with Lingering(site, phase) as lingering:
            with site.project.start(*arguments(program, site)) as process:
                lingering.reach(process)
                began = time.monotonic()
                process.send_signal(number)
                if phase == "discarding":  # it is being given back already: that is waited for
                    lingering.let_go()
                    (site.here / "go").touch()
                out, err = process.communicate(timeout=30)
            assert time.monotonic() - began < AT_ONCE_S
            assert process.returncode == code, (out, err)
            assert err.strip().startswith("interrupted")
            assert "Traceback" not in err
            assert site.lab.taken() == []
        site.check()
        if phase != "packing":
            assert sum(site.finals().values()) == 1
            assert site.project.run("outspread", "discard", "--orphans").err == "nothing to discard\n"

    side_by_side(stop_in, PHASES)


@pytest.mark.parametrize("program", ["outspread", "spread"])
def test_the_second_signal_does_not_wait(new_site: NewSite, side_by_side: SideBySide, program: str) -> None:
    """It ends what the first one waits for: a discard script that takes long."""

    def stop_in(phase: str) -> None:
        site = new_site(phase)
        with Lingering(site, phase) as lingering:
            with site.project.start(*arguments(program, site)) as process:
                lingering.reach(process)
                (site.here / "hold").touch()
                process.send_signal(signal.SIGINT)
                if phase != "packing":
                    assert process.stderr is not None
                    assert process.stderr.readline().startswith("interrupted: ")
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=30)
            assert time.monotonic() - began < 2
            assert process.returncode in ((143,) if phase != "packing" else (1, 130)), (out, err)
            lingering.let_go()
            assert site.project.run("outspread", "discard", "--orphans").code == 0
            assert site.lab.taken() == site.lab.notes() == []
        site.check()

    phases = PHASES[::2] if program == "outspread" else PHASES[1::2]
    side_by_side(stop_in, phases)
