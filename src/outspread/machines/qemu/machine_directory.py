"""What there is of one machine on disk, in the user's state directory: its record, its sockets, its serial log."""

import contextlib
import shutil
from collections.abc import Collection
from pathlib import Path

import msgspec
from msgspec import Struct

from outspread.errors import InfrastructureError
from outspread.machines.contract import Machine

_MOST_LEFT = 20
_TAIL_BYTES = 8192
_TAIL_LINES = 15


class MachineDirectory(Struct, frozen=True):
    """The directory of a machine, which may not exist."""

    path: Path

    @property
    def serial_log(self) -> Path:
        return self.path / "serial.log"

    @property
    def serial(self) -> Path:
        """The socket of its serial console, for people."""
        return self.path / "serial.sock"

    @property
    def monitor(self) -> Path:
        """The socket of QEMU's monitor, for people."""
        return self.path / "monitor.sock"

    @property
    def control(self) -> Path:
        return self.path / "control.sock"

    @property
    def packets(self) -> Path:
        """What the machine sends while it is waited for."""
        return self.path / "packets.pcap"

    @property
    def output(self) -> Path:
        """What QEMU itself says."""
        return self.path / "qemu.log"

    @property
    def _record(self) -> Path:
        return self.path / "machine.json"

    def make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.serial_log.touch(mode=0o600)
        except OSError as error:
            raise InfrastructureError(f"cannot make a machine in {self.path}: {error.strerror}", retry=False) from error

    def write_record(self, machine: Machine) -> None:
        written = self._record.with_suffix(".new")
        try:
            written.write_bytes(msgspec.json.encode(machine.without_secrets()))
            written.rename(self._record)
        except OSError as error:
            raise InfrastructureError(f"cannot write {self._record}: {error.strerror}", retry=False) from error

    def record(self) -> Machine | None:
        """Return the machine as it was written down; None when it was not."""
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Machine)
        except (OSError, msgspec.DecodeError):
            return None

    def take_sockets_away(self) -> None:
        for path in (self.serial, self.monitor, self.control, self.packets):
            path.unlink(missing_ok=True)

    def remove(self, *, but_logs: bool = False) -> None:
        """Remove it. Idempotent."""
        if not but_logs:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        self.take_sockets_away()
        self._record.unlink(missing_ok=True)

    def has_panic(self) -> bool:
        """Tell whether the machine's kernel said last that it gave up."""
        return "Kernel panic" in _end_of(self.serial_log)

    def what_it_said(self) -> str:
        """Return the end of its serial log, and of what QEMU said, for an error's text; "" when there is nothing."""
        texts = []
        for title, file in (("QEMU says", self.output), (f"the end of its serial log, {self.serial_log}", self.serial_log)):
            lines = _end_of(file).strip().splitlines()[-_TAIL_LINES:]
            texts += [f"{title}:", *lines] if lines else []
        return "\n".join(("", "-----", *texts, "-----")) if texts else ""


def _end_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            text = opened.read().decode(errors="replace")
    except OSError:
        return ""
    return "".join(character for character in text.replace("\r", "") if character.isprintable() or character == "\n")


def remove_old_directories(all_of_them: Path, in_use: Collection[Path]) -> None:
    """Remove what is left of machines that are gone, above a number; the newest stay."""
    with contextlib.suppress(OSError):  # another process may do the same
        left = [path for path in all_of_them.iterdir() if path.is_dir() and path not in in_use]
        for path in sorted(left, key=lambda path: path.stat().st_mtime, reverse=True)[_MOST_LEFT:]:
            shutil.rmtree(path, ignore_errors=True)
