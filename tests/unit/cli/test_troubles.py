from outspread.cli.troubles import DETAILED, Trace, Troubles, trace_of
from outspread.controller.values import ArtifactsFetched, AttemptFinished, Level, Outcome, Report, SeatClosed, StepFinished, Verb


def told(events: list[Report]) -> Troubles:
    troubles = Troubles()
    for event in events:
        troubles.feed(event)
    return troubles


def test_each_script_that_failed_and_each_lost_job_is_a_trouble(events: list[Report]) -> None:
    troubles = told(events)
    assert [(trouble.context.rpartition("/")[2], trouble.what, trouble.reason) for trouble in troubles.all()] == [
        ("bad", "execute failed", "exit code 1"),
        ("bad", "restore timed out", "kill-timeout reached after 1m"),
        ("lost", "machine lost", "connection lost"),
    ]


def test_a_trace_is_fit_to_be_shown_and_has_its_debug_output(events: list[Report]) -> None:
    first = told(events).all()[0]
    assert first.trace == Trace(("+ grep caf\ufffd menu", "+ false"))
    assert first.debug == Trace(("disk full",))


def test_artifacts_and_machines_are_remembered(events: list[Report]) -> None:
    troubles = told(events)
    assert troubles.missing_artifacts == {"lab:debian-12:tests/good": ("core",), "lab:debian-12:tests/bad": ("log.txt",)}
    assert troubles.machines() == ["lab:debian-12: cannot discard lab:debian-12 (d1): gone"]


def test_a_machine_lost_after_the_verdict_is_told_once() -> None:
    lost_job = AttemptFinished(0.0, "s", 1, "a:b:c/d", 1, Outcome.INFRA, 1.0, reason="it went away")
    closed = [SeatClosed(1.0, "s", 1, "it went away", lost=True), SeatClosed(1.0, "s", 2, "the other too", lost=True)]
    assert told([lost_job, *closed]).machines() == ["machine lost: the other too"]


def test_a_failed_attempt_without_a_failed_script_is_a_trouble_too() -> None:
    troubles = told([AttemptFinished(0.0, "s", 1, "a:b:c/d", 1, Outcome.TIMEOUT, 1.0, reason="too long")])
    assert [(trouble.what, trouble.reason) for trouble in troubles.all()] == [("execute timed out", "too long")]


def test_a_trace_is_the_last_forty_lines() -> None:
    trace = trace_of("".join(f"line {number}\n" for number in range(100)))
    assert trace.left_out == 60
    assert (trace.lines[0], trace.lines[-1], len(trace.lines)) == ("line 60", "line 99", 40)


def test_a_flood_is_counted_but_not_looked_at() -> None:
    trace = trace_of("x\n" * 100_000 + "the end\n")
    assert (len(trace.lines), trace.left_out) == (40, 100_001 - 40)


def test_an_endless_line_is_cut() -> None:
    (line,) = trace_of("y" * 5000).lines
    assert len(line) < 2100
    assert line.endswith("(... 3000 more)")


def test_traces_are_kept_of_those_only_that_are_shown_with_them() -> None:
    steps: list[Report] = [
        StepFinished(
            1.0, Verb.EXECUTE, Level.TASK, f"j{number}", "s", "", "a", "b", job=f"j{number}", outcome=Outcome.FAILED, output="x\n"
        )
        for number in range(DETAILED + 100)
    ]
    kept = [trouble.context for trouble in told(steps).all() if trouble.trace.lines]
    assert kept == [*(f"j{number}" for number in range(DETAILED)), f"j{DETAILED + 99}"]


def test_names_of_artifacts_cannot_harm_a_terminal() -> None:
    troubles = told([ArtifactsFetched(1.0, "j", "s", 0, ("a\x1b[2J\nb",))])
    assert troubles.missing_artifacts == {"j": ("a / b",)}
