"""Bring an anchor another connection: our standard input and output.

Runs on the machine, in a new SSH session: standard library only, Python 3.8.
"""

from __future__ import annotations

import array
import os
import socket

from outspread.machines.ssh import machine_facts, rendezvous
from outspread.machines.ssh import numbered_stream as wire


def start(token: str) -> None:
    """Hand the connection over, and wait until the anchor is done with it; say so when there is no anchor."""
    anchor = socket.socket(socket.AF_UNIX)
    try:
        anchor.connect(rendezvous.socket_name(token))
    except OSError:
        os.write(1, wire.mark(token) + wire.frame(wire.NONE, machine_facts.gather("its agent is gone")))
        return
    rendezvous.widen(0, 1)
    anchor.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (0, 1)))])
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    anchor.recv(1)
