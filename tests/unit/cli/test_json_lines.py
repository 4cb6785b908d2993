import io
import json

import msgspec

from outspread.cli.json_lines import JsonLines, valid_json
from outspread.cli.tally import Tally
from outspread.controller.values import Report, RunOptions


def printed(events: list[Report]) -> list[dict[str, object]]:
    out = io.StringIO()
    renderer = JsonLines(out)
    for event in events:
        renderer.feed(event)
    renderer.finish(Tally(RunOptions()))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_event_is_a_line_that_can_be_read_back(events: list[Report]) -> None:
    lines = printed(events)[:-1]
    assert len(lines) == len(events)
    clean = [event for event in events if "\udce9" not in repr(event) and "\\udce9" not in repr(event)]
    assert [msgspec.convert(line, Report, strict=False) for line in lines if line["event"] != "step-finished"] == [
        event for event in clean if type(event).__struct_config__.tag != "step-finished"
    ]


def test_bytes_that_are_no_text_are_replaced(events: list[Report]) -> None:
    outputs = [line["output"] for line in printed(events) if line["event"] == "step-finished"]
    assert "+ \x1b[31mgrep\x1b[0m caf\ufffd menu\n+ false\n" in outputs


def test_the_last_line_sums_up(events: list[Report]) -> None:
    assert printed(events)[-1] == {
        "event": "summary",
        "at": events[-1].at,
        "run_id": "run-1",
        "seed": 77,
        "passed": False,
        "jobs": {"total": 5, "passed": 1, "failed": 1, "timed_out": 0, "aborted": 1, "skipped": 1, "cancelled": 0, "lost": 1},
    }


def test_an_interrupted_run_has_a_summary_too() -> None:
    (summary,) = printed([])
    assert summary["event"] == "summary"
    assert summary["passed"] is False


def test_nested_values_are_made_valid() -> None:
    assert json.loads(valid_json({"a\udcff": ["b\udcff", 1, None]})) == {"a\ufffd": ["b\ufffd", 1, None]}
