"""A slot: runs the commands it is sent, one after another, and ends what it has when its worker is gone."""

import os
import select
import sys
import time

from outspread.machines.sandbox import kernel
from outspread.worker.commands.executor import messages
from outspread.worker.commands.executor.command_hold import CommandHold
from outspread.worker.commands.executor.descendants import descendants, signal_all
from outspread.worker.commands.executor.frames import FrameReader, Message, encode_frame
from outspread.worker.commands.executor.running_command import Order, RunningCommand
from outspread.worker.commands.executor.slot_group import SlotGroup

_SIGCHLD, _SIGHUP, _SIGINT, _SIGKILL, _SIGTERM = 17, 1, 2, 9, 15
_SIGNAL_BYTES = 128  # of one record of a signal descriptor, which begins with the number
_READ_BYTES = 256 * 1024
#: What there is to say waits for more so long, while there is more to do.
_SAY_WITHIN_S = 0.005
#: How long what was killed at the end may take.
_LEAVE_WITHIN_S = 5.0
_NEVER = float("inf")


class Slot:
    """One slot. ``channel`` is the socket to the worker, which this does not block on."""

    def __init__(self, channel: int, group: SlotGroup) -> None:
        kernel.adopt_orphans()
        os.set_blocking(channel, False)
        self._channel = channel
        self._hold = CommandHold(group)
        self._base = dict(os.environb)
        self._reader = FrameReader()
        self._waiting: dict[int, Order] = {}
        self._command: RunningCommand | None = None
        self._said: list[Message] = []
        self._say_at = _NEVER
        self._unsent = bytearray()
        self._signals = kernel.signal_descriptor((_SIGCHLD, _SIGHUP, _SIGINT, _SIGTERM))
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(self._signals, select.POLLIN)
        self._polled_pipe = -1

    def serve(self) -> None:
        """Run what comes until the worker is gone; then end what runs."""
        try:
            while self._turn():
                pass
        finally:
            self._leave()

    def _turn(self) -> bool:
        """Wait for something and deal with it; return whether to go on."""
        for fd, events in self._poll.poll(self._wait_ms()):
            if fd == self._channel:
                if events & ~select.POLLOUT and not self._hear():
                    return False
                if events & select.POLLOUT and not self._send():
                    return False
            elif fd == self._signals:
                if not self._take_signals():
                    return False
            elif self._command is not None and self._command.pipe == fd:  # it may have ended since
                self._command.read()
        now = time.monotonic()
        if self._command is not None:
            self._command.tick(now)
        self._go_on(now)
        if self._said and self._say_at == _NEVER:
            self._say_at = now + (_SAY_WITHIN_S if self._command is not None else 0.0)
        return now < self._say_at or self._say()

    def _wait_ms(self) -> "float | None":
        at = self._say_at if self._command is None else min(self._say_at, self._command.next_at())
        return None if at == _NEVER else max(0.0, (at - time.monotonic()) * 1000 + 0.5)

    def _go_on(self, now: float) -> None:
        """Begin what is next, if there is room; several that fail at once go at once."""
        while True:
            command = self._command
            if command is not None and command.is_over and not command.stuck:
                if command.was_stuck:
                    self._said.append((messages.FREE,))
                self._command = command = None
            self._watch_pipe()
            if command is not None or not self._waiting:
                return
            order = self._waiting.pop(next(iter(self._waiting)))
            self._command = RunningCommand(order, self._base, self._hold, self._said)

    def _watch_pipe(self) -> None:
        pipe = -1 if self._command is None else self._command.pipe
        if pipe != self._polled_pipe:
            if self._polled_pipe >= 0:
                self._poll.unregister(self._polled_pipe)
            if pipe >= 0:
                self._poll.register(pipe, select.POLLIN)
            self._polled_pipe = pipe

    def _take_signals(self) -> bool:
        """Collect children, if it is about these; return False if we are to end."""
        records = os.read(self._signals, 32 * _SIGNAL_BYTES)
        numbers = {int.from_bytes(records[at : at + 4], sys.byteorder) for at in range(0, len(records), _SIGNAL_BYTES)}
        self._collect()
        return numbers == {_SIGCHLD}

    def _collect(self) -> None:
        """Take the ends of children. None left at all: then nothing is left of the command."""
        now = time.monotonic()
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if self._command is not None:
                    self._command.child_ended(pid, status, now=now)
        except ChildProcessError:
            if self._command is not None:
                self._command.all_ended()

    # --- the worker ---

    def _hear(self) -> bool:
        try:
            data = os.read(self._channel, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            return False
        for message in self._reader.feed(data):
            self._obey(message)
        return True

    def _obey(self, message: Message) -> None:
        word, subject = message[:2]
        command = self._command if self._command is not None and not self._command.is_over else None
        if word == messages.RUN:
            self._waiting[subject] = Order(message)
        elif word == messages.LEASE:
            for token, deadline in subject.items():
                if token in self._waiting:
                    self._waiting[token].deadline = deadline
                elif command is not None and command.order.token == token:
                    command.deadline = deadline
        elif subject in self._waiting:
            del self._waiting[subject]
            self._said.append((messages.RECALLED, subject))
        elif word == messages.STOP and command is not None and command.order.token == subject:
            command.stop(gently=message[2])

    def _say(self) -> bool:
        self._unsent += encode_frame(self._said)
        self._said.clear()  # the command says what it has to say in the same list
        self._say_at = _NEVER
        return self._send()

    def _send(self) -> bool:
        """Send what can be sent; return whether the worker is there. What cannot is little: the logs of a few commands."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self._channel, self._unsent)]
        except BlockingIOError:
            self._poll.modify(self._channel, select.POLLIN | select.POLLOUT)
            return True
        except OSError:
            return False
        self._poll.modify(self._channel, select.POLLIN)
        return True

    def _leave(self) -> None:
        """End all that runs here, however often it takes."""
        deadline = time.monotonic() + _LEAVE_WITHIN_S
        while time.monotonic() < deadline:
            signal_all(descendants(os.getpid()), _SIGKILL)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.005)
