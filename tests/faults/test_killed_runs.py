"""A run that is killed (SIGKILL) in any phase: nothing runs on, and every machine is found by the command that it printed."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.faults.phases import PHASES, Lingering, arguments
from tests.faults.site import discard_command, wait_for

NewSite = Callable[..., Any]
SideBySide = Callable[..., None]

ORPHANS = ["outspread", "discard", "--orphans"]


@pytest.mark.parametrize("program", ["outspread", "spread"])
def test_every_machine_of_a_killed_run_is_given_back(new_site: NewSite, side_by_side: SideBySide, program: str) -> None:
    """Whatever its phase, by the command that it printed or as an orphan: in each phase one for each program."""

    def kill_in(phase: str) -> None:
        site = new_site(f"{program}-{phase}")
        with Lingering(site, phase) as lingering:
            with site.project.start(*arguments(program, site)) as process:
                lingering.reach(process)
                process.kill()
                printed, _ = process.communicate(timeout=20)
            wait_for(lambda: not site.processes_here(), "an end of all processes here", within_s=5)
            lingering.let_go()
            assert len(site.lab.taken()) == (phase != "packing")

            command = discard_command(printed)
            assert bool(command) == (phase != "packing")
            by_command = command and (PHASES.index(phase) + (program == "spread")) % 2
            if program == "spread" and phase == "allocating":  # Spread's file has only machines with an address
                assert site.project.run(*command).code == 0
                by_command = False
            ended = site.project.run(*(command if by_command else ORPHANS))
            assert ended.code == 0, ended
            assert site.lab.taken() == site.lab.notes() == []
            assert phase == "packing" or site.machines_left() == []
        site.check()

    side_by_side(kill_in, PHASES)


def test_a_kept_machine_of_a_killed_run_can_be_used_again(new_site: NewSite) -> None:
    site = new_site("kept")
    with Lingering(site, "executing") as lingering, site.project.start("spread", "-reuse") as process:
        lingering.reach(process)
        process.kill()
        process.communicate(timeout=20)
    site.project.task("one", "execute: 'true'\n")
    began = time.monotonic()
    ended = site.project.run("spread", "-reuse", "-resend")
    assert (ended.code, ended.err) == (0, ""), ended
    assert "Reusing lab:debian-12..." in ended.out
    assert "Waiting for another process" not in ended.out
    assert time.monotonic() - began < 10
    assert site.project.run("spread", "-reuse", "-discard").code == 0
    assert (site.project.root / ".spread-reuse.yaml").read_text() == "backends: {}\n"
    site.check(notes=[".spread-reuse.yaml"])
    (site.project.root / ".spread-reuse.yaml").unlink()
