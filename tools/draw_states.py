"""Draw the state tables into the documentation: ``python tools/draw_states.py`` rewrites what stands between the marks."""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from outspread.controller.job_states import TRANSITIONS
from outspread.worker.script_order import TABLE

EXPLANATION = Path(__file__).parents[1] / "docs/explanation"


def mermaid(table: Mapping[StrEnum, Mapping[StrEnum, StrEnum]]) -> str:
    """Return a state diagram of ``table``: state -> signal -> next state; signals that lead the same way share an arrow."""
    names = {state: state.replace(" ", "_") for row in table.values() for state in row.values()} | {
        state: state.replace(" ", "_") for state in table
    }
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {names[next(iter(table))]}"]
    lines += [f'    state "{state}" as {name}' for state, name in names.items() if name != state]
    for state, row in table.items():
        targets: dict[StrEnum, list[str]] = {}
        for signal, target in row.items():
            targets.setdefault(target, []).append(signal)
        lines += [f"    {names[state]} --> {names[target]}: {', '.join(signals)}" for target, signals in targets.items()]
    lines += [f"    {name} --> [*]" for state, name in names.items() if state not in table]
    return "\n".join([*lines, "```"])


def job_table() -> dict[StrEnum, dict[StrEnum, StrEnum]]:
    """Return the transitions of jobs, by state."""
    table: dict[StrEnum, dict[StrEnum, StrEnum]] = {}
    for (state, event), target in TRANSITIONS.items():
        table.setdefault(state, {})[event] = target
    return table


DRAWINGS = {"session.md": {"script-order": mermaid(TABLE), "job-states": mermaid(job_table())}}


def with_drawings(text: str, drawings: Mapping[str, str]) -> str:
    """Return ``text`` with each drawing between its marks."""
    for name, drawing in drawings.items():
        marks = re.compile(rf"(<!-- drawing {name} -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
        text, count = marks.subn(lambda found, drawing=drawing: found[1] + drawing + found[2], text)
        if count != 1:
            raise SystemExit(f"no place for the drawing {name}")
    return text


if __name__ == "__main__":
    for page, drawings in DRAWINGS.items():
        path = EXPLANATION / page
        path.write_text(with_drawings(path.read_text(), drawings))
