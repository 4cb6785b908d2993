"""A tar is taken apart the same however it is cut, and a lying one is refused."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.machines.tar_reader import EntryKind, TarEntry, TarFormatError, TarReader

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def packed(members: list[tuple[tarfile.TarInfo, bytes]], tar_format: int = tarfile.GNU_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tar_format) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def read(raw: bytes, step: int = 0) -> list[tuple[TarEntry, bytes]]:
    reader = TarReader()
    found: list[tuple[TarEntry, bytearray]] = []
    step = step or len(raw) or 1
    for start in range(0, len(raw), step):
        for event in reader.feed(raw[start : start + step]):
            if isinstance(event, TarEntry):
                found.append((event, bytearray()))
            else:
                found[-1][1].extend(event)
    reader.finish()
    return [(entry, bytes(content)) for entry, content in found]


def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode, made.mtime = kind, target, 0o640, 1_700_000_000
    return made


@pytest.mark.parametrize("tar_format", FORMATS)
def test_kinds(tar_format: int) -> None:
    raw = packed(
        [
            (info("d", tarfile.DIRTYPE), b""),
            (info("d/f"), b"content"),
            (info("d/s", tarfile.SYMTYPE, "f"), b""),
            (info("d/h", tarfile.LNKTYPE, "d/f"), b""),
            (info("d/p", tarfile.FIFOTYPE), b""),
            (info("d/c", tarfile.CHRTYPE), b""),
            (info("z"), b"x" * 512),
        ],
        tar_format,
    )
    entries = read(raw)
    assert [(entry.name.rstrip("/"), entry.kind) for entry, _ in entries] == [
        ("d", EntryKind.DIRECTORY),
        ("d/f", EntryKind.FILE),
        ("d/s", EntryKind.SYMLINK),
        ("d/h", EntryKind.HARD_LINK),
        ("d/p", EntryKind.OTHER),
        ("d/c", EntryKind.OTHER),
        ("z", EntryKind.FILE),
    ]
    assert entries[1] == (TarEntry("d/f", EntryKind.FILE, 0o640, 7, 1_700_000_000.0), b"content")
    assert [entry.target for entry, _ in entries[2:4]] == ["f", "d/f"]
    assert entries[-1][1] == b"x" * 512


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=150),
            st.binary(max_size=1500),
        ),
        max_size=5,
    ),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(1, 2000),
)
def test_round_trip_however_it_is_cut(files: list[tuple[str, bytes]], tar_format: int, step: int) -> None:
    raw = packed([(info(name), content) for name, content in files], tar_format)
    assert [(entry.name, content) for entry, content in read(raw, step)] == files


@given(st.binary(max_size=3000))
def test_anything_else_is_refused_or_empty(raw: bytes) -> None:
    reader = TarReader()
    try:
        events = list(reader.feed(raw))
    except TarFormatError:
        return
    assert events == []
    with pytest.raises(TarFormatError):
        reader.finish()


@given(st.data())
def test_a_changed_byte_never_does_worse_than_an_error(data: st.DataObject) -> None:
    raw = bytearray(packed([(info("a" * 120), b"x" * 700), (info("b"), b"y")], data.draw(st.sampled_from(FORMATS[1:]))))
    raw[data.draw(st.integers(0, 4000))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(raw))
    except TarFormatError:
        return


def test_a_cut_archive_is_an_error() -> None:
    raw = packed([(info("a"), b"x" * 700)])
    for length in (0, 100, 512, 900, 1536):
        with pytest.raises(TarFormatError, match="cut short"):
            read(raw[:length])


@pytest.mark.parametrize("tar_format", FORMATS[1:])
def test_names_are_bounded(tar_format: int) -> None:
    with pytest.raises(TarFormatError, match="names a file with"):
        read(packed([(info("x" * 100_000), b"")], tar_format))
    with pytest.raises(TarFormatError, match="names a file with"):
        read(packed([(info("x" * 5_000), b"")], tar_format))


def test_large_sizes_are_read() -> None:
    member = info("big")
    member.size = 1 << 40
    (event,) = TarReader().feed(member.tobuf(tarfile.GNU_FORMAT))
    assert isinstance(event, TarEntry)
    assert event.size == 1 << 40
