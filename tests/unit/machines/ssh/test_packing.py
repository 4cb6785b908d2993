import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.machines.ssh.packing import Packing, choose_fetch_packing, choose_packing, packed, take_samples, unpacker
from outspread.machines.tar_reader import TarFormatError

TEXT = [b"the same line again\n" * 1000]
NOISE = [os.urandom(20_000)]
LARGE = 10_000_000


@pytest.mark.parametrize(
    ("samples", "size", "has_zstd", "round_trip_s", "chosen"),
    [
        (TEXT, LARGE, True, 0.0, Packing.ZSTD),
        (TEXT, LARGE, True, 0.05, Packing.ZSTD),
        (NOISE, LARGE, True, 0.05, Packing.NONE),
        (TEXT, LARGE, False, 0.0, Packing.NONE),
        (TEXT, LARGE, False, 0.05, Packing.GZIP),
        (NOISE, LARGE, False, 0.05, Packing.NONE),
        (TEXT, 10_000, True, 0.05, Packing.NONE),
        ([b""], 0, True, 0.05, Packing.NONE),
    ],
)
def test_an_archive_is_packed_only_where_it_is_there_sooner(
    samples: list[bytes], size: int, has_zstd: bool, round_trip_s: float, chosen: Packing
) -> None:
    assert choose_packing(samples, size, has_zstd=has_zstd, round_trip_s=round_trip_s) is chosen


def test_samples_are_from_all_over() -> None:
    archive = io.BytesIO(b"a" * 100_000 + b"b" * 100_000 + b"c" * 100_000 + b"d" * 100_000)
    archive.seek(7)
    samples, size = take_samples(archive)
    assert [sample[:1] for sample in samples] == [b"a", b"b", b"c", b"d"]
    assert (size, archive.tell()) == (400_000, 0)


@pytest.mark.parametrize(
    ("has_zstd", "round_trip_s", "chosen"),
    [(True, 0.0, Packing.NONE), (False, 0.0, Packing.NONE), (True, 0.05, Packing.ZSTD), (False, 0.05, Packing.GZIP)],
)
def test_what_is_fetched_is_packed_on_a_long_way(has_zstd: bool, round_trip_s: float, chosen: Packing) -> None:
    assert choose_fetch_packing(has_zstd=has_zstd, round_trip_s=round_trip_s) is chosen


@given(st.sampled_from(list(Packing)), st.binary(max_size=5000), st.integers(1, 3000))
def test_what_is_unpacked_is_what_was_packed(packing: Packing, content: bytes, size: int) -> None:
    reader = packed(io.BytesIO(content), packing)
    unpack = unpacker(packing)
    unpacked = b""
    while piece := reader.read(size):
        assert len(piece) <= size
        unpacked += b"".join(unpack(piece))
    assert unpacked == content


@pytest.mark.parametrize("packing", [Packing.ZSTD, Packing.GZIP])
def test_few_bytes_that_stand_for_many_come_in_pieces(packing: Packing) -> None:
    reader = packed(io.BytesIO(bytes(150_000_000)), packing)
    unpack = unpacker(packing)
    longest = total = 0
    for piece in unpack(reader.read()):
        longest = max(longest, len(piece))
        total += len(piece)
    assert total == 150_000_000
    assert longest < 50_000_000


@pytest.mark.parametrize("packing", [Packing.ZSTD, Packing.GZIP])
def test_what_was_not_packed_is_found_out(packing: Packing) -> None:
    with pytest.raises(TarFormatError, match=f"not packed with {packing}"):
        list(unpacker(packing)(b"plain text" * 100))
