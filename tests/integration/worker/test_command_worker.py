"""A worker of command jobs with real processes, and a controller of the tests'."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from outspread.controller.command_values import CommandJob, StopReason
from outspread.controller.values import Outcome

Do = Callable[..., Any]


def shell(name: str, script: str, **fields: Any) -> CommandJob:
    return CommandJob(name, ("sh", "-c", script), **fields)


def test_commands_end_as_they_end(do_jobs: Do) -> None:
    controller = do_jobs(
        [
            shell("passes", "echo out; echo err >&2"),
            shell("fails", "exit 3"),
            shell("dies", "kill -9 $$"),
            shell("late", "echo soon; sleep 60", timeout_s=0.2, grace_s=0.2),
            CommandJob("absent", ("no-such-program",)),
            CommandJob("no program", ("/etc/passwd",)),
            CommandJob("nothing", ()),
            CommandJob("no text", ("echo", "a\0b")),
            CommandJob("no name", ("true",), environment={"A=B": "C"}),
        ]
    )
    ends = controller.ends
    assert (ends["passes"].outcome, ends["passes"].exit_code) == (Outcome.PASSED, 0)
    assert controller.log("passes") == b"out\nerr\n"
    assert (ends["fails"].outcome, ends["fails"].exit_code, ends["fails"].reason) == (Outcome.FAILED, 3, "exit code 3")
    assert (ends["dies"].outcome, ends["dies"].signal, ends["dies"].reason) == (Outcome.FAILED, 9, "killed by signal 9")
    assert (ends["late"].outcome, ends["late"].reason) == (Outcome.TIMEOUT, "timeout of 0.2 s reached")
    assert 0.2 <= ends["late"].run_s < 1
    assert controller.log("late") == b"soon\n"
    assert (ends["absent"].outcome, ends["absent"].exit_code) == (Outcome.FAILED, 127)
    assert ends["absent"].reason == "cannot start 'no-such-program': No such file or directory"
    assert {ends[name].exit_code for name in ("nothing", "no text", "no name")} == {126}
    assert (ends["no program"].outcome, ends["no program"].exit_code) == (Outcome.FAILED, 126)


def test_a_command_sees_an_empty_directory_its_environment_and_no_input(do_jobs: Do) -> None:
    script = 'ls -A; cat; echo "$GIVEN $OUTSPREAD_RUN $OUTSPREAD_JOB $OUTSPREAD_ATTEMPT"; ps -o pid=,sid= $$ | xargs'
    controller = do_jobs([shell("j", script, environment={"GIVEN": "ä"})])
    first, second = controller.log("j").decode().splitlines()
    assert first == "ä run j run.1.1"
    pid, session = second.split()
    assert pid == session


def test_many_short_jobs_come_through_whole(do_jobs: Do) -> None:
    jobs = [CommandJob(f"j{n}", ("echo", str(n))) for n in range(300)]
    controller = do_jobs(jobs)
    assert all(end.outcome is Outcome.PASSED for end in controller.ends.values())
    assert all(controller.log(f"j{n}") == b"%d\n" % n for n in range(300))


def test_a_long_command_does_not_keep_what_waits_behind_it(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        controller.ahead = 8
        async with running(controller):
            controller.submit(*(CommandJob(f"warm{n}", ("true",)) for n in range(50)))
            await until(lambda: len(controller.ends) == 50)
            controller.submit(CommandJob("long", ("sleep", "30")), *(CommandJob(f"j{n}", ("true",)) for n in range(7)))
            await until(lambda: len(controller.ends) == 57, within_s=5)
            assert "long" not in controller.ends

    asyncio.run(main())


def test_cancelled_commands_are_ended_and_reported(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        async with running(controller):
            controller.submit(shell("gentle", "trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.01; done"))
            await until(lambda: "gentle" in controller.begun)
            controller.watched.add("gentle")
            controller.poke()
            await until(lambda: controller.log("gentle"))
            controller.stop("gentle", StopReason.CANCELLED)
            await until(lambda: "gentle" in controller.ends)
        assert controller.ends["gentle"].outcome is Outcome.CANCELLED
        assert controller.log("gentle").startswith(b"on\n")  # the shell may tell of its sleep, too
        assert controller.log("gentle").endswith(b"bye\n")

    asyncio.run(main())


def test_lost_attempts_are_killed_without_a_word(running: Do, until: Do, new_controller: Do, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def main() -> None:
        controller = new_controller()
        async with running(controller):
            controller.submit(shell("lost", f"echo $$ >{pid_file}; exec sleep 60"))
            await until(lambda: "lost" in controller.begun)
            pid = int(pid_file.read_text())
            controller.stop("lost", StopReason.LOST)
            await until(lambda: not Path(f"/proc/{pid}").exists())
            controller.submit(CommandJob("next", ("true",)))
            await until(lambda: "next" in controller.ends)
        assert "lost" not in controller.ends
        assert controller.refused == []

    asyncio.run(main())


def test_nothing_is_lost_when_answers_are(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        async with running(controller):
            controller.submit(shell("j", "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.05; done"))
            await until(lambda: "j" in controller.begun)
            controller.answers_lost = 3
            controller.watched.add("j")
            controller.poke()
            await until(lambda: "j" in controller.ends)
        assert controller.log("j") == b"1\n2\n3\n4\n5\n6\n7\n8\n"
        assert controller.answers_lost == 0

    asyncio.run(main())


def test_what_somebody_reads_is_told_at_once(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        async with running(controller):
            controller.submit(shell("j", "sleep 0.1; echo one; read _ </dev/null; sleep 30"))
            controller.watched.add("j")
            await until(lambda: controller.log("j") == b"one\n", within_s=1.0)

    asyncio.run(main())


def test_draining_finishes_what_has_begun_and_gives_back_the_rest(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        controller.ahead = 2
        async with running(controller, slots=1) as worker:
            controller.submit(shell("begun", "sleep 0.5"), CommandJob("waits", ("true",)), CommandJob("waits too", ("true",)))
            await until(lambda: "begun" in controller.begun)
            worker.drain()
            await until(lambda: controller.calls[-1].leaving)
        assert controller.ends["begun"].outcome is Outcome.PASSED
        assert sorted(controller.returned) == ["waits", "waits too"]

    asyncio.run(main())


def test_a_second_drain_gives_back_all(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        async with running(controller, slots=1) as worker:
            controller.submit(CommandJob("begun", ("sleep", "60")))
            await until(lambda: "begun" in controller.begun)
            worker.drain()
            worker.drain()
            await until(lambda: controller.calls[-1].leaving, within_s=5)
        assert controller.ends == {}
        assert controller.returned == ["begun"]

    asyncio.run(main())


def test_a_cut_off_worker_stops_at_the_end_of_its_lease(running: Do, until: Do, new_controller: Do, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def main() -> None:
        controller = new_controller()
        async with running(controller, lease_s=1.0, renew_s=0.3):
            controller.submit(shell("j", f"echo $$ >{pid_file}; exec sleep 60"))
            await until(lambda: "j" in controller.begun)
            pid = int(pid_file.read_text())
            controller.reachable = False
            controller.poke()
            await until(lambda: not Path(f"/proc/{pid}").exists(), within_s=3)
            controller.stop("j", StopReason.LOST)
            controller.reachable = True
            await until(lambda: controller.refused, within_s=10)
        assert controller.ends == {}

    asyncio.run(main())


def test_leases_are_renewed_while_a_command_runs(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        async with running(controller, lease_s=0.6, renew_s=0.2):
            controller.submit(CommandJob("j", ("sleep", "1.5")))
            await until(lambda: "j" in controller.ends)
        assert controller.ends["j"].outcome is Outcome.PASSED

    asyncio.run(main())
