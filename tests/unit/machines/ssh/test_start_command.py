import shlex
import subprocess
import sys

import pytest

from outspread.machines.ssh import numbered_stream as wire
from outspread.machines.ssh.start_command import anchor_program, bringer_program, start_command

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("username", ["root", "tester"])
def test_nothing_is_left_for_a_shell_in_between_to_fill_in(username: str) -> None:
    command = start_command(username, TOKEN)
    assert not set(command) & set("$`!\n")


def test_another_user_asks_sudo_and_is_never_asked_back() -> None:
    assert start_command("tester", TOKEN) == f"sudo -n -i {start_command('root', TOKEN)}"


def run(program: bytes, path: str) -> bytes:
    command = shlex.split(start_command("root", TOKEN))
    return subprocess.run(command, input=program, env={"PATH": path}, capture_output=True, timeout=20).stdout


def test_without_a_python_it_says_none_and_the_boot(tmp_path_factory: pytest.TempPathFactory) -> None:
    bin_dir = tmp_path_factory.mktemp("bin")
    (bin_dir / "cat").symlink_to("/bin/cat")
    said = run(b"2\n{}", str(bin_dir))
    assert said.startswith(wire.mark(TOKEN))
    ((kind, payload),) = wire.FrameParser().feed(said.removeprefix(wire.mark(TOKEN)))
    assert kind == wire.NONE
    assert payload.startswith(b"why=it has no Python from 3.8 on with ctypes\nboot_id=")
    assert payload.count(b"-") == 4


def test_a_python_that_is_too_old_is_passed_over(tmp_path_factory: pytest.TempPathFactory) -> None:
    bin_dir = tmp_path_factory.mktemp("bin")
    for name, text in (("python3", "exit 1"), ("python3.9", "cat; echo ' by 3.9'")):
        (bin_dir / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_dir / name).chmod(0o755)
    (bin_dir / "cat").symlink_to("/bin/cat")
    assert run(b"program", str(bin_dir)) == b"program by 3.9\n"


def test_a_python_without_ctypes_takes_nothing_of_the_program(tmp_path_factory: pytest.TempPathFactory) -> None:
    bin_dir = tmp_path_factory.mktemp("bin")
    without = "import sys; sys.modules['ctypes'] = None; exec(sys.argv[1])"
    for name, text in (("python3", f'exec {sys.executable} -c "{without}" "$3"'), ("python3.9", "cat")):
        (bin_dir / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_dir / name).chmod(0o755)
    (bin_dir / "cat").symlink_to("/bin/cat")
    assert run(b"7\nprogram", str(bin_dir)) == b"7\nprogram"


@pytest.mark.parametrize("program", [anchor_program(TOKEN), bringer_program(TOKEN)])
def test_a_program_says_how_long_it_is_and_is_one(program: bytes) -> None:
    length, _, text = program.partition(b"\n")
    assert int(length) == len(text)
    compile(text, "program", "exec")
