"""An exchange comes out of its MessagePack as it went in."""

import msgspec
import pytest
from msgspec import Raw

from outspread.controller.command_values import (
    AttemptEnd,
    AttemptLogPiece,
    Claim,
    CommandJob,
    CommandNews,
    CommandOrders,
    Stop,
    StopReason,
    WorkerHealth,
)
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.exchange_wire import decode_exchange, decode_orders, encode_exchange, encode_orders
from outspread.controller.values import Outcome


def test_all_that_a_worker_says() -> None:
    news = CommandNews(
        incarnation="i",
        sequence=2**40,
        slots=2,
        free=1,
        dimensions={"os": "debian"},
        holding=(1, 2**50),
        begun=(1,),
        pieces=(AttemptLogPiece(1, 0, bytes(range(256)), skipped_bytes=7),),
        ended=(AttemptEnd(2, Outcome.TIMEOUT, run_s=0.1, signal=9, reason="ü"),),
        returned=(3,),
        health=WorkerHealth(disk_free_bytes=5, hold="full"),
        draining=True,
    )
    call = Exchange("ann", 0, wait_s=20.0, commands=news)
    assert decode_exchange(encode_exchange(call)) == call


def test_all_that_a_controller_answers() -> None:
    job = CommandJob("a", ("echo", "ü"), environment={"A": "\x00"})
    orders = Orders(
        commands=CommandOrders(
            claims=(Claim(2**50, "r", 0, 1, Raw(msgspec.json.encode(job)), owner="me", expected_s=0.5),),
            stops=(Stop(1, StopReason.LOST),),
            watched=(4,),
        )
    )
    answer = decode_orders(encode_orders(orders)).commands
    assert answer is not None
    (claim,) = answer.claims
    assert msgspec.json.decode(claim.job, type=CommandJob) == job
    assert (claim.fence, claim.owner, claim.expected_s) == (2**50, "me", 0.5)
    assert orders.commands is not None
    assert (answer.stops, answer.watched) == (orders.commands.stops, (4,))
    assert decode_orders(encode_orders(Orders())) == Orders()


@pytest.mark.parametrize("body", [b"", b"\x80", b"\xc0", b"{}", encode_exchange(Exchange("a", 0))[:-1]])
def test_what_is_no_exchange_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_exchange(body)
