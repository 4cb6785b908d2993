"""The errors of Outspread, by what the caller can do about them.

Every message says what could not be done, to what, and why; ``hint`` says what to do about it where that is known.
Foreign exceptions are translated into these at the boundary of the room that meets them.
"""


class OutspreadError(Exception):
    """Something that could not be done; the command line prints it as one line and exits with ``exit_code``."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(OutspreadError):
    """What was asked or written cannot be done as it stands: mend it and call again."""


class NotFoundError(UserError):
    """There is nothing of this name."""


class ConflictError(UserError):
    """There is something else of this name already."""


class RefusedError(UserError):
    """Who asked may not do this: a token is missing, is not valid, or has another role."""


class UsageError(UserError):
    """The command line itself is wrong."""

    exit_code = 2


class InfrastructureError(OutspreadError):
    """A machine, a connection or a disk failed: no verdict on any test; another try or another machine may help."""

    def __init__(self, message: str, *, hint: str = "", retry: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.retry = retry


class ConnectionLostError(InfrastructureError):
    """The way into a machine broke while it was in use; the machine must be taken for lost."""


class NotReadyError(ConnectionLostError):
    """A machine does not answer: it may still be booting, or be gone."""
