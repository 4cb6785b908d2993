from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.controller.attempt_logs import AttemptLogs, log_bytes, log_text, shortened


@given(st.binary())
def test_any_bytes_survive_as_text(data: bytes) -> None:
    assert log_bytes(log_text(data)) == data


def test_a_surrogate_that_no_byte_became_is_kept() -> None:
    assert log_bytes("\ud800") == b"\xed\xa0\x80"


@pytest.mark.parametrize("size", [0, 9, 10])
def test_what_is_not_longer_than_the_limit_is_kept_whole(size: int) -> None:
    assert shortened(b"x" * size, 10) == b"x" * size


def test_the_middle_of_a_long_log_is_left_out() -> None:
    assert shortened(b"12345abcdefg67890", 10) == b"12345\n[... 7 bytes left out ...]\n67890"


def test_logs_of_a_run_stand_one_after_the_other(tmp_path: Path) -> None:
    logs = AttemptLogs(tmp_path / "logs")
    first = logs.append("r", "eins\n")
    other = logs.append("q", "other")
    logs.finish("r")
    second = logs.append("r", "z\udcffwei")
    logs.sync()
    assert (tmp_path / "logs" / "r.log").read_bytes() == b"eins\nz\xffwei"
    assert [logs.read("r", first), logs.read("r", second), logs.read("q", other)] == [b"eins\n", b"z\xffwei", b"other"]
    logs.close()


def test_a_removed_log_reads_as_nothing(tmp_path: Path) -> None:
    logs = AttemptLogs(tmp_path)
    piece = logs.append("r", "text")
    logs.remove("r")
    logs.remove("r")
    assert logs.read("r", piece) == b""
    assert list(tmp_path.iterdir()) == []
