"""How far away a machine is."""

import socket
import struct

#: Where the kernel's struct tcp_info has the smoothed round-trip time, in microseconds.
_RTT = struct.Struct("=68xI")


def round_trip_s(connected: socket.socket | None) -> float:
    """Return what the kernel measured so far on a TCP connection; 0 where it says nothing."""
    if connected is None:
        return 0.0
    try:
        measured = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size)
    except OSError:
        return 0.0
    return float(_RTT.unpack(measured)[0]) / 1e6 if len(measured) == _RTT.size else 0.0
