from itertools import product

import pytest

from outspread.controller.job_states import (
    FINAL_STATES,
    INFRA_LIMIT,
    TRANSITIONS,
    IllegalTransitionError,
    JobEvent,
    advance,
    judge,
)
from outspread.controller.values import JobState, Outcome


def test_the_way_of_a_job_that_passes() -> None:
    state = JobState.QUEUED
    for event in (JobEvent.CLAIM, JobEvent.START, JobEvent.COLLECT, JobEvent.FINISH):
        state = advance(state, event)
    assert state is JobState.DONE


@pytest.mark.parametrize(("state", "event"), sorted(set(product(JobState, JobEvent)) - set(TRANSITIONS)))
def test_what_is_not_in_the_table_is_refused(state: JobState, event: JobEvent) -> None:
    with pytest.raises(IllegalTransitionError, match=f"cannot {event} a job that is {state}"):
        advance(state, event)


def test_final_states_are_those_that_nothing_leaves_and_all_others_lead_there() -> None:
    left = {state for state, _ in TRANSITIONS}
    assert set(JobState) - left == FINAL_STATES
    leads_to_end = set(FINAL_STATES)
    for _ in JobState:
        leads_to_end |= {state for (state, _), after in TRANSITIONS.items() if after in leads_to_end}
    assert leads_to_end == set(JobState)


def test_whatever_has_an_attempt_can_lose_it() -> None:
    for state in (JobState.CLAIMED, JobState.RUNNING, JobState.COLLECTING):
        assert advance(state, JobEvent.LOSE) is JobState.QUEUED


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.INFRA}))
def test_a_verdict_decides_the_job_whatever_went_wrong_before(outcome: Outcome) -> None:
    verdict = judge(outcome, INFRA_LIMIT - 1)
    assert verdict.outcome is outcome
    assert verdict.infra_failures == INFRA_LIMIT - 1


def test_infrastructure_failures_have_their_own_limit() -> None:
    failures = 0
    decided = []
    for _ in range(INFRA_LIMIT):
        verdict = judge(Outcome.INFRA, failures)
        failures = verdict.infra_failures
        decided.append(verdict.outcome)
    assert decided == [None] * (INFRA_LIMIT - 1) + [Outcome.INFRA]
