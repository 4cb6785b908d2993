import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from outspread.cli.program_end import end_program
from outspread.errors import InfrastructureError, UsageError, UserError
from outspread.project.errors import ProjectError


def ends_with(error: BaseException, *, debug: bool = False, terse: bool = False) -> object:
    def program() -> int:
        raise error

    with pytest.raises(SystemExit) as caught:
        end_program(program, debug=debug, how_to_debug="--debug", terse=terse)
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (UserError("cannot do it"), 1, "error: cannot do it\n"),
        (UserError("cannot do it", hint="do that"), 1, "error: cannot do it\nhint: do that\n"),
        (UsageError("no such option"), 2, "error: no such option\n"),
        (InfrastructureError("disk full"), 1, "error: disk full\n"),
        (ProjectError("odd", file="spread.yaml", line=3), 1, "error: spread.yaml:3: odd\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyError("x\ny"), 1, "error: internal: KeyError: 'x\\ny' (--debug shows where)\n"),
        (ValueError("x\ny"), 1, "error: internal: ValueError: x y (--debug shows where)\n"),
    ],
)
def test_an_exception_is_a_line_and_an_exit_code(
    error: BaseException, code: int, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(error) == code
    assert capsys.readouterr() == ("", printed)


def test_terse_errors_are_their_text_alone(capsys: pytest.CaptureFixture[str]) -> None:
    ends_with(ProjectError("odd", file="spread.yaml", line=3, hint="mend it"), terse=True)
    assert capsys.readouterr().err == "error: odd\n"


@pytest.mark.parametrize("error", [UserError("cannot"), ValueError("odd")])
def test_debugging_lets_exceptions_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        end_program(lambda: (_ for _ in ()).throw(error), debug=True, how_to_debug="")


@pytest.mark.parametrize("code", [0, 1, 7])
def test_without_an_exception_the_program_says(code: int) -> None:
    with pytest.raises(SystemExit) as caught:
        end_program(lambda: code, debug=False, how_to_debug="")
    assert caught.value.code == code


class FullDevice(io.RawIOBase):
    """Takes nothing, as a full disk does."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: object, /) -> int:
        if os.path.samestat(os.fstat(self.fileno()), Path(os.devnull).stat()):
            return len(bytes(data))  # type: ignore[call-overload]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("length", [10, 100_000])
def test_output_that_cannot_be_written_is_one_line(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def program() -> int:
        sys.stdout.write("x" * length)
        return 0

    with (tmp_path / "file").open("wb") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(FullDevice(file))))
        with pytest.raises(SystemExit) as caught:
            end_program(program, debug=False, how_to_debug="")
        sys.stdout.close()
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: cannot write to standard output: No space left on device\n"


def test_closed_output_is_said_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with pytest.raises(SystemExit) as caught:
            end_program(lambda: pytest.fail("was called"), debug=False, how_to_debug="")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: cannot write to standard output: it is closed\n"


@pytest.mark.parametrize("ends_with", ["sys.exit(3)", "sys.exit(0)"])
def test_leaving_at_once_keeps_what_was_printed_and_the_code(ends_with: str) -> None:
    program = f"""
import atexit, sys
from outspread.cli.program_end import leave_at_once
atexit.register(lambda: print("taken apart"))
def program():
    print("out", end="")
    print("err", end="", file=sys.stderr)
    {ends_with}
leave_at_once(program)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (int(ends_with[9]), "out", "err")
