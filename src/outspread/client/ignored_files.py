"""What of a directory is not uploaded: by ``.outspreadignore`` in its top, in the form of ``.gitignore``, and by patterns."""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from outspread.errors import UserError

FILE_NAME: Final = ".outspreadignore"
#: Where ``fetch`` puts things: what came out of jobs does not go into the next ones.
RESULTS_DIRECTORY: Final = "outspread-results"
_REPOSITORY: Final = ".git"
_LIMIT_BYTES: Final = 1024 * 1024


def ignored_files(directory: Path, excluded: Sequence[str]) -> Callable[[str], bool]:
    """Return whether a path, relative to ``directory``, is left out. UserError for a file that cannot be read.

    What is below a directory that is left out is not asked about.
    """
    patterns = [*_written(directory / FILE_NAME), *excluded]
    if not patterns:
        return _is_ours
    from pathspec import GitIgnoreSpec  # late: few commands upload

    matches = GitIgnoreSpec.from_lines([_REPOSITORY, f"/{RESULTS_DIRECTORY}", *patterns]).match_file
    if not any(pattern.rstrip().endswith("/") for pattern in patterns):
        return matches

    def is_ignored(path: str) -> bool:
        # A pattern that ends in a slash means directories only, of which the path says nothing.
        return matches(path) or (matches(f"{path}/") and _is_directory(directory, path))

    return is_ignored


def _is_ours(path: str) -> bool:
    return path in {_REPOSITORY, RESULTS_DIRECTORY} or path.endswith(f"/{_REPOSITORY}")


def _is_directory(directory: Path, path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(f"{directory}/{path}").st_mode)
    except OSError:
        return False  # gone: whoever asked will see


def _written(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LIMIT_BYTES + 1)
        if len(content) > _LIMIT_BYTES:
            raise UserError(f"cannot read {file}: it is longer than {_LIMIT_BYTES} bytes")
        lines = content.decode().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"cannot read {file}: it is not UTF-8") from error
    return [line for line in lines if line.strip() and not line.startswith("#")]
