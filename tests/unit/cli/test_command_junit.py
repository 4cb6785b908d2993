"""A run of command jobs as JUnit XML."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.cli.command_junit import case
from outspread.cli.terminal_text import shown_text
from outspread.controller.command_values import CommandAttempt, CommandJobStatus
from outspread.controller.values import JobState, Outcome


def job(name: str, outcome: Outcome | None, reason: str = "") -> CommandJobStatus:
    attempt = CommandAttempt("r1.0.1", name, 0, 1, "ann", outcome, run_s=2.0, reason=reason)
    state = JobState.CANCELLED if outcome is None else JobState.DONE
    return CommandJobStatus("r1", 0, name, state, outcome, False, "", 0, (attempt,))


@given(st.binary(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_case_is_valid_xml_whatever_was_printed(log: bytes, name: str) -> None:
    element = ET.fromstring(case(job(name, Outcome.FAILED, name), shown_text(log.decode("utf-8", "replace")), suite=name))
    assert element.find("failure") is not None
    assert float(element.attrib["time"]) == 2.0


@pytest.mark.parametrize(
    ("outcome", "child"),
    [
        (Outcome.PASSED, []),
        (Outcome.FAILED, ["failure"]),
        (Outcome.TIMEOUT, ["failure"]),
        (Outcome.INFRA, ["error"]),
        (Outcome.CANCELLED, ["skipped"]),
        (None, ["skipped"]),
    ],
)
def test_each_outcome_has_its_element(outcome: Outcome | None, child: list[str]) -> None:
    element = ET.fromstring(case(job("a", outcome), "", suite="p"))
    assert [each.tag for each in element] == child
    assert (element.attrib["classname"], element.attrib["name"]) == ("p", "a")
