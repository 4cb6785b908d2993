"""Digests have one spelling; everything else is refused."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.store.digest import EMPTY, MOST_BYTES, Digest
from outspread.store.errors import MalformedDigestError

HASH = "ab" * 32


def test_it_is_the_sha256_and_the_size() -> None:
    assert str(Digest.of(b"abc")) == f"{hashlib.sha256(b'abc').hexdigest()}/3"
    assert str(EMPTY).endswith("/0")


@given(st.binary(max_size=200))
def test_it_survives_text_and_packing(content: bytes) -> None:
    digest = Digest.of(content)
    assert Digest.parse(str(digest)) == digest
    assert Digest.unpack(digest.pack() * 2) == [digest, digest]


@pytest.mark.parametrize(
    "text",
    [
        "",
        HASH,
        f"{HASH}/",
        f"{HASH.upper()}/3",
        f"{HASH[:-1]}/3",
        f"{HASH}a/3",
        f"{HASH}/03",
        f"{HASH}/-1",
        f"{HASH}/+1",
        f"{HASH}/1 ",
        f" {HASH}/1",
        f"{HASH}/1\n",
        f"{HASH}/1_0",
        f"{HASH}/\u0663",
        f"{HASH}/{MOST_BYTES + 1}",
        f"{HASH}/{10**30}",
        f"{HASH}//1",
        f"../{HASH}/1",
        f"{'g' * 64}/1",
        "x" * 10**5,
    ],
)
def test_nothing_else_is_a_digest(text: str) -> None:
    with pytest.raises(MalformedDigestError) as refused:
        Digest.parse(text)
    assert len(refused.value.message) < 300


@pytest.mark.parametrize("packed", [b"x", b"x" * 39, b"x" * 41, b"\xff" * 40])
def test_packed_digests_are_whole(packed: bytes) -> None:
    with pytest.raises(MalformedDigestError):
        Digest.unpack(packed)
