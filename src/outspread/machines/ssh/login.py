"""Log in to a machine: which keys and passwords are offered, which host keys are trusted, how long a silent machine is tried."""

import asyncio
import random
import socket
from pathlib import Path

import asyncssh
from asyncssh.known_hosts import KnownHostsArg

from outspread.errors import ConnectionLostError, InfrastructureError, UserError
from outspread.machines.ssh.address import address_text
from outspread.machines.ssh.login_errors import explain, is_passing
from outspread.machines.ssh.target import SshTarget

#: The cheapest first: with processors made for it AES-GCM costs half of what others do. Old machines may have CTR only.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
_UNANSWERED_QUESTIONS = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0


async def log_in(target: SshTarget, connected: socket.socket | None = None) -> asyncssh.SSHClientConnection:
    """Return a connection on which the user is logged in; made over ``connected`` if there is such a socket already.

    A machine that is not there is tried for ``patience_s``, then it is a ConnectionLostError; whatever refuses us is an
    InfrastructureError at once, since asking again would get the same answer.
    """
    try:
        options = _options(target)
    except UserError:
        if connected is not None:
            connected.close()
        raise
    loop = asyncio.get_running_loop()
    deadline = loop.time() + target.patience_s
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            first, connected = connected, None  # only the first try has it
            return await _connect(target, options, first)
        except (OSError, asyncssh.Error) as error:
            if not is_passing(error) or loop.time() + pause_s >= deadline:
                raise _translated(target, error) from error
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - not to come all at once
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


async def _connect(
    target: SshTarget, options: asyncssh.SSHClientConnectionOptions, connected: socket.socket | None
) -> asyncssh.SSHClientConnection:
    """Connect once.

    asyncssh waits with ``asyncio.wait_for``, which until Python 3.12 forgets that it was cancelled when what it waits for ends in
    the same moment. Whoever cancelled us would wait for ever.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        if connected is not None:
            connection = await asyncssh.connect(sock=connected, options=options)
        else:
            connection = await asyncssh.connect(target.host, target.port, options=options)
    except (OSError, asyncssh.Error) as error:
        if task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise
    if task.cancelling() > before:
        connection.abort()
        raise asyncio.CancelledError
    return connection


def host_key(connection: asyncssh.SSHClientConnection) -> str:
    """Return the key that the machine proved to have, as a target takes it."""
    key = connection.get_server_host_key()
    assert key is not None, "logged in"
    return " ".join(key.export_public_key().decode().split()[:2])


def _translated(target: SshTarget, error: OSError | asyncssh.Error) -> InfrastructureError:
    place = f"{target.username}@{address_text(target.host, target.port)}"
    why, hint = explain(error, target)
    if is_passing(error):
        return ConnectionLostError(f"cannot connect to {place}: {why}", hint=hint)
    return InfrastructureError(f"cannot log in as {place}: {why}", hint=hint, retry=False)


def _options(target: SshTarget) -> asyncssh.SSHClientConnectionOptions:
    keys = _keys(target)
    methods = ["publickey"] if keys or target.uses_agent else []
    if target.password:
        methods += ["password", "keyboard-interactive"]
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        username=target.username,
        password=target.password or None,
        client_keys=[*keys] if keys else () if target.uses_agent else None,
        agent_path=() if target.uses_agent else None,
        passphrase=target.passphrase or None,
        preferred_auth=methods or ["none"],
        known_hosts=_trusted(target),
        encryption_algs=list(_CIPHERS),
        compression_algs=["none"],  # what pays to be compressed is, before it is sent
        connect_timeout=target.connect_within_s,
        login_timeout=target.connect_within_s * 3,
        keepalive_interval=target.keepalive_s,
        keepalive_count_max=_UNANSWERED_QUESTIONS,
    )


def _keys(target: SshTarget) -> list[asyncssh.SSHKey]:
    keys = []
    try:
        if target.private_key:
            keys.append(asyncssh.import_private_key(target.private_key, target.passphrase or None))
        for file in target.key_files:
            keys += asyncssh.read_private_key_list(Path(file).expanduser(), target.passphrase or None)
    except OSError as error:
        raise UserError(f"cannot read the SSH key {error.filename}: {error.strerror}") from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise UserError(
            f"cannot use the SSH key for {target.host}: {error}",
            hint="it has to be a private key, and its passphrase the right one",
        ) from error
    return keys


def _trusted(target: SshTarget) -> KnownHostsArg:
    """Return the host keys to accept; None for any."""
    if target.host_key:
        return [asyncssh.import_public_key(target.host_key)], [], [], [], [], [], []
    if not target.known_hosts:
        return None
    try:
        text = Path(target.known_hosts).expanduser().read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise UserError(f"cannot read the known hosts in {target.known_hosts}: {error.strerror}") from error
    try:
        known = asyncssh.import_known_hosts(text).match(target.host, "", target.port)
    except ValueError as error:
        raise UserError(f"cannot use the known hosts in {target.known_hosts}: {error}") from error
    if target.accepts_unknown and not any(known):
        return None
    return known
