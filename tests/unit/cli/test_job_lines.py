import pytest

from outspread.cli.job_lines import job_line, machine_line, one_line
from outspread.controller.values import AttemptFinished, MachineFailed, Outcome


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_word_and_jobs_stand_in_a_column(outcome: Outcome) -> None:
    line = job_line(AttemptFinished(0.0, "s", 1, "a:b-1:s/t", 1, outcome, 2.0, reason="why"))
    assert line.index("a:b-1:s/t") == 11
    assert line.endswith("why") is (outcome is not Outcome.PASSED)


def test_a_reason_of_several_lines_is_one_line() -> None:
    assert one_line("\n first\x1b[2J \n\n second\r\n") == "first / second"


@pytest.mark.parametrize(("final", "verbosity", "shown"), [(True, 0, True), (False, 0, False), (False, 1, True)])
def test_trouble_with_a_machine_is_shown_when_it_is_final(final: bool, verbosity: int, shown: bool) -> None:
    line = machine_line(MachineFailed(0.0, "m", "a", "b-1", "quota\nreached", final), verbosity)
    assert line == ("a:b-1: quota / reached" if shown else "")
