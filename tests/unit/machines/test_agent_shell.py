"""What a machine answers is taken at its word only where that makes sense."""

from pathlib import Path

import pytest

from outspread.machines.agent_shell import _PackReply
from outspread.machines.tar_reader import TarFormatError
from outspread.machines.tree_writer import TreeWriter


def missing(tmp_path: Path, *pieces: bytes, patterns: int = 3) -> list[int]:
    with TreeWriter(tmp_path) as writer:
        reply = _PackReply(writer, patterns, lambda piece: (piece,))
        for piece in pieces:
            reply.feed(piece)
        assert reply.finish() == 0
        return reply.missing


def test_patterns_without_a_match(tmp_path: Path) -> None:
    assert missing(tmp_path, b"\n") == []
    assert missing(tmp_path, b"0", b"\n2\n", b"\n") == [0, 2]


@pytest.mark.parametrize("answer", [b"x\n\n", b"3\n\n", b"-1\n\n", b"\xff\n\n", b"9" * 5000, b"0\n" * 5000])
def test_what_makes_no_sense_is_refused(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(TarFormatError, match="the answer "):
        missing(tmp_path, answer)
