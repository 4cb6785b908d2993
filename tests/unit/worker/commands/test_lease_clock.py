from hypothesis import given
from hypothesis import strategies as st

from outspread.worker.commands.lease_clock import LeaseClock


def test_a_lease_counts_from_when_the_call_was_sent() -> None:
    clock = LeaseClock(30.0)
    assert clock.take(1, sent=100.0) == 130.0
    assert clock.lapsed(129.9) == []
    assert clock.lapsed(130.0) == [1]


def test_an_answer_that_comes_late_shortens_nothing() -> None:
    clock = LeaseClock(30.0)
    clock.take(1, sent=100.0)
    assert clock.renew([1], sent=110.0) == {1: 140.0}
    assert clock.renew([1], sent=105.0) == {}
    assert clock.lapsed(139.0) == []


def test_what_was_dropped_meanwhile_is_not_renewed() -> None:
    clock = LeaseClock(30.0)
    clock.take(1, sent=100.0)
    clock.drop(1)
    assert clock.renew([1], sent=110.0) == {}
    assert clock.fences() == ()


@given(st.lists(st.floats(min_value=0, max_value=1000), min_size=1))
def test_the_deadline_is_that_of_the_latest_call_that_was_answered_or_a_moment_earlier(sent: list[float]) -> None:
    clock = LeaseClock(30.0)
    clock.take(1, sent=sent[0])
    for at in sent[1:]:
        clock.renew([1], sent=at)
    assert clock.lapsed(max(sent) + 28.999) == []
    assert clock.lapsed(max(sent) + 30.0) == [1]
