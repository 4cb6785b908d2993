"""The worker's side of its executor: starts it, opens slots in it, passes messages."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from outspread.errors import InfrastructureError
from outspread.machines.helper_process import start_helper, wait_for_end
from outspread.worker.commands.executor.frames import FrameReader, Message, encode_frame

_MODULE: Final = "outspread.worker.commands.executor.supervisor"
_READ_BYTES: Final = 256 * 1024
#: It kills what it has, however often that takes.
_ENDS_WITHIN_S: Final = 10.0


class SlotChannel:
    """The socket to one slot. ``heard`` is called with the messages that came together; with none when the slot is gone."""

    def __init__(self, number: int, channel: socket.socket, heard: Callable[[Sequence[Message]], None]) -> None:
        self.number = number
        self._channel = channel
        self._heard = heard
        self._reader = FrameReader()
        self._unsent = bytearray()
        self._loop = asyncio.get_running_loop()
        channel.setblocking(False)
        self._loop.add_reader(channel.fileno(), self._hear)

    def send(self, messages: list[Message]) -> None:
        """Pass messages on; to a slot that is gone they are lost."""
        if self._channel.fileno() < 0:
            return
        was_empty = not self._unsent
        self._unsent += encode_frame(messages)
        if was_empty:
            self._send()

    def close(self) -> None:
        """End the slot with all it runs. May be called again."""
        if self._channel.fileno() >= 0:
            self._loop.remove_reader(self._channel.fileno())
            self._loop.remove_writer(self._channel.fileno())
            self._channel.close()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._channel.send(self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._channel.fileno(), self._send)
            return
        except OSError:  # it is gone: reading says so, too
            self._unsent.clear()
        self._loop.remove_writer(self._channel.fileno())

    def _hear(self) -> None:
        try:
            data = self._channel.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._heard(())
        elif messages := self._reader.feed(data):
            self._heard(messages)


class CommandExecutor:
    """An executor. Commands get ``environment``, and what their own says over it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._pid = start_helper(_MODULE, (), descriptors=(theirs.fileno(),), environment=environment)
            except OSError as error:
                self._control.close()
                raise InfrastructureError(f"cannot start what runs commands: {error.strerror}") from error
        self.ended = asyncio.ensure_future(wait_for_end(self._pid))

    def open_slot(self, number: int, heard: Callable[[Sequence[Message]], None]) -> SlotChannel:
        """Make a slot; raises InfrastructureError when the executor is gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [str(number).encode()], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise InfrastructureError(f"cannot run commands: what runs them is gone ({error.strerror})") from error
        return SlotChannel(number, ours, heard)

    async def close(self) -> None:
        """End all that runs, and return when it has ended. Slots are to be closed before."""
        self._control.close()
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await asyncio.shield(self.ended)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            await self.ended
