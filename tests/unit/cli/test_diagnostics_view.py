import pytest

from outspread.cli.diagnostics_view import diagnostic_text, refuse_diagnostics, warning_lines
from outspread.errors import UserError
from outspread.project.model import Diagnostic

MANY = [Diagnostic(f"oddity {number}") for number in range(14)]


def test_a_place_and_a_hint_stand_with_the_text() -> None:
    assert diagnostic_text(Diagnostic("unknown key", "spread.yaml", 3, "did you mean prepare?")) == (
        "spread.yaml:3: unknown key (did you mean prepare?)"
    )
    assert diagnostic_text(Diagnostic("empty", "tests/one/task.yaml")) == "tests/one/task.yaml: empty"
    assert diagnostic_text(Diagnostic("odd")) == "odd"


def test_many_warnings_are_cut_and_counted() -> None:
    lines = warning_lines(MANY, every=False)
    assert len(lines) == 11
    assert lines[0] == "warning: oddity 0"
    assert lines[-1] == "warning: 4 more warnings (-v shows all)"


def test_all_warnings_when_wanted() -> None:
    assert len(warning_lines(MANY, every=True)) == 14
    assert len(warning_lines(MANY[:10], every=False)) == 10


def test_a_warning_is_no_obstacle() -> None:
    refuse_diagnostics(MANY, strict=False, running=True)
    refuse_diagnostics([], strict=True, running=True)
    refuse_diagnostics([Diagnostic("bad field", stops_run=True)], strict=False, running=False)


@pytest.mark.parametrize(("strict", "running", "stops_run"), [(True, False, False), (False, True, True)])
def test_what_makes_an_error_of_it(strict: bool, running: bool, stops_run: bool) -> None:
    with pytest.raises(UserError, match=r"^a.yaml:1: odd$"):
        refuse_diagnostics([Diagnostic("odd", "a.yaml", 1, stops_run=stops_run)], strict=strict, running=running)


def test_further_errors_are_counted() -> None:
    with pytest.raises(UserError, match=r"^oddity 0 \(and 13 more\)$"):
        refuse_diagnostics(MANY, strict=True, running=False)
