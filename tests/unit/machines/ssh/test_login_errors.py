import errno
import socket

import asyncssh
import pytest

from outspread.machines.ssh.login_errors import explain, is_passing
from outspread.machines.ssh.reason import reason
from outspread.machines.ssh.target import SshTarget

TARGET = SshTarget("host", 2222, password="secret")


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
        (OSError(errno.EHOSTUNREACH, "no route"), True),
        (OSError("Multiple exceptions: refused, unreachable"), True),
        (TimeoutError(), True),
        (asyncssh.ConnectionLost("Connection lost"), True),
        (socket.gaierror(socket.EAI_AGAIN, "later"), True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), False),
        (OSError(errno.EACCES, "denied"), False),
        (asyncssh.PermissionDenied("no"), False),
        (asyncssh.HostKeyNotVerifiable("no"), False),
        (asyncssh.KeyExchangeFailed("no"), False),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception, passing: bool) -> None:
    assert is_passing(error) is passing


@pytest.mark.parametrize(
    "error",
    [
        asyncssh.PermissionDenied("no"),
        asyncssh.HostKeyNotVerifiable("no"),
        asyncssh.KeyExchangeFailed("no"),
        asyncssh.ConnectionLost("no"),
        asyncssh.ProtocolError("bad"),
        TimeoutError(),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        socket.gaierror(socket.EAI_NONAME, "unknown"),
    ],
)
def test_every_reason_is_told_and_no_secret(error: Exception) -> None:
    why, hint = explain(error, TARGET)
    assert why
    assert "secret" not in why + hint + repr(TARGET) + str(TARGET)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (None, "it closed the connection"),
        (OSError(errno.EPIPE, "Broken pipe"), "the connection broke"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "No route to host"),
        (asyncssh.ConnectionLost("Connection lost"), "the connection broke"),
        (asyncssh.ProtocolError("Window exceeded"), "window exceeded"),
        (asyncssh.ChannelOpenError(1, ""), "ChannelOpenError"),
    ],
)
def test_reasons_are_phrases(error: Exception | None, text: str) -> None:
    assert reason(error) == text
