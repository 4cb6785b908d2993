"""Whether a machine has said something by itself."""

import struct
from pathlib import Path

from outspread.machines.qemu.packets import PacketDump

GUEST, ROUTER = bytes.fromhex("525400123456"), bytes.fromhex("52550a000202")


def frame(sender: bytes, kind: int, content: bytes = b"") -> bytes:
    return bytes(6) + sender + struct.pack(">H", kind) + content


def ipv4(protocol: int) -> bytes:
    return bytes(9) + bytes([protocol]) + bytes(10)


def record(packet: bytes) -> bytes:
    return struct.pack("=IIII", 0, 0, len(packet), 1500) + packet


def test_only_what_no_one_asked_for_counts(tmp_path: Path) -> None:
    dump = PacketDump(tmp_path / "packets")
    assert not dump.has_spoken()  # there is none yet
    with dump.path.open("ab", buffering=0) as file:
        file.write(bytes(24))
        for silence in (
            frame(ROUTER, 0x86DD, bytes(40)),
            frame(GUEST, 0x0806, bytes(28)),
            frame(GUEST, 0x8035, bytes(28)),
            frame(GUEST, 0x0800, ipv4(6)),
            b"",
        ):
            file.write(record(silence))
            assert not dump.has_spoken()
        for said in (frame(GUEST, 0x86DD, bytes(40)), frame(GUEST, 0x0800, ipv4(17))):
            file.write(record(said))
            assert dump.has_spoken()
            assert not dump.has_spoken()  # not again


def test_a_packet_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    dump = PacketDump(tmp_path / "packets")
    said = record(frame(GUEST, 0x86DD, bytes(40)))
    with dump.path.open("ab", buffering=0) as file:
        file.write(bytes(24) + said[:30])
        assert not dump.has_spoken()
        file.write(said[30:])
        assert dump.has_spoken()
