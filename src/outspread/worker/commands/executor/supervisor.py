"""The supervisor: forks slots, and ends what one has left that was killed.

Descriptor 0 is a socket to the worker: each message is the number of a slot to make, with the slot's own socket.
"""

import os
import select
import socket
import sys
import time

from outspread.machines.sandbox import kernel
from outspread.worker.commands.executor.descendants import descendants, signal_all
from outspread.worker.commands.executor.slot import Slot
from outspread.worker.commands.executor.slot_group import SlotGroup, SlotGroups

_SIGCHLD, _SIGKILL, _SIGTERM = 17, 9, 15
_MESSAGE_BYTES = 64
_LEAVE_WITHIN_S = 6.0


class Supervisor:
    """Forks slots for the worker at the other end of ``control``."""

    def __init__(self, control: socket.socket) -> None:
        kernel.adopt_orphans()
        self._control = control
        self._groups = SlotGroups()
        self._slots: dict[int, SlotGroup] = {}  # by process id
        self._signals = kernel.signal_descriptor((_SIGCHLD,))

    def serve(self) -> None:
        """Serve until the worker is gone and the slots are."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._signals, select.POLLIN)
        deadline = float("inf")
        while self._slots or deadline == float("inf"):
            wait_s = deadline - time.monotonic()
            if wait_s <= 0:
                signal_all(list(self._slots), _SIGKILL)  # what keeps them cannot be ended by anybody
                return
            for fd, _ in poll.poll(None if wait_s == float("inf") else wait_s * 1000):
                if fd == self._signals:
                    os.read(self._signals, 4096)
                    self._collect()
                elif not self._hear():
                    poll.unregister(self._control)
                    deadline = time.monotonic() + _LEAVE_WITHIN_S

    def _hear(self) -> bool:
        """Make a slot; return whether the worker is there."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 1)
        except ConnectionError:
            return False
        if not message:
            return False
        number, (channel,) = int(message), descriptors
        group = self._groups.make(number)
        pid = os.fork()
        if pid == 0:
            self._be_slot(channel, group)
        os.close(channel)
        self._slots[pid] = group
        return True

    def _be_slot(self, channel: int, group: SlotGroup) -> None:
        """Never returns."""
        code = 1
        try:
            self._control.close()
            os.close(self._signals)
            group.join()
            slot = Slot(channel, group)
            kernel.die_with_parent(_SIGTERM)  # which it takes for the end: nobody else could find what it runs
            slot.serve()
            code = 0
        except BaseException:  # noqa: BLE001 - the last line of defence: what is said goes to the worker's standard error
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _collect(self) -> None:
        """Take the ends of slots, and end what they have left: it is ours then."""
        try:
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                if pid in self._slots:
                    group = self._slots.pop(pid)
                    self._end_orphans()
                    group.remove()
        except ChildProcessError:  # the last one
            return

    def _end_orphans(self) -> None:
        kept = set(self._slots)
        for slot in self._slots:
            kept.update(descendants(slot))
        signal_all([pid for pid in descendants(os.getpid()) if pid not in kept], _SIGKILL)


def main() -> None:
    """Serve the worker at descriptor 0."""
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    Supervisor(control).serve()
