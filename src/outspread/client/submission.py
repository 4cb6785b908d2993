"""Submit drafts: upload what they need, once each, and hand in the run under an id of our own, so that nothing happens twice."""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import structs

from outspread.client.drafts import Draft
from outspread.client.ignored_files import ignored_files
from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandRun, CommandRunStatus
from outspread.errors import UserError
from outspread.store.contract import Store
from outspread.store.upload import TreeUpload, upload_tree


def new_run_id(at: float | None = None) -> str:
    """Return an id that no other run has: when (now, unless told), and ten random digits."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(at))
    return f"{moment}-{secrets.token_hex(5)}"


async def upload_inputs(
    store: Store,
    drafts: Sequence[Draft],
    *,
    excluded: Sequence[str],
    stat_cache: Path,
    uploaded: Callable[[Path, TreeUpload], None],
) -> dict[Path, str]:
    """Return the digest of each directory that drafts need, when all of it is in the store; ``uploaded`` is told of each.

    UserError for what is no directory, or cannot be in a tree.
    """
    digests: dict[Path, str] = {}
    for directory in dict.fromkeys(draft.inputs for draft in drafts if draft.inputs is not None):
        if not directory.is_dir():
            raise UserError(f"cannot upload {directory}: it is no directory")
        upload = await upload_tree(store, directory, ignore=ignored_files(directory, excluded), stat_cache=stat_cache)
        digests[directory] = str(upload.root)
        uploaded(directory, upload)
    return digests


async def submit(port: CommandPort, drafts: Sequence[Draft], digests: dict[Path, str], *, run: CommandRun) -> CommandRunStatus:
    """Submit ``drafts`` as the jobs of ``run``, with their inputs as they were uploaded."""
    jobs = tuple(
        draft.job if draft.inputs is None else structs.replace(draft.job, inputs=digests[draft.inputs]) for draft in drafts
    )
    return await port.submit_commands(structs.replace(run, jobs=jobs))
