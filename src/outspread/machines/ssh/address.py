"""Addresses as people write them: ``host``, ``host:2222``, ``::1``, ``[::1]:2222``. Pure."""

import re

from outspread.errors import UserError

SSH_PORT = 22

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::(\d{1,5}))?")
_PLAIN = re.compile(r"([^\[\]:\s]+)(?::(\d{1,5}))?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?")


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port; an address with two or more colons and no brackets is IPv6, without a port."""
    text = text.strip()
    if _BARE_IPV6.fullmatch(text):
        return text, SSH_PORT
    found = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    port = int(found[2] or SSH_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise UserError(
            f"cannot use {text!r} as the address of a machine: it is neither HOST nor HOST:PORT",
            hint="write an IPv6 address with a port as [ADDRESS]:PORT",
        )
    return found[1], port


def address_text(host: str, port: int) -> str:
    """Return an address as ``parse_address`` takes it; the usual port is left out."""
    if port == SSH_PORT:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
