"""The project's content on a machine that was used before: is it there, and take it away."""

import shlex

from outspread.errors import InfrastructureError
from outspread.machines.contract import Shell

_LOOK_WITHIN_S = 60.0
_REMOVE_WITHIN_S = 600.0
_OUTPUT_CHARACTERS = 2000


async def has_content(shell: Shell, path: str) -> bool:
    """Tell whether anything is in the directory ``path``."""
    script = f'shopt -s nullglob dotglob; entries=({shlex.quote(path)}/*); [ "${{#entries[@]}}" != 0 ]'
    return (await shell.run(script.encode(), output=lambda _piece: None, kill_after_s=_LOOK_WITHIN_S)).passed


async def remove_content(shell: Shell, path: str) -> None:
    """Empty the directory ``path``, which stays: it may be a mount point. Raises InfrastructureError when that fails."""
    said = bytearray()
    script = (
        f'cd -- {shlex.quote(path)} 2> /dev/null || exit 0; shopt -s nullglob dotglob; entries=(*); rm -rf -- "${{entries[@]}}"'
    )
    end = await shell.run(script.encode(), output=said.extend, kill_after_s=_REMOVE_WITHIN_S)
    if not end.passed:
        why = said[-_OUTPUT_CHARACTERS:].decode(errors="replace").strip() or f"exit code {end.exit_code}"
        raise InfrastructureError(f"cannot remove the content of an earlier run from {path}: {why}")
