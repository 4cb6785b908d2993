"""Commands that misbehave, and machines that do, on a worker with a controller of the tests'."""

import asyncio
import contextlib
import os
import random
import resource
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outspread.controller.command_values import CommandJob, Isolation
from outspread.controller.values import Outcome
from outspread.worker.commands.executor import log_capture
from outspread.worker.commands.executor.command_hold import CommandHold
from outspread.worker.commands.executor.descendants import descendants
from outspread.worker.commands.executor.slot_group import SlotGroup
from outspread.worker.commands.output_collection import OutputLimits, collect_outputs
from outspread.worker.commands.output_globs import OutputGlobs
from outspread.worker.commands.worker_health import HealthLimits

Do = Callable[..., Any]
GROUPS = Path("/sys/fs/cgroup")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and control groups take root")


def shell(name: str, script: str, **fields: Any) -> CommandJob:
    return CommandJob(name, ("bash", "-c", script), **fields)


def nap(seconds: int) -> str:
    """Return a time for ``sleep`` that no other session of tests sleeps, by which its process is known."""
    return f"{seconds}.0{os.getpid()}"


def marked(mark: str) -> list[str]:
    """Return the processes that have a mark in their command line, but not those that merely wait to be collected."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
    return found


# --- F2 ---


def test_a_killed_command_is_told_by_its_signal(running: Do, until: Do, new_controller: Do) -> None:
    async def main() -> None:
        controller = new_controller()
        async with running(controller):
            controller.submit(CommandJob("j", ("sleep", nap(61))))
            await until(lambda: marked(nap(61)))
            os.kill(int(marked(nap(61))[0]), 9)
            await until(lambda: "j" in controller.ends)
        end = controller.ends["j"]
        assert (end.outcome, end.signal, end.reason) == (Outcome.FAILED, 9, "killed by signal 9")

    asyncio.run(main())


# --- F26, F29 ---

MEMORY_HOG = ("python3", "-c", "block = b'x' * (1 << 28); print(len(block))")
FORK_BOMB = "f() { f | f & }; f; sleep " + nap(97)


@needs_root
def test_want_of_memory_ends_that_command_alone_and_is_told(do_jobs: Do) -> None:
    jobs = [
        CommandJob("greedy", MEMORY_HOG, memory_bytes=64 * 1024**2),
        CommandJob("greedy child", ("bash", "-c", shlex.join(MEMORY_HOG) + "; exit 3"), memory_bytes=64 * 1024**2),
        CommandJob("greedy in a sandbox", MEMORY_HOG, memory_bytes=64 * 1024**2, isolation=Isolation.SANDBOX),
        CommandJob("not limited", MEMORY_HOG),
        shell("killed", "kill -9 $$", memory_bytes=64 * 1024**2),
        CommandJob("modest", ("true",), memory_bytes=64 * 1024**2),
    ]
    controller = do_jobs(jobs, slots=1)
    for name in ("greedy", "greedy child", "greedy in a sandbox"):
        assert (controller.ends[name].outcome, controller.ends[name].reason) == (
            Outcome.FAILED,
            "out of memory: limit of 64.0 MiB reached",
        )
    assert controller.ends["killed"].reason == "killed by signal 9"
    assert {controller.ends[name].outcome for name in ("not limited", "modest")} == {Outcome.PASSED}


@needs_root
def test_a_fork_bomb_meets_a_limit_and_nothing_of_it_is_left(do_jobs: Do) -> None:
    jobs = [
        shell("bomb", FORK_BOMB, processes=200, timeout_s=1.0, grace_s=0.2),
        shell("bomb that leaves", "f() { f | f & }; f; sleep 0.2", processes=200),
        shell("after it", "for n in $(seq 50); do sleep 0.1 & done; wait", processes=200),
    ]
    controller = do_jobs(jobs, slots=1, within_s=60)
    assert controller.ends["bomb"].outcome in {Outcome.FAILED, Outcome.TIMEOUT}
    left = controller.ends["bomb that leaves"]
    assert (left.outcome, left.reason) == (Outcome.FAILED, "process limit of 200 reached")
    assert controller.ends["after it"].outcome is Outcome.PASSED
    assert marked(nap(97)) == []
    assert marked(FORK_BOMB) == []


def test_a_command_that_writes_too_much_is_ended(do_jobs: Do) -> None:
    jobs = [
        shell("one file", "head -c 9000000 /dev/zero > large", disk_bytes=4 * 1024**2),
        shell("many files", "for n in $(seq 8); do head -c 1000000 /dev/zero > $n; done; sleep 60", disk_bytes=4 * 1024**2),
        shell("modest", "head -c 1000000 /dev/zero > some", disk_bytes=4 * 1024**2),
    ]
    controller = do_jobs(jobs, slots=3)
    for name in ("one file", "many files"):
        assert (controller.ends[name].outcome, controller.ends[name].reason) == (
            Outcome.FAILED,
            "disk limit of 4.0 MiB reached",
        )
    assert controller.ends["modest"].outcome is Outcome.PASSED


def test_without_control_groups_each_process_is_limited() -> None:
    hold = CommandHold(SlotGroup({}))
    hold.begin(1024**3, 0, 4 * 1024**2)
    own = resource.getrlimit(resource.RLIMIT_FSIZE)
    with hold.spawning():
        process = subprocess.Popen(["sleep", "60"])
    with process:
        hold.spawned(process.pid)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        process.kill()
    found = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert (found["Max address space"], found["Max file size"]) == (str(1024**3), str(4 * 1024**2))
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == own


# --- F20 ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@needs_root
def test_a_full_disk_is_no_verdict_and_holds_the_worker_until_there_is_room(
    running: Do, until: Do, new_controller: Do, small_disk: Path
) -> None:
    async def main() -> None:
        controller = new_controller()
        async with running(controller, health=HealthLimits(disk_free_bytes=1024**2), directory=small_disk / "work"):
            controller.submit(shell("fills", f"dd if=/dev/zero of={small_disk}/fill bs=1M"))
            await until(lambda: "fills" in controller.ends)
            assert controller.ends["fills"].outcome is Outcome.INFRA
            assert "too little disk space" in controller.ends["fills"].reason
            await until(lambda: "too little disk space" in controller.health_seen[-1])
            controller.submit(CommandJob("waits", ("true",)))
            (small_disk / "fill").unlink()
            await until(lambda: "waits" in controller.ends)
            assert controller.health_seen[-1] == ""
            assert controller.ends["waits"].outcome is Outcome.PASSED

    asyncio.run(main())


# --- F21, F22 ---


def test_a_flood_is_kept_at_both_ends_in_little_memory(running: Do, until: Do, new_controller: Do) -> None:
    flood_bytes = 1024**3

    async def main() -> None:
        controller = new_controller()
        async with running(controller, slots=1):
            controller.submit(shell("j", f"echo begin; head -c {flood_bytes} /dev/zero; echo end"))
            most_kb = 0

            def look() -> bool:
                nonlocal most_kb
                for pid in set(map(int, marked("commands.executor.supervisor"))).intersection(descendants(os.getpid())):
                    with contextlib.suppress(OSError):
                        _, _, resident = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")
                        most_kb = max(most_kb, int(resident.split()[0]) if resident else 0)  # what has ended has none
                return "j" in controller.ends

            await until(look, within_s=60)
        kept = log_capture.HEAD_BYTES + log_capture.TAIL_BYTES
        log = controller.log("j")
        assert len(log) == kept
        assert controller.skipped["j"] == len(b"begin\n") + flood_bytes + len(b"end\n") - kept
        assert log.startswith(b"begin\n\0")
        assert log.endswith(b"\0end\n")
        assert 1024 < most_kb < 64 * 1024

    asyncio.run(main())


def test_output_is_kept_byte_for_byte(do_jobs: Do, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    content = bytes(range(256)) + b"\xff\xfe\x1b[2J\x1b]0;x\x07" + random.Random(seed).randbytes(300_000)
    file = tmp_path / "content"
    file.write_bytes(content)
    controller = do_jobs([CommandJob("j", ("cat", str(file)))])
    assert controller.log("j") == content


# --- F27 ---

ORPHANS = {
    "session": "setsid sleep {mark} &",
    "daemon": "(setsid bash -c '(sleep {mark} &)' &)",
    "nohup": "nohup sleep {mark} >/dev/null 2>&1 & disown",
    "holds the pipe": "bash -c 'trap \"\" HUP TERM; sleep {mark}' & disown",
    "stopped": "sleep {mark} & kill -STOP $!",
}


def test_nothing_of_a_command_goes_on_after_it(do_jobs: Do) -> None:
    marks = {name: nap(70 + number) for number, name in enumerate(ORPHANS)}
    jobs = [shell(name, f"{script.format(mark=marks[name])}\necho done") for name, script in ORPHANS.items()]
    controller = do_jobs(jobs, slots=len(jobs), within_s=5)
    for name in ORPHANS:
        end = controller.ends[name]
        assert (end.outcome, end.exit_code) == (Outcome.PASSED, 0)
        assert "left behind had to be killed" in end.remark
        assert controller.log(name) == b"done\n"
        assert end.run_s < 1
    assert [mark for mark in marks.values() if marked(mark)] == []


# --- F28 ---


def test_commands_that_will_not_end_are_killed(do_jobs: Do) -> None:
    deaf, stopped, both, forking = marks = [nap(81), nap(82), nap(83), nap(84)]
    jobs = [
        shell("deaf", f"trap '' TERM; sleep {deaf}; sleep {deaf}", timeout_s=0.2, grace_s=0.3),
        shell("stops itself", f"kill -STOP $$; sleep {stopped}", timeout_s=0.2, grace_s=0.3),
        shell("stops itself, deaf", f"trap '' TERM; kill -STOP $$; sleep {both}", timeout_s=0.2, grace_s=0.3),
        shell("forks on", "trap '' TERM; f() { sleep 0.02; f & }; f; sleep " + forking, timeout_s=0.2, grace_s=0.3),
    ]
    controller = do_jobs(jobs, slots=4, within_s=8)
    assert {end.outcome for end in controller.ends.values()} == {Outcome.TIMEOUT}
    assert [mark for mark in marks if marked(mark)] == []


@needs_root
def test_a_process_that_cannot_be_killed_is_told_and_holds_the_worker(running: Do, until: Do, new_controller: Do) -> None:
    freezer = GROUPS / "freezer"
    if not (freezer / "tasks").exists():
        pytest.skip("only control groups of version 1 can keep a process from being killed")
    group = freezer / f"outspread-test-{os.getpid()}"
    group.mkdir()

    async def main() -> None:
        controller = new_controller()
        async with running(controller, slots=1):
            controller.submit(CommandJob("j", ("sleep", nap(91)), timeout_s=1.0, grace_s=0.1))
            await until(lambda: marked(nap(91)))
            (group / "cgroup.procs").write_text(marked(nap(91))[0])
            (group / "freezer.state").write_text("FROZEN")
            await until(lambda: "j" in controller.ends)
            assert "was killed and is in uninterruptible sleep" in controller.ends["j"].remark
            await until(lambda: "cannot be ended" in controller.health_seen[-1])
            (group / "freezer.state").write_text("THAWED")
            controller.submit(CommandJob("next", ("true",)))
            await until(lambda: "next" in controller.ends)
            assert controller.health_seen[-1] == ""

    try:
        asyncio.run(main())
    finally:
        (group / "freezer.state").write_text("THAWED")
        group.rmdir()


# --- F33 ---


def test_outputs_never_come_from_elsewhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    tree = tmp_path / "tree"
    (tree / "kept").mkdir(parents=True)
    (tree / "kept/own").write_text("own")
    (tree / "to file").symlink_to(secret / "key")
    (tree / "to directory").symlink_to(secret)
    (tree / "up").symlink_to("../secret")
    (tree / "root").symlink_to("/proc/self/root")
    os.mkfifo(tree / "fifo")
    collected = collect_outputs(tree, OutputGlobs.parse(["**", "root/**", "up/*"]), tmp_path / "into", OutputLimits())
    assert collected.files == 1
    assert sorted(path.name for path in (tmp_path / "into").rglob("*")) == ["OUTPUTS-LEFT-OUT.txt", "kept", "own"]


def test_a_link_that_is_swapped_in_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    for name in ("key", "own"):
        (secret / name).write_text("secret")
    tree = tmp_path / "tree"
    (tree / "place").mkdir(parents=True)
    (tree / "place/own").write_text("own")
    (tree / "file").write_text("own")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for name, target in (("place", secret), ("file", secret / "key")):
                (tree / name).rename(tree / f".{name}")
                (tree / name).symlink_to(target)
                (tree / name).unlink()
                (tree / f".{name}").rename(tree / name)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for number in range(300):
            into = tmp_path / f"into{number}"
            collect_outputs(tree, OutputGlobs.parse(["place/*", "file"]), into, OutputLimits())
            assert "secret" not in {path.read_text() for path in into.rglob("*") if path.is_file()}
    finally:
        over.set()
        swapping.join()
