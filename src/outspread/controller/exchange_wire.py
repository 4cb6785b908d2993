"""How an exchange travels: MessagePack. Pure; for both sides of the worker port over HTTP.

A claim's job is JSON all the way, so that nobody on its way reads it: in MessagePack it is a byte string.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw, structs

from outspread.controller.exchange_values import Exchange, Orders

#: Where workers call, on every controller.
EXCHANGE_PATH: Final = "/api/v1/exchange"
MESSAGE_PACK: Final = "application/msgpack"

_encoder: Final = msgspec.msgpack.Encoder()
_exchange_decoder: Final = msgspec.msgpack.Decoder(Exchange)
_orders_decoder: Final = msgspec.msgpack.Decoder(Orders)
_bytes_decoder: Final = msgspec.msgpack.Decoder(bytes)


def encode_exchange(call: Exchange) -> bytes:
    """Return a call as it is sent."""
    return _encoder.encode(call)


def decode_exchange(body: bytes) -> Exchange:
    """Return the call in ``body``. Raises msgspec.DecodeError."""
    return _exchange_decoder.decode(body)


def encode_orders(orders: Orders) -> bytes:
    """Return an answer as it is sent."""
    return _encoder.encode(_with_jobs(orders, lambda job: Raw(_encoder.encode(bytes(job)))))


def decode_orders(body: bytes) -> Orders:
    """Return the answer in ``body``. Raises msgspec.DecodeError."""
    return _with_jobs(_orders_decoder.decode(body), lambda job: Raw(_bytes_decoder.decode(job)))


def _with_jobs(orders: Orders, changed: Callable[[Raw], Raw]) -> Orders:
    commands = orders.commands
    if commands is None or not commands.claims:
        return orders
    claims = tuple([structs.replace(claim, job=changed(claim.job)) for claim in commands.claims])
    return structs.replace(orders, commands=structs.replace(commands, claims=claims))
