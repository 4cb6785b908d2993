"""What a file is called in a worker's cache: by its content and by the mode that its hard links have. Pure."""

from outspread.store.digest import Digest


def file_mode(*, executable: bool, private: bool, writable: bool = False) -> int:
    """Return the mode of a file in a work tree."""
    mode = 0o555 if executable else 0o444
    if writable:
        mode |= 0o200
    return mode & 0o700 if private else mode


def cached_name(digest: Digest, *, executable: bool = False, private: bool = False) -> str:
    """Return the name of the file to link to."""
    return f"{digest.hash[:2]}/{digest.hash}.{file_mode(executable=executable, private=private):o}"


def mode_of(name: str) -> int:
    """Return the mode of the file that ``cached_name`` has named."""
    return int(name[-3:], 8)
