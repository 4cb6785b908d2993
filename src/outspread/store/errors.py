"""What can go wrong with a store, by what the caller can do about it."""

from collections.abc import Iterable
from typing import Protocol

from outspread.errors import InfrastructureError, UserError


class _Named(Protocol):
    """A digest; it is not imported, as it raises errors of this module itself."""

    def __str__(self) -> str: ...


class StoreError(InfrastructureError):
    """A store, or the way to it, failed: another try may help."""


class StoreFullError(StoreError):
    """There is no room: nothing was stored. It helps to wait until there is."""


class WrongContentError(StoreError):
    """Content is not what its digest says; it was not stored, or is not served any more."""


class BlobMissingError(StoreError):
    """Blobs are not in a store, or no longer: whoever has them may put them there again. ``missing`` says which."""

    def __init__(self, missing: Iterable[_Named], *, why: str = "") -> None:
        self.missing = tuple(missing)
        first = ", ".join(str(digest) for digest in self.missing[:3])
        more = f" and {len(self.missing) - 3} more" if len(self.missing) > 3 else ""
        super().__init__(f"cannot read {first}{more}: not in the store{f' ({why})' if why else ''}", retry=False)


class OffsetError(StoreError):
    """An unfinished upload goes on at another place than the sender thinks: at ``offset``."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(f"cannot go on with the upload: {offset} bytes of it have been kept")


class MalformedDigestError(UserError):
    """Something is no digest."""


class MalformedTreeError(UserError):
    """A tree breaks the rules of its form, or would write outside its directory. Nothing of it was written."""


class StoreRefusedError(UserError):
    """A store does not let us do this: the token is missing, wrong or not for this."""


class UnstorableError(UserError):
    """A directory holds what no tree can hold, such as a socket."""
