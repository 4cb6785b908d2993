"""What of a directory is not uploaded: by ``.outspreadignore`` in its top, in the form of ``.gitignore``, and by patterns."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from outspread.errors import UserError

FILE_NAME: Final = ".outspreadignore"
_ALWAYS: Final = (".git/",)


def ignored_files(directory: Path, excluded: Sequence[str]) -> Callable[[str], bool]:
    """Return whether a path, relative to ``directory``, is left out. UserError for a file that cannot be read."""
    from pathspec import GitIgnoreSpec  # late: few commands upload

    try:
        written = (directory / FILE_NAME).read_text("utf-8").splitlines()
    except FileNotFoundError:
        written = []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {directory / FILE_NAME}: {error}") from error
    spec = GitIgnoreSpec.from_lines([*_ALWAYS, *written, *excluded])

    def is_ignored(path: str) -> bool:
        # A pattern that ends in a slash means directories only, of which the path says nothing.
        return spec.match_file(path) or ((directory / path).is_dir() and spec.match_file(f"{path}/"))

    return is_ignored
