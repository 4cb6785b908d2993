"""Attempts are bounded, and so is the time that they take."""

from outspread.store.retry_delays import retry_delays


def test_they_grow_and_end() -> None:
    delays = list(retry_delays(lambda: 0.5))
    assert delays == sorted(delays)
    assert delays[0] == 0.1
    assert 5 < sum(delays) < 15


def test_those_that_failed_together_do_not_come_back_together() -> None:
    assert next(retry_delays(lambda: 0.0)) < next(retry_delays(lambda: 0.9))
