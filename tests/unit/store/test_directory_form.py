"""The canonical form, written by hand, is what the generated classes write; what is read is checked."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.store.digest import EMPTY, MOST_BYTES, Digest
from outspread.store.directory_form import canonical_directory
from outspread.store.directory_reader import read_directory
from outspread.store.errors import MalformedTreeError
from outspread.store.protocol import remote_execution_pb2 as reapi
from outspread.store.tree_values import DirectoryNode, FileNode, LinkNode, Listing

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
digests = st.builds(Digest, hashes, st.integers(0, MOST_BYTES))
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) < 256
)


@st.composite
def listings(draw: st.DrawFn) -> Listing:
    drawn = draw(st.lists(names, unique=True, max_size=12))
    nodes = [
        draw(
            st.one_of(
                st.builds(FileNode, st.just(name), digests, st.booleans(), st.booleans()),
                st.builds(DirectoryNode, st.just(name), digests),
                st.builds(LinkNode, st.just(name), names),
            )
        )
        for name in sorted(drawn)
    ]
    return Listing(
        tuple(node for node in nodes if isinstance(node, FileNode)),
        tuple(node for node in nodes if isinstance(node, DirectoryNode)),
        tuple(node for node in nodes if isinstance(node, LinkNode)),
    )


def generated(listing: Listing) -> bytes:
    """Return the message as the generated classes write it."""
    message = reapi.Directory()
    for file in listing.files:
        node = message.files.add(name=file.name, is_executable=file.executable)
        node.digest.CopyFrom(reapi.Digest(hash=file.digest.hash, size_bytes=file.digest.size_bytes))
        if file.private:
            node.node_properties.unix_mode.value = 0o700 if file.executable else 0o600
    for directory in listing.directories:
        below = message.directories.add(name=directory.name)
        below.digest.CopyFrom(reapi.Digest(hash=directory.digest.hash, size_bytes=directory.digest.size_bytes))
    for link in listing.links:
        message.symlinks.add(name=link.name, target=link.target)
    return message.SerializeToString(deterministic=True)


@given(listings(), st.randoms(use_true_random=False))
def test_it_is_what_the_generated_classes_write(listing: Listing, order: Random) -> None:
    def mixed(nodes: tuple[object, ...]) -> list[object]:
        return order.sample(nodes, len(nodes))

    written = canonical_directory(mixed(listing.files), mixed(listing.directories), mixed(listing.links))  # type: ignore[arg-type]
    assert written == generated(listing)
    assert read_directory(written) == listing


def test_an_empty_directory_is_the_empty_blob() -> None:
    assert Digest.of(canonical_directory([], [], [])) == EMPTY
    assert read_directory(b"") == Listing()


def file(name: str) -> FileNode:
    return FileNode(name, EMPTY)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "/etc/passwd", "../x", "a\0b", "x" * 256, "ä" * 128])
@pytest.mark.parametrize(
    "make",
    [
        lambda name: Listing(files=(file(name),)),
        lambda name: Listing(directories=(DirectoryNode(name, EMPTY),)),
        lambda name: Listing(links=(LinkNode(name, "x"),)),
    ],
)
def test_a_name_is_one_component_of_a_path(name: str, make: Callable[[str], Listing]) -> None:
    with pytest.raises(MalformedTreeError):
        read_directory(generated(make(name)))


@pytest.mark.parametrize(
    "listing",
    [
        Listing(files=(file("b"), file("a"))),
        Listing(files=(file("a"), file("a"))),
        Listing(files=(file("a"),), directories=(DirectoryNode("a", EMPTY),)),
        Listing(directories=(DirectoryNode("a", EMPTY),), links=(LinkNode("a", "/etc"),)),
        Listing(links=(LinkNode("a", ""),)),
        Listing(links=(LinkNode("a", "x\0y"),)),
        Listing(links=(LinkNode("a", "x" * 4096),)),
        Listing(files=(FileNode("a", Digest("AB" * 32, 1)),)),
        Listing(files=(FileNode("a", Digest("ab" * 31, 1)),)),
        Listing(files=(FileNode("a", Digest("../" * 20, 1)),)),
        Listing(files=(FileNode("a", Digest("ab" * 32, -1)),)),
    ],
)
def test_a_tree_that_breaks_the_rules_is_refused(listing: Listing) -> None:
    with pytest.raises(MalformedTreeError):
        read_directory(generated(listing))


@given(st.binary(max_size=300))
def test_any_content_is_a_directory_or_refused(content: bytes) -> None:
    try:
        read_directory(content)
    except MalformedTreeError:
        return
