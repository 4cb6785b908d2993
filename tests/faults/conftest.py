"""Sites for fault tests, checked when the test is over, and tests of many kinds side by side."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.commands.worker_fixtures import do_jobs, new_controller, running, store_trees, until
from tests.faults.site import Site
from tests.hosts.host import Host

__all__ = ["do_jobs", "new_controller", "running", "store_trees", "until"]

_AT_ONCE = 4


@pytest.fixture
def new_site(tmp_path: Path, new_host: Callable[..., Host]) -> Iterator[Callable[..., Site]]:
    """Make sites of so many hosts; check each when the test is over."""
    made: list[Site] = []

    def make(name: str, hosts: int = 1) -> Site:
        site = Site(tmp_path / name, [new_host() for _ in range(hosts)])
        made.append(site)
        return site

    yield make
    for site in made:
        site.check()


@pytest.fixture
def side_by_side() -> Callable[[Callable[[str], None], Iterable[str]], None]:
    """Call a function for each of some names, a few at once; raise all that went wrong, each with its name."""

    def call(function: Callable[[str], None], names: Iterable[str]) -> None:
        failures: list[Exception] = []

        def one(name: str) -> None:
            try:
                function(name)
            except Exception as error:  # noqa: BLE001 - raised together below
                error.add_note(f"in {name}")
                failures.append(error)
            except pytest.fail.Exception as error:
                failures.append(RuntimeError(f"in {name}: {error}"))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(one, names))
        if failures:
            raise ExceptionGroup("side by side", failures)

    return call
