"""States of booted machines, kept to start other machines from: each made once for an image and all that QEMU is told.

A state is a directory with the memory of a machine that has just booted, and the disk as it was then: what that machine wrote,
over the image. It is made under another name and renamed when it is whole, never changed afterwards, and known by a digest of
everything that it depends on.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from outspread.errors import InfrastructureError, UserError
from outspread.machines.qemu.images import DiskImage, Firmware

_MOST_STATES = 8
_POLL_S = 0.05


class SavedState(Struct, frozen=True):
    """A state, made or to be made, in ``directory``."""

    directory: Path

    @property
    def is_made(self) -> bool:
        return self.directory.is_dir()

    @property
    def disk(self) -> DiskImage:
        return DiskImage(self.directory / "disk.qcow2", "qcow2")

    @property
    def loading(self) -> tuple[str, str]:
        """What QEMU is told to start from it."""
        return ("-incoming", f"exec:cat {shlex.quote(str(self.directory / 'memory'))}")

    def saving(self) -> str:
        """Return the shell command that takes the memory in."""
        return f"cat > {shlex.quote(str(self.directory / 'memory'))}"

    def used(self) -> None:
        """Note that it was used now: the ones that were not for long go first."""
        with contextlib.suppress(OSError):
            os.utime(self.directory)


def digest_of(arguments: Sequence[str], image: DiskImage, firmware: Firmware | None, *, host: str) -> str:
    """Return the name of the state of machines that are started so. ``host`` is what of this host they depend on."""
    program = shutil.which(arguments[0]) or arguments[0]
    settings = firmware.variables if firmware is not None else None
    files = (Path(program), image.path, firmware.code if firmware is not None else None, settings)
    stats = [(str(path), path.stat()) for path in files if path is not None]
    facts = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats]
    return hashlib.sha256(msgspec.json.encode((arguments, image.format, facts, host))).hexdigest()[:32]


@contextlib.asynccontextmanager
async def making(states: Path, digest: str) -> AsyncIterator[tuple[SavedState, SavedState | None]]:
    """Give the state of a digest, and where to make it unless it is made: only one makes it at a time, others wait for that one.

    What was made is the state when this ends without an error.
    """
    state = SavedState(states / digest)
    if state.is_made:
        state.used()
        yield state, None
        return
    lock = _open_lock(states, digest)
    try:
        await _locked(lock)
        if state.directory.is_dir():  # by now
            yield state, None
            return
        unfinished = states / f"{digest}.new"
        shutil.rmtree(unfinished, ignore_errors=True)  # of one who was killed
        unfinished.mkdir(mode=0o700)
        try:
            yield state, SavedState(unfinished)
            unfinished.rename(state.directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        _forget_old_ones(states)
    finally:
        os.close(lock)


async def make_overlay(disk: Path, image: DiskImage) -> None:
    """Make a disk that begins as ``image`` and keeps what is written to it."""
    options = ("create", "-q", "-f", "qcow2", "-b", str(image.path), "-F", image.format, str(disk))
    try:
        started = await asyncio.create_subprocess_exec(
            "qemu-img",
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except FileNotFoundError as error:
        raise UserError("cannot save the state of a machine: there is no qemu-img", hint="Debian: qemu-utils") from error
    said, _ = await started.communicate()
    if started.returncode:
        text = said.decode(errors="replace").strip()
        raise InfrastructureError(f"cannot save the state of a machine: qemu-img: {text}", retry=False)


def _open_lock(states: Path, digest: str) -> int:
    try:
        states.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(states / f"{digest}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InfrastructureError(f"cannot keep states of machines in {states}: {error.strerror}", retry=False) from error


async def _locked(descriptor: int) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(_POLL_S)
        else:
            return


def _forget_old_ones(states: Path) -> None:
    """Remove the states that were not used for longest, above a number. Machines that run on one have its files open."""
    made = [path for path in states.iterdir() if path.is_dir() and not path.suffix]
    for path in sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)[_MOST_STATES:]:
        shutil.rmtree(path, ignore_errors=True)
