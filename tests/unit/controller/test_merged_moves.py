"""What is left to be written of changes that came together."""

from outspread.controller.changes import AttemptEnded, Change, JobMoved
from outspread.controller.merged_moves import merged_moves
from outspread.controller.values import JobState, Outcome

QUEUED, CLAIMED, RUNNING, DONE = JobState.QUEUED, JobState.CLAIMED, JobState.RUNNING, JobState.DONE


def move(before: JobState, after: JobState, *, number: int = 0, run_id: str = "r", fence: int = 0, at: float = 0) -> JobMoved:
    outcome = Outcome.PASSED if after is DONE else None
    return JobMoved(run_id, number, before, after, at=at, fence=fence, attempt=1, outcome=outcome)


def test_moves_that_follow_each_other_are_one_with_the_fence_that_the_job_has() -> None:
    moves = [
        move(QUEUED, CLAIMED, fence=7, at=1),
        move(CLAIMED, RUNNING, fence=7, at=2),
        move(RUNNING, DONE, at=3),
    ]
    assert merged_moves(moves) == [move(QUEUED, DONE, fence=7, at=3)]


def test_other_jobs_and_other_runs_are_other_moves() -> None:
    moves: list[Change] = [
        move(QUEUED, CLAIMED, fence=1),
        move(QUEUED, CLAIMED, number=1, fence=1),
        move(QUEUED, CLAIMED, run_id="s", fence=1),
    ]
    assert merged_moves(moves) == moves


def test_one_that_is_left_stands_after_all_that_was_between() -> None:
    ended = AttemptEnded("r", 0, 1, Outcome.PASSED, decides=True, at=2, duration_s=1)
    assert merged_moves([move(CLAIMED, RUNNING, fence=2), ended, move(RUNNING, DONE)]) == [ended, move(CLAIMED, DONE, fence=2)]


def test_moves_that_do_not_follow_each_other_are_left_for_the_tables_to_refuse() -> None:
    moves: list[Change] = [move(QUEUED, CLAIMED, fence=1), move(RUNNING, DONE)]
    assert merged_moves(moves) == moves
