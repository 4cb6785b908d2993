"""Lines of a log: JSON for programs, words for people."""

import json
import logging

from outspread.server.log_lines import JsonFormatter, LineFormatter


def record(**fields: object) -> logging.LogRecord:
    made = logging.LogRecord("outspread.x", logging.INFO, "x.py", 1, "attempt ended", (), None)
    vars(made).update(fields)
    return made


def test_an_event_and_its_fields_are_an_object() -> None:
    told = json.loads(JsonFormatter().format(record(attempt="r.1.1", reason="a\udcffb\n", run_s=1.5)))
    assert told.pop("at") > 0
    assert told == {
        "level": "info",
        "logger": "outspread.x",
        "event": "attempt ended",
        "attempt": "r.1.1",
        "reason": "a\udcffb\n",
        "run_s": 1.5,
    }


def test_people_read_a_line() -> None:
    assert LineFormatter().format(record(attempt="r.1.1")) == "info: attempt ended attempt=r.1.1"
