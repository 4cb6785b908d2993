"""What every Shell promises."""

import asyncio
import io
import os
import tarfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from outspread.errors import ConnectionLostError, OutspreadError, UserError
from outspread.machines.contract import ScriptEnd, Shell

OpenShell = Callable[[], AbstractAsyncContextManager[Shell]]
Within = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


async def out(shell: Shell, script: str | bytes, *, kill_after_s: float = 30) -> tuple[ScriptEnd, bytes]:
    pieces: list[bytes] = []
    script = script.encode() if isinstance(script, str) else script
    end = await shell.run(script, output=pieces.append, kill_after_s=kill_after_s)
    return end, b"".join(pieces)


async def lives(shell: Shell, pid: bytes) -> bool:
    end, _ = await out(shell, b"kill -0 " + pid)
    return end.passed


def with_shell(open_shell: OpenShell, body: Callable[[Shell], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with open_shell() as shell:
            await body(shell)

    asyncio.run(main())


# --- scripts --------------------------------------------------------------------------------------------------------


def test_output_is_exact_and_merged(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        end, said = await out(shell, r"printf 'a\000\377\r\n'; printf 'b\n' >&2; printf '\033[1mc'")
        assert (end, said) == (ScriptEnd(exit_code=0), b"a\0\xff\r\nb\n\x1b[1mc")

    with_shell(open_shell, body)


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("true", ScriptEnd(exit_code=0)),
        ("exit 213", ScriptEnd(exit_code=213)),
        ("kill -9 $$", ScriptEnd(exit_code=None, signal=9)),
        ("kill -TERM $$", ScriptEnd(exit_code=None, signal=15)),
        ("kill -PIPE $$", ScriptEnd(exit_code=None, signal=13)),
        ("(", ScriptEnd(exit_code=2)),
        ("", ScriptEnd(exit_code=0)),
    ],
)
def test_how_a_script_ended(open_shell: OpenShell, script: str, end: ScriptEnd) -> None:
    async def body(shell: Shell) -> None:
        assert (await out(shell, script))[0] == end

    with_shell(open_shell, body)


def test_output_comes_as_it_is_written(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        first = asyncio.Event()
        running = asyncio.ensure_future(
            shell.run(b"echo one; read -t 20 < <(sleep 20)", output=lambda _piece: first.set(), kill_after_s=30)
        )
        async with asyncio.timeout(10):
            await first.wait()
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with_shell(open_shell, body)


def test_a_huge_script_and_its_output_do_not_block_one_another(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        line = "echo " + "x" * 990 + "\n"
        end, said = await out(shell, line * 3000)
        assert end.passed
        assert said == (line[5:] * 3000).encode()

    with_shell(open_shell, body)


def test_scripts_are_sessions_of_their_own_with_nothing_of_the_agents(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        end, said = await out(
            shell,
            "read -r pid _ _ _ _ sid _ < /proc/$$/stat; echo $((pid - sid)); ls /proc/self/fd",
        )
        assert end.passed
        assert said.split() == [b"0", b"0", b"1", b"2", b"3"]  # 3 is how ls reads the directory

    with_shell(open_shell, body)


def test_no_signal_is_ignored_or_blocked(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        _, said = await out(shell, "grep -E '^Sig(Ign|Blk)' /proc/self/status")
        ordinary = (1 << 31) - 1  # above are real-time ones; the C library keeps 32 and 33 for itself
        assert [int(line.split()[1], 16) & ordinary for line in said.splitlines()] == [0, 0]

    with_shell(open_shell, body)


@pytest.mark.parametrize(
    "escape",
    [
        "sleep 987 & echo $!; sleep 988",
        "setsid sleep 987 & echo $!; sleep 988",
        "nohup sleep 987 & disown; echo $!; sleep 988",
        "(setsid bash -c 'sleep 987 & echo $!' &) ; sleep 988",
        "trap '' TERM INT HUP; echo $$; while :; do sleep 987; done",
        "echo $$; kill -STOP $$",
        "exec > >(cat); sleep 987 & echo $!; sleep 988",
    ],
)
def test_at_the_limit_the_whole_tree_is_killed(open_shell: OpenShell, escape: str) -> None:
    async def body(shell: Shell) -> None:
        end, said = await out(shell, escape, kill_after_s=0.3)
        assert end == ScriptEnd(exit_code=None, signal=9, timed_out=True)
        assert not await lives(shell, said.strip())

    with_shell(open_shell, body)


def test_cancelling_kills_the_whole_tree(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        said = bytearray()
        told = asyncio.Event()

        def take(piece: bytes) -> None:
            said.extend(piece)
            told.set()

        running = asyncio.ensure_future(
            shell.run(b"(setsid bash -c 'sleep 987 & echo $!' &) ; sleep 988", output=take, kill_after_s=30)
        )
        async with asyncio.timeout(10):
            await told.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not await lives(shell, bytes(said).strip())

    with_shell(open_shell, body)


def test_what_a_script_leaves_behind_lives_on_and_is_not_waited_for(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        async with asyncio.timeout(10):
            end, said = await out(shell, "sleep 987 & echo $!")
        assert end.passed
        pid = said.strip()
        # it is no part of a later script, and not killed with one
        end, _ = await out(shell, "sleep 988", kill_after_s=0.2)
        assert end.timed_out
        assert await lives(shell, pid)
        await out(shell, b"kill -9 " + pid)

    with_shell(open_shell, body)


def test_what_is_left_behind_may_go_on_writing(open_shell: OpenShell, within: Within, tmp_path: Path) -> None:
    async def body(shell: Shell) -> None:
        file = tmp_path / "ticks"
        await out(shell, f"mkdir -p {tmp_path}")
        end, said = await out(shell, f"(while echo noise; do echo tick >> {file}; sleep 0.01; done) & echo $!")
        assert end.passed
        pid = next(word for word in said.split() if word.isdigit())  # the noise may come first
        _, before = await out(shell, f"stat -c %s {file}")

        async def has_grown() -> bool:
            return int((await out(shell, f"stat -c %s {file}"))[1]) > int(before) + 100

        await within(has_grown)
        assert await lives(shell, pid)
        await out(shell, b"kill -9 " + pid)

    with_shell(open_shell, body)


def test_what_comes_right_after_the_end_is_still_heard(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        _, said = await out(shell, "exec > >(sleep 0.05; cat); echo late")
        assert said == b"late\n"

    with_shell(open_shell, body)


def test_a_flood_is_held_back_not_hoarded(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        count = 0

        def take(piece: bytes) -> None:
            nonlocal count
            assert len(piece) <= 1 << 20
            count += len(piece)

        end = await shell.run(b"yes", output=take, kill_after_s=0.3)
        assert end.timed_out
        assert count > 1 << 20
        _, said = await out(shell, "grep VmHWM /proc/$PPID/status")
        assert int(said.split()[1]) < 64 * 1024

    with_shell(open_shell, body)


def test_a_sink_that_fails_ends_the_script_and_not_the_shell(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        def take(_piece: bytes) -> None:
            raise LookupError("full")

        with pytest.raises(LookupError, match="full"):
            await shell.run(b"echo x; sleep 987", output=take, kill_after_s=30)
        assert (await out(shell, "echo again"))[1] == b"again\n"

    with_shell(open_shell, body)


def test_a_lost_machine_is_said_to_be_lost(open_shell: OpenShell, request: pytest.FixtureRequest) -> None:
    async def body(shell: Shell) -> None:
        # the process that a script is a child of is what we talk to, but where that is a sudo
        above = "read -r _ _ _ above _ < /proc/$PPID/stat; kill -9 $above"
        is_sudo = request.node.callspec.params["open_shell"] == "ssh-no-python-sudo"
        with pytest.raises(ConnectionLostError):
            await out(shell, above if is_sudo else "kill -9 $PPID")
        with pytest.raises(ConnectionLostError):
            await out(shell, "true")

    with_shell(open_shell, body)


def test_closing_twice_is_closing_once(open_shell: OpenShell) -> None:
    async def body(shell: Shell) -> None:
        await shell.close()
        await shell.close()

    with_shell(open_shell, body)


# --- trees ----------------------------------------------------------------------------------------------------------


def archive(**files: bytes) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid = len(content), 0o750, 12, 34
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "nowhere"
        tar.addfile(link)
    return packed  # read to its end: a shell starts from its start


@pytest.mark.parametrize("name", ["plain", "with space", "a'\"$(touch x)`y`;&*", "-rf"])
def test_a_tree_is_sent(open_shell: OpenShell, tmp_path: Path, name: str) -> None:
    async def body(shell: Shell) -> None:
        directory = f"{tmp_path}/new/{name}"
        large = os.urandom(3_000_000)
        await shell.send_tree(archive(one=b"1", two=large), directory)
        await shell.fetch(directory, ["*"], tmp_path / "back")
        assert (tmp_path / "back/one").read_bytes() == b"1"
        assert (tmp_path / "back/two").read_bytes() == large
        assert (tmp_path / "back/link").readlink() == Path("nowhere")
        _, said = await out(shell, f"cd {tmp_path}/new/*; stat -c '%a %u %g' -- one; ls -A ..")
        assert said.splitlines()[1:] == [name.encode()]
        if os.geteuid() == 0:
            assert said.splitlines()[0] == b"750 12 34"

    with_shell(open_shell, body)


def test_a_tree_may_be_sent_to_an_empty_directory(open_shell: OpenShell, tmp_path: Path) -> None:
    async def body(shell: Shell) -> None:
        await out(shell, f"mkdir -p {tmp_path}/there")
        await shell.send_tree(archive(one=b"1"), f"{tmp_path}/there")
        assert (await out(shell, f"cat {tmp_path}/there/one"))[1] == b"1"

    with_shell(open_shell, body)


@pytest.mark.parametrize("there", ["mkdir there; touch there/.hidden", "touch there", "ln -s nowhere there"])
def test_a_tree_is_not_sent_over_anything(open_shell: OpenShell, tmp_path: Path, there: str) -> None:
    async def body(shell: Shell) -> None:
        await out(shell, f"mkdir -p {tmp_path}; cd {tmp_path}; {there}")
        with pytest.raises(UserError, match="not an empty directory"):
            await shell.send_tree(archive(one=b"1" * 2_000_000), f"{tmp_path}/there")
        assert (await out(shell, "echo still here"))[1] == b"still here\n"

    with_shell(open_shell, body)


def test_a_damaged_tree_is_an_error(open_shell: OpenShell, tmp_path: Path) -> None:
    async def body(shell: Shell) -> None:
        with pytest.raises(OutspreadError, match="cannot unpack"):
            await shell.send_tree(io.BytesIO(b"this is no tar" * 100), f"{tmp_path}/there")

    with_shell(open_shell, body)


def test_paths_are_fetched_by_pattern(open_shell: OpenShell, tmp_path: Path) -> None:
    async def body(shell: Shell) -> None:
        source = f"{tmp_path}/source"
        await out(
            shell,
            f"mkdir -p {source}/logs/deep; cd {source}; echo a > logs/a.log; echo b > logs/b.log; echo c > logs/deep/c;"
            "echo d > 'd $x'; echo e > -e; touch [f]; printf '\\000\\377' > binary; echo g > .hidden",
        )
        fetched = await shell.fetch(
            source,
            ["logs/*.log", "logs/a.log", "logs/deep", "nothing*", "d $x", "-e", "$(touch /tmp/x)", "a b", "binary", "none"],
            tmp_path / "got",
        )
        assert fetched.missing == ("nothing*", "$(touch /tmp/x)", "a b", "none")
        assert fetched.refused == ()
        got = {
            str(path.relative_to(tmp_path / "got")): path.read_bytes() for path in (tmp_path / "got").rglob("*") if path.is_file()
        }
        assert got == {
            "logs/a.log": b"a\n",
            "logs/b.log": b"b\n",
            "logs/deep/c": b"c\n",
            "d $x": b"d\n",
            "-e": b"e\n",
            "binary": b"\0\xff",
        }

    with_shell(open_shell, body)


def test_only_what_stays_inside_is_fetched(open_shell: OpenShell, tmp_path: Path) -> None:
    async def body(shell: Shell) -> None:
        source = f"{tmp_path}/source/in"
        await out(
            shell,
            f"mkdir -p {source}/d; cd {source}; echo ok > ok; ln -s ok good; ln -s ../ok d/good; ln -s /etc/passwd abs;"
            "ln -s ../../.. up; ln -s d/../.. hidden; mkfifo fifo; echo out > ../outside",
        )
        fetched = await shell.fetch(source, ["*", "../outside"], tmp_path / "got/deep")
        assert {name.removeprefix("./") for name in fetched.refused} == {"abs", "up", "hidden", "fifo", "../outside"}
        assert sorted(path.name for path in (tmp_path / "got/deep").iterdir()) == ["d", "good", "ok"]
        assert [path.name for path in (tmp_path / "got").iterdir()] == ["deep"]
        assert (tmp_path / "got/deep/d/good").read_bytes() == b"ok\n"

    with_shell(open_shell, body)


def test_nothing_to_fetch_is_no_error_and_no_directory_is(open_shell: OpenShell, tmp_path: Path) -> None:
    async def body(shell: Shell) -> None:
        await out(shell, f"mkdir -p {tmp_path}/empty")
        fetched = await shell.fetch(f"{tmp_path}/empty", ["a", "b*"], tmp_path / "got")
        assert (fetched.files, fetched.missing) == (0, ("a", "b*"))
        with pytest.raises(OutspreadError, match="absent"):
            await shell.fetch(f"{tmp_path}/absent", ["a"], tmp_path / "got")

    with_shell(open_shell, body)


# --- reboot ---------------------------------------------------------------------------------------------------------


def test_after_a_reboot_the_disk_is_the_same_and_all_else_new(open_shell: OpenShell, request: pytest.FixtureRequest) -> None:
    async def body(shell: Shell) -> None:
        if request.node.callspec.params["open_shell"] == "local":
            with pytest.raises(UserError, match="cannot reboot this host"):
                await shell.reboot(within_s=10)
            return
        boot_id = "cat /proc/sys/kernel/random/boot_id"
        ids = {(await out(shell, boot_id))[1]}
        await out(shell, "echo kept > /var/kept; echo gone > /run/gone; echo gone > /tmp/gone; setsid sleep 987 &")
        for round_ in range(2, 5):
            await shell.reboot(within_s=30)
            ids.add((await out(shell, boot_id))[1])
            assert len(ids) == round_
        _, said = await out(shell, "cat /var/kept; ls /run/gone /tmp/gone 2>&1 | grep -c 'No such'; pgrep sleep || echo none")
        assert said == b"kept\n2\nnone\n"

    with_shell(open_shell, body)
