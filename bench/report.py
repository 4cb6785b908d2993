"""The table that ``make bench`` prints."""

import sys

from msgspec import Struct


class Figure(Struct, frozen=True):
    """One measured figure. ``bound`` None: a yardstick, there to compare with."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    note: str = ""

    @property
    def within(self) -> bool:
        return self.bound is None or self.value <= self.bound


def print_heading(title: str) -> None:
    sys.stdout.write(f"\n{title}\n")


def print_figure(figure: Figure) -> None:
    """Print a line: the figure, its bound, how much of the bound it uses up."""
    line = f"  {figure.name:<62} {figure.value:>9.2f} {figure.unit:<5}"
    if figure.bound is not None:
        verdict = "ok" if figure.within else "OVER"
        line += f" bound {figure.bound:>8.2f}   {figure.value / figure.bound:>5.2f} of it   {verdict}"
    sys.stdout.write(f"{line}   {figure.note}".rstrip() + "\n")
    sys.stdout.flush()
