"""What a worker has to tell, in order, kept until it is acknowledged. Pure."""

from collections import deque
from itertools import islice
from typing import Final

from msgspec import Struct

from outspread.controller.command_values import AttemptEnd, AttemptLogPiece

#: So much of logs goes into one call, so many items at most.
_MOST_BYTES: Final = 1024 * 1024
_MOST_ITEMS: Final = 2000


class Begun(Struct, frozen=True):
    fence: int


class Returned(Struct, frozen=True):
    fence: int


Item = Begun | AttemptLogPiece | AttemptEnd | Returned


class Draft(Struct, frozen=True):
    """What one call tells: the first ``count`` items."""

    count: int
    begun: tuple[int, ...]
    pieces: tuple[AttemptLogPiece, ...]
    ended: tuple[AttemptEnd, ...]
    returned: tuple[int, ...]


class Outbox:
    """First in, first told: so the pieces of a log always come before its attempt's end."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> None:
        """Have something told."""
        self._items.append(item)

    def draw(self) -> Draft:
        """Return what the next call is to tell. The same again, and more, until it is acknowledged."""
        begun, pieces, ended, returned = list[int](), list[AttemptLogPiece](), list[AttemptEnd](), list[int]()
        count = size_bytes = 0
        for item in islice(self._items, _MOST_ITEMS):
            if isinstance(item, AttemptLogPiece):
                size_bytes += len(item.data)
                if pieces and size_bytes > _MOST_BYTES:
                    break
                pieces.append(item)
            elif isinstance(item, AttemptEnd):
                ended.append(item)
            elif isinstance(item, Begun):
                begun.append(item.fence)
            else:
                returned.append(item.fence)
            count += 1
        return Draft(count, tuple(begun), tuple(pieces), tuple(ended), tuple(returned))

    def acknowledge(self, draft: Draft) -> None:
        """Forget what was told; of drafts not acknowledged, only the last one drawn may be."""
        for _ in range(draft.count):
            self._items.popleft()
