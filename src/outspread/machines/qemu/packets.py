"""Hear whether a machine's network has come up, in a dump of its packets (pcap) as QEMU writes it."""

import struct
from pathlib import Path

_HEADER_BYTES = 24
_RECORD = struct.Struct("=IIII")  # seconds, microseconds, bytes that follow, bytes there were
#: How much of a packet it takes: Ethernet, and as much of what is in it as tells its kind.
KEPT_BYTES = 64

_ROUTER = bytes.fromhex("52550a000202")  # the far side, which is QEMU itself
_SENDER = slice(6, 12)
_KIND = slice(12, 14)
_IPV4 = b"\x08\x00"
_ADDRESSES = (b"\x08\x06", b"\x80\x35")  # who has which: they are looked up to answer, and QEMU tells of a machine just loaded
_PROTOCOL, _TCP = 23, 6


class PacketDump:
    """The dump at ``path``, which is yet to be made, and grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        self._read = _HEADER_BYTES

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def has_spoken(self) -> bool:
        """Tell whether the machine has said something by itself since this was last asked."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:  # it is not there yet
            return False
        packets, taken = _packets(new)
        self._read += taken
        return any(_is_said(packet) for packet in packets)


def _packets(records: bytes) -> tuple[list[bytes], int]:
    """Return the whole packets at the start of ``records``, and how many bytes of it they take."""
    packets, place = [], 0
    while place + _RECORD.size <= len(records):
        size = _RECORD.unpack_from(records, place)[2]
        end = place + _RECORD.size + size
        if end > len(records):
            break
        packets.append(records[place + _RECORD.size : end])
        place = end
    return packets, place


def _is_said(packet: bytes) -> bool:
    """Tell whether the machine sent a packet, and not only to answer one."""
    if not packet[_KIND] or packet[_SENDER] == _ROUTER or packet[_KIND] in _ADDRESSES:
        return False
    return not (packet[_KIND] == _IPV4 and packet[_PROTOCOL : _PROTOCOL + 1] == bytes([_TCP]))
