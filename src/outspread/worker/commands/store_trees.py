"""Trees in a store, by way of the worker's cache of blobs."""

from collections.abc import Callable
from pathlib import Path

from outspread.store.blob_cache import BlobCache
from outspread.store.digest import Digest
from outspread.store.materialise import materialise
from outspread.store.upload import upload_tree


class StoreTrees:
    """Implements ``Trees`` with the store behind ``cache``."""

    def __init__(self, cache: BlobCache) -> None:
        self._cache = cache

    async def materialise(self, root: str, into: Path, *, writable: tuple[str, ...]) -> Callable[[], None]:
        """Link what is in the cache, fetched if need be."""
        return (await materialise(self._cache, Digest.parse(root), into, writable=writable)).release

    async def upload(self, directory: Path) -> str:
        """Send what the store does not have."""
        return str((await upload_tree(self._cache.store, directory)).root)
