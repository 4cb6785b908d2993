"""What a controller's answer that is none means, as an error. Pure."""

from typing import Final

import msgspec
from msgspec import Struct

from outspread.errors import ConflictError, InfrastructureError, NotFoundError, OutspreadError, RefusedError, UserError

_SHOWN_CHARACTERS: Final = 300
_TOKEN_HINT: Final = "give a token of the right role"  # noqa: S105 # words for people


class _Problem(Struct, frozen=True):
    message: str
    hint: str = ""


class _Refusal(Struct, frozen=True):
    error: _Problem


def error_of(url: str, status: int, content: bytes) -> OutspreadError:
    """Return the error for an answer of the controller at ``url``, or of something on the way to it."""
    try:
        problem = msgspec.json.decode(content, type=_Refusal).error
    except msgspec.MsgspecError:
        text = " ".join(content.decode(errors="replace").split())[:_SHOWN_CHARACTERS]
        problem = _Problem(f"it says {status}" + (f": {text}" if text else ""))
        if status < 500:
            return InfrastructureError(
                f"cannot use {url}: {problem.message}", hint="is there a controller at this URL?", retry=False
            )
    message, hint = problem.message, problem.hint
    match status:
        case 404:
            return NotFoundError(message, hint=hint)
        case 409:
            return ConflictError(message, hint=hint)
        case 401 | 403 | 429:
            return RefusedError(f"{url} refuses: {message}", hint=hint or _TOKEN_HINT)
        case _ if status < 500:
            return UserError(message, hint=hint)
    return InfrastructureError(f"cannot use the controller at {url}: {message}", hint=hint, retry=status != 500)
