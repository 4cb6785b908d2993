"""The exchange of workers with their controller, as plain ASGI: the hottest path there is.

While a call waits, its connection is watched: when it breaks, the worker is taken for gone.
"""

import asyncio
from typing import Final

import msgspec
from msgspec import structs

from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.exchange_wire import MESSAGE_PACK, decode_exchange, encode_orders
from outspread.controller.port import FarmWorkerPort
from outspread.server.answer import send_answer, send_problem
from outspread.server.asgi import App, Message, Receive, Scope, Send
from outspread.server.body_reader import BodyReader, ClientGoneError
from outspread.server.gate import Gate, Right
from outspread.server.problem import Code, ProblemError

#: Log pieces of all that a worker runs come in one call.
EXCHANGE_LIMIT_BYTES: Final = 32 * 1024 * 1024
#: A call is answered after so long, whatever it asks for.
LONGEST_WAIT_S: Final = 60.0
_CONTENT_TYPE: Final = MESSAGE_PACK.encode()


def exchange_door(controller: FarmWorkerPort, gate: Gate) -> App:
    """Return the application; for POST only."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = BodyReader(scope, receive)
        try:
            _refuse_other_methods(scope)
            gate.check(scope, Right.WORK)
            call = _call_in(await body.whole(EXCHANGE_LIMIT_BYTES))
            orders = await _answered(controller, call, receive)
            content = encode_orders(orders)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 # whatever it is, the worker is told and the log knows
            await send_problem(send, error, close=not body.is_over)
        else:
            await send_answer(send, 200, content, _CONTENT_TYPE)

    return app


def _refuse_other_methods(scope: Scope) -> None:
    if scope["method"] != "POST":
        raise ProblemError(Code.NO_SUCH_METHOD, "cannot exchange but by POST", headers=(("allow", "POST"),))


def _call_in(body: bytes) -> Exchange:
    try:
        call = decode_exchange(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ProblemError(Code.INVALID, f"cannot read what the worker says: {error}", hint="is its version another?") from error
    return structs.replace(call, wait_s=LONGEST_WAIT_S) if call.wait_s > LONGEST_WAIT_S else call


async def _answered(controller: FarmWorkerPort, call: Exchange, receive: Receive) -> Orders:
    """Return the controller's answer. ClientGoneError, told to the controller, when the worker went away first."""
    if call.wait_s <= 0:
        return await controller.exchange(call)
    answering = asyncio.ensure_future(controller.exchange(call))
    watching: asyncio.Future[Message] = asyncio.ensure_future(receive())  # the body is read: what comes is the end
    watching.add_done_callback(lambda _: answering.cancel())
    try:
        orders = await answering
        is_gone = watching.done()
    except asyncio.CancelledError:
        if not watching.done():
            raise
        is_gone = True
    finally:
        watching.cancel()
    if is_gone:
        if call.commands is not None:
            await controller.worker_gone(call.worker, call.commands.incarnation)
        raise ClientGoneError
    return orders
