"""Which machines share a state, who makes it, and which are forgotten."""

import asyncio
import os
from pathlib import Path

import pytest

from outspread.machines.qemu.images import DiskImage, Firmware
from outspread.machines.qemu.saved_states import SavedState, digest_of, making


def test_all_that_a_machine_depends_on_tells_states_apart(tmp_path: Path) -> None:
    image, code = tmp_path / "image", tmp_path / "code"
    image.write_text("one")
    code.touch()
    disk = DiskImage(image, "raw")
    digests = {
        digest_of(["qemu", "-m", "1"], disk, None, host=""),
        digest_of(["qemu", "-m", "2"], disk, None, host=""),
        digest_of(["qemu", "-m", "1"], DiskImage(image, "qcow2"), None, host=""),
        digest_of(["qemu", "-m", "1"], disk, Firmware(code), host=""),
        digest_of(["qemu", "-m", "1"], disk, None, host="another"),
    }
    assert digest_of(["qemu", "-m", "1"], disk, None, host="") in digests
    image.write_text("another")
    digests.add(digest_of(["qemu", "-m", "1"], disk, None, host=""))
    assert len(digests) == 6


@pytest.fixture(autouse=True)
def no_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(__file__)
    monkeypatch.setattr("outspread.machines.qemu.saved_states.shutil.which", lambda _name: str(program))


async def make(states: Path, digest: str, made: list[str]) -> SavedState:
    async with making(states, digest) as (state, unfinished):
        if unfinished is not None:
            made.append(digest)
            await asyncio.sleep(0)
            (unfinished.directory / "memory").write_text("it")
    return state


def test_only_one_makes_it(tmp_path: Path) -> None:
    made: list[str] = []

    async def main() -> None:
        states = await asyncio.gather(*(make(tmp_path, "a", made) for _ in range(4)))
        assert {(state.directory / "memory").read_text() for state in states} == {"it"}

    asyncio.run(main())
    assert made == ["a"]


def test_one_that_could_not_be_made_is_none(tmp_path: Path) -> None:
    async def fail() -> None:
        async with making(tmp_path, "a") as (_, unfinished):
            assert unfinished is not None
            (unfinished.directory / "memory").touch()
            raise ZeroDivisionError

    (tmp_path / "a.new").mkdir()  # of somebody who was killed
    (tmp_path / "a.new/old").touch()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(fail())
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"]
    made: list[str] = []
    state = asyncio.run(make(tmp_path, "a", made))
    assert made == ["a"]
    assert [path.name for path in state.directory.iterdir()] == ["memory"]


def test_those_not_used_for_longest_are_forgotten(tmp_path: Path) -> None:
    for number in range(8):
        asyncio.run(make(tmp_path, str(number), []))
        os.utime(tmp_path / str(number), (number, number))
    asyncio.run(make(tmp_path, "0", []))  # used
    asyncio.run(make(tmp_path, "new", []))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["0", "2", "3", "4", "5", "6", "7", "new"]
