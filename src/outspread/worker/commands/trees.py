"""What a worker needs of a store: the inputs of attempts as directories, and what they made as trees."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Trees(Protocol):
    """Failures are ``InfrastructureError``; ``UserError`` when a tree or pattern is what no other worker could use either."""

    async def materialise(self, root: str, into: Path, *, writable: tuple[str, ...]) -> Callable[[], None]:
        """Make ``into``, which must not exist, with the content of the tree ``root`` ("HASH/SIZE"). Not left when this fails.

        Files are read-only but where a pattern of ``writable`` matches. What is returned is to be called, once, when the
        directory is not in use any more; it does not remove it.
        """
        ...

    async def upload(self, directory: Path) -> str:
        """Store the content of ``directory`` and return the digest of its tree."""
        ...
