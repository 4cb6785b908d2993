"""Which machine to log in to, as whom, and what to trust."""

from msgspec import Struct


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

    def __repr__(self) -> str:
        return f"SshTarget({self.username}@{self.host}:{self.port})"

    __str__ = __repr__
