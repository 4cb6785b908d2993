"""What this package needs of whatever carries it: SSH connections, or something else that starts programs on a machine and has
their streams. The names are asyncssh's, whose sessions are used for either.
"""

import socket
from collections.abc import Callable
from typing import Any, Protocol, Self


class Channel(Protocol):
    """The streams of one program, as sessions know it from ``connection_made`` on."""

    def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None: ...

    def is_closing(self) -> bool: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def change_terminal_size(self, width: int, height: int) -> None: ...

    def get_extra_info(self, name: str) -> Any: ...

    def close(self) -> None: ...


class Connection(Protocol):
    """The way to start programs. Errors are OSErrors or asyncssh's."""

    async def create_session(
        self,
        session_factory: Callable[[], Any],
        command: str,
        *,
        encoding: None,
        window: int,
        term_type: str | None = None,
        term_size: tuple[int, int] = (0, 0),
    ) -> tuple[Any, Any]:
        """Start ``command`` by a shell, on a terminal if it has a type; return the channel, and the session that was made."""
        ...

    async def run(self, command: str, *, input: bytes, encoding: None) -> Any:  # noqa: A002 - asyncssh's name
        """Run ``command`` to its end; the answer has an ``exit_status``."""
        ...

    def get_extra_info(self, name: str) -> Any: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...

    async def wait_closed(self) -> None: ...


class Target(Protocol):
    """A machine that there is a connection to, or can be."""

    @property
    def name(self) -> str:
        """What the machine is called in errors."""
        ...

    @property
    def username(self) -> str: ...

    @property
    def connect_within_s(self) -> float: ...

    @property
    def remake_within_s(self) -> float: ...

    @property
    def host_key(self) -> str:
        """The key that the machine has to prove to have; "" where there is no such thing."""
        ...

    async def log_in(self, dialled: socket.socket | None = None) -> Any:
        """Return a Connection, over one that was ``dialled`` already where there is such.

        Raises ConnectionLostError when the machine is not there, else InfrastructureError.
        """
        ...

    def pinned_to(self, connection: Any) -> Self:
        """Return the target that is this very machine from now on."""
        ...

    def trying_for(self, patience_s: float) -> Self:
        """Return the target with another patience for a machine that is not there yet."""
        ...
