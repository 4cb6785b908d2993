import pytest

from outspread.cli.job_lines import job_line, machine_line, one_line, sent_so_far
from outspread.controller.values import AttemptFinished, ContentProgress, MachineFailed, Outcome


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


@pytest.mark.parametrize(
    ("sent", "total", "took_s", "text"),
    [
        (0, 2_000_000, 5.0, "0.0 of 2.0 MB (0%), 0.0 MB/s"),
        (1_999_999, 2_000_000, 5.0, "2.0 of 2.0 MB (99%), 0.4 MB/s"),
        (120_000_000, 200_000_000, 10.0, "120 of 200 MB (60%), 12 MB/s"),
        (0, 0, 0.0, "0.0 of 0.0 MB (0%), 0.0 MB/s"),
    ],
)
def test_how_far_sending_is(sent: int, total: int, took_s: float, text: str) -> None:
    assert sent_so_far(ContentProgress(0.0, "m1", "lab:debian-12", sent, total, took_s)) == text
