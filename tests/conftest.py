"""What every room's tests may use: hosts that SSH reaches."""

from collections.abc import Callable, Iterator

import pytest
from tests.hosts.host import Host, why_no_hosts


@pytest.fixture
def new_host() -> Iterator[Callable[..., Host]]:
    """Make test hosts, with the arguments of ``Host``; fail if a process of one is left when the test is over."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    made: list[Host] = []

    def make(**options: object) -> Host:
        made.append(Host(**options))  # type: ignore[arg-type] # those of Host, checked there
        return made[-1]

    yield make
    for host in made:
        host.end()
    assert [host.processes() for host in made if host.processes()] == []
