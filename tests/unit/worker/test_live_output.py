"""What is told of a script's output while it runs."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from outspread.worker import live_output
from outspread.worker.live_output import LiveOutput


def told(pieces: list[bytes], *, pause_after: int = -1) -> list[tuple[int, str]]:
    """Return what is told of ``pieces``; after one of them there is time to tell what is there so far."""

    async def go() -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        was_told = asyncio.Event()

        def tell(number: int, text: str) -> None:
            found.append((number, text))
            was_told.set()

        live = LiveOutput(tell)
        for place, piece in enumerate(pieces):
            live.add(piece)
            if place == pause_after:
                async with asyncio.timeout(5):
                    await was_told.wait()
        live.finish()
        return found

    return asyncio.run(go())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\r", b"\n")), max_size=8))
def test_nothing_is_lost_and_every_piece_has_whole_lines(pieces: list[bytes]) -> None:
    found = told(pieces)
    whole = b"".join(pieces)
    expected = whole if whole.endswith(b"\n") or not whole else whole + b"\n"
    assert "".join(text for _, text in found) == expected.decode(errors="surrogateescape")
    assert all(text.endswith("\n") for _, text in found)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))


def test_lines_are_told_while_more_is_to_come() -> None:
    assert told([b"one\ntwo\nthr", b"ee\n", b"end"], pause_after=0) == [(1, "one\ntwo\n"), (2, "three\n"), (3, "end\n")]


def test_of_a_flood_both_ends_are_told() -> None:
    ((_, text),) = told([b"%06d\n" % number for number in range(60_000)])
    assert text.startswith("000000\n000001\n")
    assert text.endswith("059999\n")
    assert "bytes left out ...)\n" in text
    assert len(text) < 3 * live_output._KEEP_BYTES


def test_a_line_without_end_is_told_in_parts() -> None:
    found = told([b"x" * (live_output._LINE_BYTES + 1), b"y\n"], pause_after=0)
    assert [text[-2:] for _, text in found] == ["x\n", "y\n"]
