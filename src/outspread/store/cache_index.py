"""Which files a cache has, which of them are in use, and which go first when there is no room. Pure; for one thread at a time."""

from collections.abc import Iterable
from typing import Final

#: When room has to be made, so much more is made, so that it is not made for every file anew.
_SPARE: Final = 0.05


class _Entry:
    __slots__ = ("last_use", "pins", "size_bytes")

    def __init__(self, size_bytes: int, last_use: float) -> None:
        self.size_bytes = size_bytes
        self.last_use = last_use
        self.pins = 0


class CacheIndex:
    """Files by name. ``used_bytes`` is what they take together, ``reserved_bytes`` what those will take that are on their way."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._entries: dict[str, _Entry] = {}
        #: Names in use that have no file yet, or none any more.
        self._awaited: dict[str, int] = {}
        self.used_bytes = 0
        self.reserved_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def add(self, name: str, size_bytes: int, last_use: float) -> None:
        """Note a file; it is in use by those who pinned its name before it came."""
        self.forget(name)
        entry = self._entries[name] = _Entry(size_bytes, last_use)
        entry.pins = self._awaited.pop(name, 0)
        self.used_bytes += size_bytes

    def forget(self, name: str) -> None:
        """Note that a file is gone."""
        if (entry := self._entries.pop(name, None)) is not None:
            self.used_bytes -= entry.size_bytes
            if entry.pins:
                self._awaited[name] = entry.pins

    def pin(self, names: Iterable[str], now: float) -> None:
        """Note one more use of each name."""
        entries, awaited = self._entries, self._awaited
        for name in names:
            if (entry := entries.get(name)) is not None:
                entry.pins += 1
                entry.last_use = now
            else:
                awaited[name] = awaited.get(name, 0) + 1

    def unpin(self, names: Iterable[str], now: float) -> None:
        """Note the end of one use of each name."""
        entries, awaited = self._entries, self._awaited
        for name in names:
            if (entry := entries.get(name)) is not None:
                entry.pins -= 1
                entry.last_use = now
            elif awaited[name] > 1:
                awaited[name] -= 1
            else:
                del awaited[name]

    def to_evict(self, needed_bytes: int) -> list[str] | None:
        """Return the files to remove, longest unused first, so that ``needed_bytes`` fit in; None if they cannot fit in."""
        surplus = self.used_bytes + self.reserved_bytes + needed_bytes - self._limit_bytes
        if surplus <= 0:
            return []
        evicted = []
        freed = 0
        goal = surplus + int(self._limit_bytes * _SPARE)
        for name, entry in sorted(self._entries.items(), key=lambda item: item[1].last_use):
            if freed >= goal:
                break
            if not entry.pins:
                evicted.append(name)
                freed += entry.size_bytes
        return evicted if freed >= surplus else None
