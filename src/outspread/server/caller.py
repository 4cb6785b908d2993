"""Who calls, as far as a request's connection and headers tell. Pure.

Nothing that a header says gives a caller more than it had; some say that a caller is not who its address seems to be.
"""

import ipaddress
from typing import Final

from outspread.server.asgi import Scope, header

#: Written by what passes requests on: the caller is not whom the connection comes from.
_PASSED_ON: Final = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
#: What browsers say of requests that come from a page of the same origin, or from the user's own hand.
_OWN_SITES: Final = frozenset({"", "same-origin", "none"})
_BEARER: Final = "bearer "


def address(scope: Scope) -> str:
    """Return the address that a request's connection comes from; "" for a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_local(scope: Scope) -> bool:
    """Tell whether a request surely comes from this host.

    By the address of its connection, unless something passed it on, and if it was meant for this host by name: the page of
    another site can have its own name mean this host (DNS rebinding).
    """
    if any(header(scope, name) for name in _PASSED_ON):
        return False
    return _is_loopback(address(scope)) and _is_loopback_name(header(scope, b"host"))


def is_rebound(scope: Scope) -> bool:
    """Tell whether a browser here was led to this host under the name of another site (DNS rebinding).

    What passes requests on from elsewhere says so, and has names of its own; programs send no ``Sec-Fetch-Site``.
    """
    if any(header(scope, name) for name in _PASSED_ON) or not header(scope, b"sec-fetch-site"):
        return False
    return _is_loopback(address(scope)) and not _is_loopback_name(header(scope, b"host"))


def is_foreign_page(scope: Scope) -> bool:
    """Tell whether a page of another site sends this by its visitor's browser."""
    if header(scope, b"sec-fetch-site").lower() not in _OWN_SITES:
        return True
    origin = header(scope, b"origin")
    if not origin:
        return False
    _, found, place = origin.partition("://")
    return not found or place.lower() != header(scope, b"host").lower()


def bearer_token(scope: Scope) -> str:
    """Return the token that a request bears; "" when it has none."""
    told = header(scope, b"authorization")
    return told[len(_BEARER) :].strip() if told[: len(_BEARER)].lower() == _BEARER else ""


def _is_loopback(peer: str) -> bool:
    try:
        parsed = ipaddress.ip_address(peer)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


def _is_loopback_name(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() == "localhost" or _is_loopback(name)
