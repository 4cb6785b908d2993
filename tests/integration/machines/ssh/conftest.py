"""A host that SSH reaches, and short ways to use one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from tests.hosts.host import Host, why_no_hosts

from outspread.machines.contract import ScriptEnd
from outspread.machines.ssh.shell import SshShell, open_ssh_shell
from outspread.machines.ssh.target import SshTarget

OpenShell = Callable[..., AbstractAsyncContextManager[SshShell]]
Out = Callable[[SshShell, str], Awaitable[tuple[ScriptEnd, bytes]]]
Within = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One host for the tests of a module, which may not take it down."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    with Host() as made:
        yield made


@pytest.fixture
def open_shell() -> OpenShell:
    """Open a shell on a host by its password, or by what else is asked for."""

    @asynccontextmanager
    async def open_(
        to: Host, progress: Callable[[str], None] = lambda _text: None, /, **asked: object
    ) -> AsyncIterator[SshShell]:
        options = {"host": to.address, "port": to.port, "password": to.password, **asked}
        shell = await open_ssh_shell(SshTarget(**options), progress)  # type: ignore[arg-type] # those of SshTarget
        try:
            yield shell
        finally:
            await shell.close()

    return open_


@pytest.fixture
def out() -> Out:
    """Run a script and return how it ended and what it said."""

    async def run(shell: SshShell, script: str) -> tuple[ScriptEnd, bytes]:
        said: list[bytes] = []
        end = await shell.run(script.encode(), output=said.append, kill_after_s=60)
        return end, b"".join(said)

    return run


@pytest.fixture
def within() -> Within:
    """Wait until a fact holds; fail when it never does."""

    async def wait(fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not fact():
                await asyncio.sleep(0.01)

    return wait
