"""Packs of blobs survive the way; what is no pack is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.store.contract import PACK_BYTES
from outspread.store.digest import Digest
from outspread.store.errors import MalformedDigestError
from outspread.store.wire import pack_blobs, pack_digests, packs, unpack_blobs


@given(st.lists(st.binary(max_size=100)))
def test_they_come_as_they_went(contents: list[bytes]) -> None:
    blobs = {Digest.of(content): content for content in contents}
    assert unpack_blobs(pack_blobs(blobs)) == blobs
    assert Digest.unpack(pack_digests(blobs)) == list(blobs)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1), st.data())
def test_a_cut_pack_is_refused(contents: list[bytes], data: st.DataObject) -> None:
    body = pack_blobs({Digest.of(content): content for content in contents})
    whole = {0}
    for digest in {Digest.of(content): None for content in contents}:
        whole.add(max(whole) + 40 + digest.size_bytes)
    cut = data.draw(st.integers(0, len(body)).filter(lambda length: length not in whole))
    with pytest.raises(MalformedDigestError):
        unpack_blobs(body[:cut])


@given(st.lists(st.integers(0, 2 * PACK_BYTES), max_size=50))
def test_packs_are_bounded_and_complete(sizes: list[int]) -> None:
    digests = [Digest(f"{number:064x}", size) for number, size in enumerate(sizes)]
    made = list(packs(digests))
    assert [digest for pack in made for digest in pack] == digests
    assert all(len(pack) == 1 or sum(digest.size_bytes + 40 for digest in pack) <= PACK_BYTES for pack in made)
