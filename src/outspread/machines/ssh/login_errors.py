"""What went wrong when logging in, in words that say what to do about it."""

import asyncio
import errno
import socket

import asyncssh

from outspread.machines.ssh.target import SshTarget

_PASSING_NUMBERS = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EPIPE,
        errno.ETIMEDOUT,
    }
)


def is_passing(error: Exception) -> bool:
    """Return whether the same attempt may do better later: nothing answered, or nothing that could talk yet."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError | asyncssh.ConnectionLost):
        return True
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    if isinstance(error, OSError):
        return error.errno in _PASSING_NUMBERS or error.errno is None  # asyncio sums up several addresses without a number
    return isinstance(error, asyncssh.DisconnectError) and error.code in (
        asyncssh.DISC_CONNECTION_LOST,
        asyncssh.DISC_BY_APPLICATION,
        asyncssh.DISC_TOO_MANY_CONNECTIONS,
    )


def explain(error: Exception, target: SshTarget) -> tuple[str, str]:
    """Return why it failed, and a hint."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _host_key(target)
    if isinstance(error, asyncssh.PermissionDenied):
        return "it takes none of the ways to log in that were offered: " + _offered(target), _login_hint(target)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return f"no way to talk that both sides know ({error.reason})", "its SSH server may be too old"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return (
            f"no answer within {target.connect_within_s:g} s",
            "check its address, and that nothing in between drops the connection",
        )
    if isinstance(error, socket.gaierror):
        return f"there is no address by the name {target.host}", "check the spelling, and the name servers"
    if isinstance(error, asyncssh.ConnectionLost):
        return "it closed the connection before anybody was logged in", ""
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on port {target.port}", "check that its SSH server runs, and the port"
    if isinstance(error, OSError):
        return error.strerror or str(error), ""
    return getattr(error, "reason", "") or str(error), ""


def _host_key(target: SshTarget) -> tuple[str, str]:
    if target.host_key:
        return "its host key is not the one it had before", "it is another machine now, or somebody stands in between"
    return (
        f"its host key is not among those of {target.known_hosts}",
        f"if that is as it should be, update the file: ssh-keygen -R '{target.host}', then ssh to it once",
    )


def _offered(target: SshTarget) -> str:
    keys = bool(target.private_key or target.key_files or target.uses_agent)
    return " and ".join(word for word, given in (("a key", keys), ("a password", bool(target.password))) if given) or "none"


def _login_hint(target: SshTarget) -> str:
    if not target.password and not target.private_key and not target.key_files:
        return "give the system a password or a key"
    return f"check the password or key, and that {target.username} may log in that way"
