from outspread.cli.spread_summary import summary_messages
from outspread.cli.tally import Tally
from outspread.controller.values import Report, RunOptions


def test_the_summary_of_a_run(events: list[Report]) -> None:
    tally = Tally(RunOptions())
    for event in events:
        tally.add(event)
    assert list(summary_messages(tally)) == [
        "Successful tasks: 1",
        "Aborted tasks: 1",
        "Skipped tasks: 1\n    - lab:debian-12:tests/needless - not on Debian",
        "Failed tasks: 1\n    - lab:debian-12:tests/bad",
        "Failed task restore: 1\n    - lab:debian-12:tests/bad",
        "Tasks without verdict: 1\n    - lab:debian-12:tests/lost",
    ]


def test_nothing_but_successes_is_two_lines() -> None:
    assert list(summary_messages(Tally(RunOptions()))) == ["Successful tasks: 0", "Aborted tasks: 0"]
