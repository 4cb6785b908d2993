"""``discard`` beyond its arguments: find the machines that are meant in files and in the record, and give them back."""

import sys
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from outspread.cli.ask_record import ask_record
from outspread.cli.discard_machines import discard_machines, noted_machine
from outspread.cli.keep_wish import KeepWish
from outspread.cli.machines_to_discard import (
    Discardable,
    is_over,
    kept_for,
    named,
    of_run,
    of_systems,
    orphans,
    recorded,
    under_their_runs,
    unknown,
)
from outspread.cli.open_book import cross_out, open_book
from outspread.controller.embedded import EmbeddedController
from outspread.controller.values import MachineEntry, Report
from outspread.errors import InfrastructureError, OutspreadError, UserError
from outspread.machines.backends import available_types, backend_for
from outspread.machines.contract import Machine
from outspread.machines.reuse.reuse_file import reuse_path
from outspread.project.model import Project

Show = Callable[[Report], None]
Say = Callable[[str], None]


class Discarded(NamedTuple):
    """What came of it. ``unknown`` are machines that backends know of and the record does not: they were left alone."""

    found: int
    failed: int
    unknown: tuple[Machine, ...] = ()


def discard_noted(
    project: Project, systems: frozenset[tuple[str, str]] | None, wish: KeepWish, *, show: Show, say: Say
) -> Discarded:
    """Give back the machines in the reuse file that ``wish`` names; of these ``(backend, system)``, or all.

    Unless ``wish`` names a process, machines that the record has as kept for the project are meant, too.
    """
    root = Path(project.root)
    if wish.reuse_pid and not reuse_path(root, wish.reuse_pid).exists():
        return Discarded(0, 0)
    with open_book(root, wish, say=say) as book:

        async def discard(controller: EmbeddedController) -> Discarded:
            noted = [noted_machine(entry, project) for entry in book.entries]
            entries = await _entries(controller)
            found = under_their_runs(noted, entries)
            if not wish.reuse_pid:
                found += kept_for(project.root, entries, noted)
            found = of_systems(found, systems)
            return Discarded(
                len(found), await discard_machines(found, controller, done=lambda one: book.forget(one.machine), show=show)
            )

        return ask_record(discard)


def discard_of_run(beginning: str, *, show: Show, say: Say) -> Discarded:
    """Give back what is left of a run that is over."""
    return _discard_chosen(lambda entries: of_run(entries, beginning), show=show, say=say)


def discard_orphans(*, root: str = "", show: Show, say: Say) -> Discarded:
    """Give back the machines of runs whose process died; of one project if named."""
    given_back: list[Discardable] = []

    async def discard(controller: EmbeddedController) -> Discarded:
        entries = await controller.machines()
        existing = await _existing({entry.backend_type for entry in entries if not entry.run_alive})
        found = orphans(entries, existing, now=time.time(), root=root)
        failed = await discard_machines(found, controller, done=given_back.append, show=show)
        return Discarded(len(found), failed, tuple(unknown(entries, existing)))

    try:
        return ask_record(discard)
    finally:
        _cross_out(given_back, say)


def machines_here() -> tuple[Sequence[MachineEntry], Sequence[Machine]]:
    """Return the machines of the record, and those that the backends there know of and the record does not."""

    async def look(controller: EmbeddedController) -> tuple[Sequence[MachineEntry], Sequence[Machine]]:
        entries = await controller.machines()
        recorded_types = {entry.backend_type for entry in entries}
        existing = await _existing(recorded_types | available_types(), silent=available_types() - recorded_types)
        return entries, unknown(entries, existing)

    return ask_record(look)


def discard_machine(name: str, *, show: Show, say: Say) -> Discarded:
    """Give back one machine, which no run uses. Raises UserError when a run does."""

    def chosen(entries: Sequence[MachineEntry]) -> list[Discardable]:
        entry = named(entries, name)
        if entry.run_alive:
            raise UserError(f"cannot discard {entry.name or name}: a run uses it", hint="stop the run first")
        return [recorded(entry)]

    return _discard_chosen(chosen, show=show, say=say)


def discard_expired(run_id: str, *, show: Show, say: Say) -> Discarded:
    """Give back the machines whose hold is over; of one run if named."""

    def chosen(entries: Sequence[MachineEntry]) -> list[Discardable]:
        now = time.time()
        return [recorded(entry) for entry in entries if entry.run_id.startswith(run_id) and is_over(entry, now)]

    return _discard_chosen(chosen, show=show, say=say)


def _discard_chosen(chosen: Callable[[Sequence[MachineEntry]], list[Discardable]], *, show: Show, say: Say) -> Discarded:
    given_back: list[Discardable] = []

    async def discard(controller: EmbeddedController) -> Discarded:
        found = chosen(await controller.machines())
        return Discarded(len(found), await discard_machines(found, controller, done=given_back.append, show=show))

    try:
        return ask_record(discard)
    finally:
        _cross_out(given_back, say)


def _cross_out(given_back: Sequence[Discardable], say: Say) -> None:
    for root in sorted({one.root for one in given_back if one.root}):
        cross_out(Path(root), [one.machine for one in given_back if one.root == root], say=say)


async def _entries(controller: EmbeddedController) -> Sequence[MachineEntry]:
    """Return what the record says; nothing when it cannot be read, for a reuse file says enough."""
    try:
        return await controller.machines()
    except InfrastructureError as error:
        print(f"warning: {error}", file=sys.stderr)
        return ()


async def _existing(types: Set[str], *, silent: Set[str] = frozenset()) -> list[Machine]:
    """Return the machines that backends of these types know of; that one cannot be asked is said, unless it is ``silent``."""
    machines: list[Machine] = []
    for backend_type in sorted(types):
        try:
            machines += await backend_for(backend_type).existing()
        except OutspreadError as error:
            if backend_type not in silent:
                print(f"warning: cannot ask {backend_type} for its machines: {error}", file=sys.stderr)
    return machines
