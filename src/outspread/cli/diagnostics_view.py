"""Warnings about a project, as they are printed."""

from collections.abc import Sequence

from outspread.errors import UserError
from outspread.project.model import Diagnostic

SHOWN = 10


def warning_lines(diagnostics: Sequence[Diagnostic], *, every: bool) -> list[str]:
    """Return a line for each diagnostic, or, unless ``every`` is wanted, for the first ten and how many more there are."""
    shown = diagnostics if every or len(diagnostics) <= SHOWN else diagnostics[:SHOWN]
    lines = [f"warning: {diagnostic_text(one)}" for one in shown]
    if len(shown) < len(diagnostics):
        lines.append(f"warning: {len(diagnostics) - len(shown)} more warnings (-v shows all)")
    return lines


def diagnostic_text(diagnostic: Diagnostic) -> str:
    """Return where and what on one line."""
    place = f"{diagnostic.file}:{diagnostic.line}: " if diagnostic.line else f"{diagnostic.file}: " if diagnostic.file else ""
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    return f"{place}{diagnostic.text}{hint}"


def refuse_diagnostics(diagnostics: Sequence[Diagnostic], *, strict: bool, running: bool) -> None:
    """Raise UserError when ``strict`` allows no warning at all, or when one of them stops a run that is wanted."""
    fatal = [one for one in diagnostics if strict or (running and one.stops_run)]
    if not fatal:
        return
    more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
    hint = "--strict makes errors of warnings" if strict else ""
    raise UserError(diagnostic_text(fatal[0]) + more, hint=hint)


def refuse_as_spread(diagnostics: Sequence[Diagnostic]) -> None:
    """Raise UserError, in Spread's words, for the first thing that Spread refuses and we would only warn of."""
    for one in diagnostics:
        if one.spread_error:
            raise UserError(one.spread_error, hint="outspread accepts it")
