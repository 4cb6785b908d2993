"""A store in a directory of this host: ``BlobFiles`` with its blocking calls in threads."""

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Self

from outspread.store.blob_files import BlobFiles
from outspread.store.blob_reader import DamagedError
from outspread.store.contract import CHUNK_BYTES, Source
from outspread.store.digest import EMPTY, Digest
from outspread.store.errors import BlobMissingError
from outspread.store.gathered import gathered
from outspread.store.incoming_blob import IncomingBlob
from outspread.store.read_ahead import read_ahead


class DiskStore:
    """Use as a context manager. See ``BlobFiles`` for ``sync`` and ``on_damage``."""

    def __init__(self, root: Path, *, sync: bool = True, on_damage: Callable[[Digest, Path], None] | None = None) -> None:
        self.files = BlobFiles(root, sync=sync) if on_damage is None else BlobFiles(root, sync=sync, on_damage=on_damage)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.files.close()

    async def find_missing(self, digests: Iterable[Digest]) -> set[Digest]:
        return await to_thread(self.files.missing, digests)

    async def put_blobs(self, blobs: Mapping[Digest, bytes]) -> None:
        await to_thread(self.files.put_many, blobs)

    async def put_stream(self, digest: Digest, source: Source) -> None:
        incoming = await to_thread(self.files.begin, digest)
        if incoming is None:
            return
        try:
            await self._write_all(incoming, source(incoming.offset))
            await to_thread(self.files.finish, incoming)
        finally:
            incoming.close()

    async def kept_bytes(self, digest: Digest) -> int:
        return await to_thread(self.files.kept_bytes, digest)

    async def get_blobs(self, digests: Iterable[Digest]) -> dict[Digest, bytes]:
        return await to_thread(self._read_all, digests)

    async def open_stream(self, digest: Digest, *, offset: int = 0) -> AsyncIterator[bytes]:
        if digest == EMPTY:
            return
        reader = await to_thread(self.files.open, digest, offset)
        try:
            async with aclosing(read_ahead(reader.read)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece
        except DamagedError as error:
            await to_thread(self.files.set_aside, digest)
            raise BlobMissingError([digest], why="its content was damaged") from error
        finally:
            reader.close()

    async def _write_all(self, incoming: IncomingBlob, pieces: AsyncIterator[bytes]) -> None:
        """Write ``pieces``, each while the next one comes."""
        writing: asyncio.Future[None] | None = None
        try:
            async for piece in gathered(pieces, CHUNK_BYTES):
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(to_thread(self.files.write, incoming, piece))
        finally:
            if writing is not None:
                await writing

    def _read_all(self, digests: Iterable[Digest]) -> dict[Digest, bytes]:
        return {digest: content for digest in digests if (content := self.files.read(digest)) is not None}
