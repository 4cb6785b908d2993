import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncssh
import pytest

from outspread.machines.ssh.login import log_in
from outspread.machines.ssh.target import SshTarget


class Connection:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


def forgetful(connection: Connection, end: Callable[[], Connection]) -> Callable[..., Awaitable[Connection]]:
    """Return a ``connect`` that is cancelled in the moment in which it ends, and ends as if it were not."""

    async def connect(*_: Any, **__: Any) -> Connection:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return end()
        return connection

    return connect


def refuse() -> Connection:
    raise ConnectionRefusedError


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancellation_in_the_last_moment_is_not_forgotten(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    connection = Connection()
    monkeypatch.setattr(asyncssh, "connect", forgetful(connection, refuse if fails else lambda: connection))

    async def main() -> None:
        await log_in(SshTarget("h1", patience_s=60))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert connection.aborted is not fails
