"""The reason of a failure on an SSH connection, as a phrase."""

import asyncssh


def reason(error: Exception | None) -> str:
    """Return why; None is how asyncssh says that the other end closed in good order."""
    if error is None:
        return "it closed the connection"
    if isinstance(error, BrokenPipeError):  # we were the first to notice
        return "the connection broke"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, asyncssh.ConnectionLost) and error.reason == "Connection lost":
        return "the connection broke"
    text = str(error)
    return text[:1].lower() + text[1:] if text else type(error).__name__
