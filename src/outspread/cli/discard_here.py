"""``discard`` beyond its arguments: find the machines that are meant in files and in the record, and give them back."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from outspread.cli.discard_machines import discard_machines, noted_machine
from outspread.cli.keep_wish import KeepWish
from outspread.cli.machines_to_discard import Discardable, kept_for, of_run, of_systems, orphans, under_their_runs, unknown
from outspread.cli.open_book import cross_out, open_book
from outspread.cli.open_ledger import open_ledger
from outspread.controller.embedded import EmbeddedController
from outspread.controller.values import MachineEntry, Report
from outspread.errors import InfrastructureError, OutspreadError
from outspread.machines.backends import backend_for
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

        return _with_record(discard)


def discard_of_run(beginning: str, *, show: Show, say: Say) -> Discarded:
    """Give back what is left of a run that is over."""
    given_back: list[Discardable] = []

    async def discard(controller: EmbeddedController) -> Discarded:
        found = of_run(await controller.machines(), beginning)
        return Discarded(len(found), await discard_machines(found, controller, done=given_back.append, show=show))

    try:
        return _with_record(discard)
    finally:
        _cross_out(given_back, say)


def discard_orphans(*, root: str = "", show: Show, say: Say) -> Discarded:
    """Give back the machines of runs whose process died; of one project if named."""
    given_back: list[Discardable] = []

    async def discard(controller: EmbeddedController) -> Discarded:
        entries = await controller.machines()
        existing = await _existing({entry.backend_type for entry in entries if not entry.run_alive})
        found = orphans(entries, existing, root=root)
        failed = await discard_machines(found, controller, done=given_back.append, show=show)
        return Discarded(len(found), failed, tuple(unknown(entries, existing)))

    try:
        return _with_record(discard)
    finally:
        _cross_out(given_back, say)


def _with_record(question: Callable[[EmbeddedController], Awaitable[Discarded]]) -> Discarded:
    async def ask() -> Discarded:
        controller = EmbeddedController(open_ledger())
        try:
            return await question(controller)
        finally:
            await controller.close()

    return asyncio.run(ask())


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


async def _existing(types: set[str]) -> list[Machine]:
    """Return the machines that backends of these types know of; a type that is not offered here knows of none."""
    machines: list[Machine] = []
    for backend_type in sorted(types):
        try:
            machines += await backend_for(backend_type).existing()
        except OutspreadError as error:
            print(f"warning: cannot ask {backend_type} for its machines: {error}", file=sys.stderr)
    return machines
