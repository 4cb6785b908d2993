import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.machines.contract import ScriptEnd
from outspread.machines.lxd.end_frame import EndFrame


@pytest.fixture(params=["sh", "dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Each shell that a machine may have as its ``/bin/sh``, called ``sh`` as there."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"there is no {request.param}")
    (tmp_path / "sh").symlink_to(found)
    return [str(tmp_path / "sh")]


def outcome(shell: list[str], script: str) -> tuple[bytes, ScriptEnd | None]:
    frame = EndFrame()
    command = [*shell, *frame.command(f"exec bash -c '{script}'")[1:]]
    said = subprocess.run(command, input=b"in", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20).stdout
    return frame.feed(said) + frame.rest(), frame.end


@pytest.mark.parametrize(
    ("script", "said", "end"),
    [
        ("echo out; echo err >&2; cat", b"out\nerr\nin", ScriptEnd(exit_code=0)),
        ("exit 3", b"", ScriptEnd(exit_code=3)),
        ("exit 130", b"", ScriptEnd(exit_code=130)),
        ("exit 137", b"", ScriptEnd(exit_code=137)),
        ("exit 213", b"", ScriptEnd(exit_code=213)),
        ("kill -9 $$", b"", ScriptEnd(exit_code=None, signal=9)),
        ("kill -TERM $$", b"", ScriptEnd(exit_code=None, signal=15)),
        ("kill -PIPE $$", b"", ScriptEnd(exit_code=None, signal=13)),
        ("kill -40 $$", b"", ScriptEnd(exit_code=None, signal=40)),
        ("kill -9 $PPID; sleep 0.1", b"", None),  # nobody is left to tell
    ],
)
def test_how_a_program_ended_is_told_behind_its_output(shell: list[str], script: str, said: bytes, end: ScriptEnd | None) -> None:
    assert outcome(shell, script) == (said, end)


def test_what_a_program_leaves_behind_keeps_nothing_from_being_told() -> None:
    frame = EndFrame()
    left = "sleep 987 > /dev/null 2>&1"
    with subprocess.Popen(frame.command(f"sleep 987 & echo $!; {left} & echo $!"), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        said = b""
        while frame.end is None:
            said += frame.feed(running.stdout.read1())  # type: ignore[attr-defined] # of a buffered reader
        running.wait(timeout=20)
        subprocess.run(["kill", *said.split()], check=True)
    assert frame.end == ScriptEnd(exit_code=0)


@given(pieces=st.lists(st.binary(max_size=40) | st.sampled_from([b"\x1e", b"MARK", b"7;"])), sizes=st.lists(st.integers(1, 9)))
def test_output_is_passed_on_whole_however_it_is_cut(pieces: list[bytes], sizes: list[int]) -> None:
    frame = EndFrame()
    mark = b"\x1e" + frame.command("")[-1].encode() + b":"
    output = b"".join(pieces).replace(b"MARK", mark[:-1])
    stream = output + mark + b"7;" + b"\x1elate"
    got = b""
    for size in (*sizes, *[len(stream)]):
        piece, stream = stream[:size], stream[size:]
        got += frame.feed(piece)
        assert frame.end is None or not stream.endswith(mark + b"7;")
    assert got + frame.rest() == output + b"\x1elate"
    assert frame.end == ScriptEnd(exit_code=7)


def test_only_what_may_be_the_beginning_of_the_frame_is_held_back() -> None:
    frame = EndFrame()
    mark = b"\x1e" + frame.command("")[-1].encode() + b":"
    assert frame.feed(b"a\x1eg") == b"a\x1eg"  # no mark goes on so: it is of hexadecimal digits
    assert frame.feed(b"c" + mark) == b"c"
    assert frame.feed(b"12") == b""
    assert frame.feed(b"x") == mark + b"12x"
    assert frame.feed(b"d\x1e") == b"d"
    assert frame.rest() == b"\x1e"
