from pathlib import Path

import msgspec

from outspread.controller.command_values import Claim, CommandJob
from outspread.worker.commands.attempt_in_hand import AttemptInHand
from outspread.worker.commands.job_limits import JobLimits


def attempt() -> AttemptInHand:
    job = msgspec.json.encode(CommandJob("j", ("true",)))
    return AttemptInHand(Claim(7, "run", 3, 2, msgspec.Raw(job)), 100.0, Path("/work/7"), JobLimits())


def test_pieces_are_numbered_and_bounded() -> None:
    it = attempt()
    content = bytes(range(256)) * 2500
    assert it.print(content, 0) == []
    pieces = it.take_log()
    assert [piece.number for piece in pieces] == [0, 1, 2]
    assert b"".join(piece.data for piece in pieces) == content
    assert it.take_log() == []


def test_what_was_left_out_stands_before_the_piece_after_it() -> None:
    it = attempt()
    it.print(b"first", 0)
    (before,) = it.print(b"last", 1000)
    (after,) = it.take_log()
    assert (before.data, before.skipped_bytes) == (b"first", 0)
    assert (after.number, after.data, after.skipped_bytes) == (1, b"last", 1000)


def test_it_is_named_as_everywhere() -> None:
    assert attempt().attempt_id == "run.3.2"
