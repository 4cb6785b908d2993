"""Output that waits while a shell has the terminal."""

import io

import pytest

from outspread.cli import held_output
from outspread.cli.held_output import HeldOutput


def made(errors: str = "strict") -> tuple[io.BytesIO, HeldOutput]:
    raw = io.BytesIO()
    return raw, HeldOutput(io.TextIOWrapper(raw, encoding="utf-8", errors=errors))


def test_it_passes_is_held_and_comes_in_order() -> None:
    raw, held = made()
    held.text.write("one\n")
    held.text.flush()
    assert raw.getvalue() == b"one\n"
    held.text.write("two\n")
    held.hold()
    assert raw.getvalue() == b"one\ntwo\n"
    held.text.write("thr\u00e9e\n")
    held.text.flush()
    held.hold()
    assert raw.getvalue() == b"one\ntwo\n"
    held.let_go()
    held.let_go()
    assert raw.getvalue() == "one\ntwo\nthr\u00e9e\n".encode()
    held.text.write("four\n")
    held.text.flush()
    assert raw.getvalue().endswith(b"four\n")


def test_bytes_that_are_no_text_survive() -> None:
    raw, held = made("surrogateescape")
    held.hold()
    held.text.write("caf\udce9\n")
    held.let_go()
    assert raw.getvalue() == b"caf\xe9\n"


def test_much_of_it_goes_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_output, "_IN_MEMORY_BYTES", 100)
    raw, held = made()
    held.hold()
    held.text.write("x" * 300_000)
    held.let_go()
    assert raw.getvalue() == b"x" * 300_000


def test_it_is_what_it_writes_to() -> None:
    _, held = made()
    assert not held.text.isatty()
    assert (held.text.encoding, held.text.errors) == ("utf-8", "strict")
