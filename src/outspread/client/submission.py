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


def new_run_id(*, at: float | None = None) -> str:
    """Return an id that no other run has: when, and ten random digits."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(at))
    return f"{moment}-{secrets.token_hex(5)}"


async def submit(
    port: CommandPort,
    store: Store,
    drafts: Sequence[Draft],
    *,
    run: CommandRun,
    excluded: Sequence[str],
    stat_cache: Path,
    uploaded: Callable[[Path, TreeUpload], None],
) -> CommandRunStatus:
    """Upload the inputs of ``drafts`` and submit them as the jobs of ``run``; ``uploaded`` is told of each directory."""
    digests: dict[Path, str] = {}
    for directory in {draft.inputs for draft in drafts if draft.inputs is not None}:
        if not directory.is_dir():
            raise UserError(f"cannot upload {directory}: it is no directory")
        ignore = ignored_files(directory, excluded)
        upload = await upload_tree(store, directory, ignore=ignore, stat_cache=stat_cache)
        digests[directory] = str(upload.root)
        uploaded(directory, upload)
    jobs = tuple(
        draft.job if draft.inputs is None else structs.replace(draft.job, inputs=digests[draft.inputs]) for draft in drafts
    )
    return await port.submit_commands(structs.replace(run, jobs=jobs))
