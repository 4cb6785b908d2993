"""Who looks at a run or an attempt is woken by what happens to it, and by nothing else."""

import asyncio

from outspread.controller.command_values import AttemptEnd, JobCounts
from outspread.controller.farm.farm_changes import AttemptOver, LogWritten, RunOver
from outspread.controller.farm.lookers import Lookers
from outspread.controller.values import JobState, Outcome

_OVER = AttemptOver(
    run_id="r", number=3, attempt=1, fence=7, worker="w", begun_at=1.0, at=2.0, end=AttemptEnd(7, Outcome.PASSED), log=b"",
    decides=True, place=1, state=JobState.DONE, outcome=Outcome.PASSED, flaky=False, infra_failures=0, reason="",
)  # fmt: skip
_PIECE = LogWritten("r", 3, 1, 0, b"text")
_END = RunOver("r", passed=True, cancelled=False, counts=JobCounts(total=1), at=2.0)


async def test_each_is_woken_by_what_concerns_it() -> None:
    lookers = Lookers()
    with lookers.looking("r") as run, lookers.looking("r.3.1") as log, lookers.looking("r.2.1") as other:
        lookers.tell([_PIECE])
        assert (run.done(), log.done(), other.done()) == (False, True, False)
        with lookers.looking("r.3.1") as more:
            lookers.tell([_OVER])
            assert (run.done(), more.done(), other.done()) == (True, True, False)
        with lookers.looking("r") as last, lookers.looking("s") as stranger:
            lookers.tell([_END])
            assert (last.done(), stranger.done(), other.done()) == (True, False, False)
        lookers.tell_all()
        assert other.done()


async def test_several_look_at_the_same_and_leave_when_they_like() -> None:
    lookers = Lookers()
    with lookers.looking("r") as patient:
        with lookers.looking("r") as hasty:
            pass
        lookers.tell([_OVER])
        await asyncio.sleep(0)
        assert (patient.done(), hasty.done()) == (True, False)
    lookers.tell([_OVER])  # nobody is left
