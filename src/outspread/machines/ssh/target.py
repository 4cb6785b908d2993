"""Which machine to log in to, as whom, and what to trust."""

import socket
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from outspread.machines.contract import Machine
from outspread.machines.ssh.address import address_text, parse_address

if TYPE_CHECKING:
    import asyncssh


class SshTarget(Struct, frozen=True):
    """A machine that SSH reaches. Its text shows no secret.

    The machine's key has to be ``host_key`` if that is given. If not, and ``known_hosts`` names a file that knows the machine,
    it has to be one of those there; a machine that is not known is accepted as it is if ``accepts_unknown``.
    """

    host: str
    port: int = 22
    username: str = "root"  # anybody else needs sudo without a password

    password: str = ""
    private_key: str = ""  # the text of one
    key_files: tuple[str, ...] = ()
    passphrase: str = ""  # of the keys
    uses_agent: bool = False  # the keys of the SSH agent, and the user's own files in ~/.ssh

    host_key: str = ""  # "ssh-ed25519 AAAA..."
    known_hosts: str = ""  # the path of a file
    accepts_unknown: bool = True

    #: How long a machine that refuses connections, or is not there, may still be on its way up.
    patience_s: float = 0.0
    connect_within_s: float = 10.0
    #: How often the machine is asked whether it is still there; the connection is lost after three questions without an answer.
    keepalive_s: float = 10.0
    #: How long a lost connection may take to be made again.
    remake_within_s: float = 30.0

    @classmethod
    def of(cls, machine: Machine) -> "SshTarget":
        """Return where a machine is and who may log in, by its record; whatever host key it shows is taken."""
        host, port = parse_address(machine.address)
        return cls(
            host,
            port,
            username=machine.username,
            password=machine.password,
            private_key=machine.key,
            passphrase=machine.key_password,
        )

    @property
    def name(self) -> str:
        """The address."""
        return address_text(self.host, self.port)

    async def log_in(self, dialled: socket.socket | None = None) -> "asyncssh.SSHClientConnection":
        """Return a connection on which the user is logged in; errors as of ``login.log_in``."""
        from outspread.machines.ssh.login import log_in

        return await log_in(self, dialled)

    def pinned_to(self, connection: "asyncssh.SSHClientConnection") -> "SshTarget":
        """Return the target that has to prove the key that the machine has proved to have."""
        from outspread.machines.ssh.login import host_key

        return structs.replace(self, host_key=host_key(connection))

    def trying_for(self, patience_s: float) -> "SshTarget":
        """Return the target with another patience."""
        return structs.replace(self, patience_s=patience_s)

    def __repr__(self) -> str:
        return f"SshTarget({self.username}@{self.host}:{self.port})"

    __str__ = __repr__
