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
    """Whatever its phase, by whichever of the two commands comes first: in each phase that is another one for each program."""

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
            commands = [command, ORPHANS] if command else [ORPHANS]
            is_odd = bool(PHASES.index(phase) % 2)
            for number, words in enumerate(commands if is_odd == (program == "spread") else commands[::-1]):
                ended = site.project.run(*words)
                assert ended.code == 0, (words, ended)
                # Spread's file, which its command goes by, has only machines with an address
                if number or words == ORPHANS or phase != "allocating":
                    assert site.lab.taken() == site.lab.notes() == [], words
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
