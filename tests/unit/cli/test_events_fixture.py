from typing import get_args

from outspread.controller.values import Report


def test_the_story_has_every_kind_of_event(events: list[Report]) -> None:
    assert {type(event) for event in events} == set(get_args(Report))
