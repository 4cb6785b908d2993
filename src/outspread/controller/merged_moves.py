"""Fewer writes for the same record: of a job that moved on more than once before anything was written, one move is left. Pure."""

from collections.abc import Iterable

from msgspec import structs

from outspread.controller.changes import Change, JobMoved


def merged_moves(changes: Iterable[Change]) -> list[Change]:
    """Return ``changes`` with moves of a job that follow each other as one, in the place of the last."""
    places: dict[tuple[str, int], int] = {}
    merged: list[Change | None] = []
    for change in changes:
        if isinstance(change, JobMoved):
            job = (change.run_id, change.number)
            place = places.get(job)
            before = None if place is None else merged[place]
            if place is not None and isinstance(before, JobMoved) and before.after is change.before:
                merged[place] = None
                change = structs.replace(change, before=before.before, fence=change.fence or before.fence)  # noqa: PLW2901
            places[job] = len(merged)
        merged.append(change)
    return [change for change in merged if change is not None]
