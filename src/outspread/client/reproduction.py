"""Make an attempt's surroundings again here: its input tree, and a script that runs its command as the worker did."""

import shlex
import tempfile
from pathlib import Path
from typing import Final

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandAttempt, CommandJob
from outspread.errors import UserError
from outspread.store.blob_cache import BlobCache
from outspread.store.contract import Store
from outspread.store.digest import Digest
from outspread.store.materialise import materialise

_CACHE_BYTES: Final = 8 * 1024**3


def script(job: CommandJob, attempt: CommandAttempt) -> str:
    """Return a shell script that runs the job's command beside it, in ``tree``; with arguments, those instead."""
    exports = {
        "OUTSPREAD_RUN": attempt.attempt_id.split(".", 1)[0],
        "OUTSPREAD_JOB": job.name,
        "OUTSPREAD_ATTEMPT": str(attempt.attempt),
        **job.environment,
    }
    lines = [
        "#!/bin/sh",
        f"# {' '.join(job.name.split())}",
        'cd "$(dirname "$0")/tree" || exit 1',
        *([f"cd {shlex.quote(job.directory)} || exit 1"] if job.directory else []),
        *(f"export {name}={shlex.quote(value)}" for name, value in exports.items()),
        'if [ $# -gt 0 ]; then exec "$@"; fi',
        f"exec {shlex.join(job.command)}",
    ]
    return "".join(f"{line}\n" for line in lines)


async def reproduce(port: CommandPort, store: Store, attempt: CommandAttempt, into: Path) -> Path:
    """Make ``into``, which must not exist, with the tree and the script; return the script's path."""
    _check_new(into)
    run_id = attempt.attempt_id.rsplit(".", 2)[0]
    (job,) = (await port.submission(run_id, (attempt.number,))).jobs
    with tempfile.TemporaryDirectory(prefix=".reproducing-", dir=into.parent) as scratch:
        unfinished = Path(scratch) / "work"
        unfinished.mkdir()
        if job.inputs:
            with BlobCache(Path(scratch) / "cache", store, limit_bytes=_CACHE_BYTES) as cache:
                tree = await materialise(cache, Digest.parse(job.inputs), unfinished / "tree", writable=True)
                tree.release()
        else:
            (unfinished / "tree").mkdir()
        _write_script(unfinished / "run", script(job, attempt))
        unfinished.rename(into)
    return into / "run"


def _check_new(into: Path) -> None:
    if into.exists():
        raise UserError(f"cannot reproduce into {into}: it exists already")
    into.parent.mkdir(parents=True, exist_ok=True)


def _write_script(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")
    file.chmod(0o755)
