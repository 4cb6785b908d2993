"""How far the project's content is on its way to a machine, where that takes long."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import IO

EACH_S = 5.0


class SendingWatch:
    """While entered, calls ``told`` each ``EACH_S`` seconds: bytes taken of ``archive`` so far, all there are, seconds so far.

    What was taken is on its way at least: no more than a few pieces are held back.
    """

    def __init__(self, archive: IO[bytes], told: Callable[[int, int, float], None]) -> None:
        self._archive = archive
        self._told = told

    def __enter__(self) -> None:
        self._size_bytes = self._archive.seek(0, os.SEEK_END)
        self._archive.seek(0)
        self._began = time.monotonic()
        self._wait()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EACH_S, self._tell)

    def _tell(self) -> None:
        self._told(self._archive.tell(), self._size_bytes, time.monotonic() - self._began)
        self._wait()
