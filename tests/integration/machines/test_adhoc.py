"""The adhoc backend's scripts, run for real on this host; the way in is a stand-in."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from outspread.errors import InfrastructureError
from outspread.machines.adhoc.backend import MACHINE_ID_VARIABLE, AdhocBackend
from outspread.machines.contract import Machine, MachineRequest
from outspread.project.model import Backend, System

NewRequest = Callable[..., MachineRequest]


@pytest.fixture
def new_request(tmp_path: Path) -> NewRequest:
    def make(allocate: str, discard: str = "", *, system: System | None = None, kill_after_s: float = 60) -> MachineRequest:
        system = system or System("a-1", "lab")
        backend = Backend("lab", "adhoc", {"a-1": system}, allocate=allocate, discard=discard)
        return MachineRequest(
            "id-1",
            "run-1",
            "project",
            str(tmp_path),
            backend=backend,
            system=system,
            password=system.password or "s3ss10n",
            warn_after_s=kill_after_s / 2,
            kill_after_s=kill_after_s,
        )

    return make


def ignore(_text: str) -> None:
    pass


def allocated(request: MachineRequest) -> Machine:
    return asyncio.run(AdhocBackend().allocate(request, ignore))


def test_the_last_address_counts(new_request: NewRequest) -> None:
    machine = allocated(new_request("ADDRESS 10.0.0.1\nADDRESS 10.0.0.2:2222"))
    assert (machine.address, machine.label, str(machine)) == ("10.0.0.2:2222", "10.0.0.2:2222", "lab:a-1 (10.0.0.2:2222)")
    assert (machine.machine_id, machine.backend_type, machine.username, machine.password) == ("id-1", "adhoc", "root", "s3ss10n")


def test_scripts_see_what_spread_says_and_the_environment_of_the_host(
    new_request: NewRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_THE_HOST", "yes")
    show = "env | grep -E '^(SPREAD_|FROM_|OUTSPREAD_MACHINE|PATH=)' | sort > {}; pwd >> {}"
    with_password = System("a-1", "lab", username="ubuntu", password="$p a\"ss'")
    request = new_request(f"{show.format('a', 'a')}; ADDRESS h", show.format("d", "d"), system=with_password)
    machine = allocated(request)
    asyncio.run(AdhocBackend().discard(machine))
    own = [
        "FROM_THE_HOST=yes",
        f"{MACHINE_ID_VARIABLE}=id-1",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin",
        "SPREAD_BACKEND=lab",
    ]
    login = ["SPREAD_SYSTEM_PASSWORD=$p a\"ss'", "SPREAD_SYSTEM_USERNAME=ubuntu", str(tmp_path)]
    assert (tmp_path / "a").read_text().splitlines() == [*own, "SPREAD_SYSTEM=a-1", "SPREAD_SYSTEM_ADDRESS=", *login]
    assert (tmp_path / "d").read_text().splitlines() == [*own, "SPREAD_SYSTEM=a-1", "SPREAD_SYSTEM_ADDRESS=h", *login]
    allocated(new_request(f"{show.format('a', 'a')}; ADDRESS h"))
    assert (tmp_path / "a").read_text().splitlines() == [
        *own[:3],
        "SPREAD_BACKEND=lab",
        "SPREAD_PASSWORD=s3ss10n",
        "SPREAD_SYSTEM=a-1",
        "SPREAD_SYSTEM_ADDRESS=",
        "SPREAD_SYSTEM_PASSWORD=",
        "SPREAD_SYSTEM_USERNAME=",
        str(tmp_path),
    ]


@pytest.mark.parametrize(
    ("allocate", "why", "retry"),
    [
        (
            "echo so far; false",
            "the allocate script of lab:a-1 failed: exit code 1\n-----\n+ echo so far\nso far\n+ false\n-----",
            True,
        ),
        ("true", "the allocate script of lab:a-1 named no ADDRESS\n-----\n+ true\n-----", True),
        ("echo '<ADDRESS a b>'", "the allocate script of lab:a-1 named 'a b', which is no address", True),
        ("ERROR all taken", "all taken", True),
        ("FATAL no such thing", "no such thing", False),
        ("ADDRESS", "ADDRESS needs an argument: HOST or HOST:PORT", False),
        ("echo $SPREAD_PASSWORD; exit 4", "exit code 4\n-----\n+ echo ******\n******\n+ exit 4\n-----", True),
        ("echo $NO_SUCH_VARIABLE", "unbound variable", True),
    ],
)
def test_a_script_that_gets_no_machine_says_why(new_request: NewRequest, allocate: str, why: str, retry: bool) -> None:
    with pytest.raises(InfrastructureError) as caught:
        allocated(new_request(allocate))
    assert why in str(caught.value)
    assert caught.value.retry is retry


def test_a_machine_named_before_the_script_failed_is_given_back(new_request: NewRequest, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="exit code 1"):
        allocated(new_request("ADDRESS h7; false", 'echo "$SPREAD_SYSTEM_ADDRESS" > gone'))
    assert (tmp_path / "gone").read_text() == "h7\n"


def test_without_an_address_only_a_script_that_knows_ids_is_asked(new_request: NewRequest, tmp_path: Path) -> None:
    for discard in ('echo "$SPREAD_SYSTEM_ADDRESS" > gone', f'echo "${MACHINE_ID_VARIABLE}" > gone'):
        assert not (tmp_path / "gone").exists()
        with pytest.raises(InfrastructureError, match="exit code 1"):
            allocated(new_request("false", discard))
    assert (tmp_path / "gone").read_text() == "id-1\n"


def test_the_limit_ends_all_that_the_script_started(new_request: NewRequest, tmp_path: Path) -> None:
    said: list[str] = []
    request = new_request("setsid sleep 98765 & echo $! > pid; sleep 98765", kill_after_s=0.6)
    with pytest.raises(InfrastructureError, match=r"kill-timeout reached after 0[.]6 s"):
        asyncio.run(AdhocBackend().allocate(request, said.append))
    assert said[0].startswith("WARNING: the allocate script of lab:a-1 is running late. Last line: +")
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_cancelled_it_ends_at_once_and_gives_back_what_it_named(new_request: NewRequest, tmp_path: Path) -> None:
    async def main() -> float:
        request = new_request("ADDRESS h8; echo $$ > pid; sleep 98765", 'echo "$SPREAD_SYSTEM_ADDRESS" > gone')
        allocating = asyncio.ensure_future(AdhocBackend().allocate(request, ignore))
        async with asyncio.timeout(20):
            while not (tmp_path / "pid").exists():
                await asyncio.sleep(0.01)
        began = time.monotonic()
        allocating.cancel()
        await asyncio.wait([allocating])
        assert allocating.cancelled()
        return time.monotonic() - began

    assert asyncio.run(main()) < 5
    assert (tmp_path / "gone").read_text() == "h8\n"


def test_what_a_script_leaves_running_lives_on(new_request: NewRequest, tmp_path: Path) -> None:
    allocated(new_request("sleep 98765 & echo $! > pid; ADDRESS h"))
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, 9)  # fails when it is gone


def test_a_record_is_enough_to_give_a_machine_back_but_holds_no_password(new_request: NewRequest, tmp_path: Path) -> None:
    machine = allocated(new_request("ADDRESS h9", 'echo "$SPREAD_SYSTEM_ADDRESS $SPREAD_PASSWORD" > gone'))
    recorded = machine.without_secrets()
    assert "s3ss10n" not in repr(recorded)
    asyncio.run(AdhocBackend().discard(recorded))
    assert (tmp_path / "gone").read_text() == "h9 \n"


def test_a_discard_that_fails_says_so_and_none_is_fine(new_request: NewRequest) -> None:
    machine = allocated(new_request("ADDRESS h", "echo busy; exit 5"))
    with pytest.raises(InfrastructureError, match="the discard script of lab:a-1 failed: exit code 5"):
        asyncio.run(AdhocBackend().discard(machine))
    asyncio.run(AdhocBackend().discard(replace(machine, data={**machine.data, "discard": ""})))


def test_nothing_secret_is_on_a_command_line(new_request: NewRequest, tmp_path: Path) -> None:
    allocated(new_request("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' > lines || true; ADDRESS h"))
    assert "s3ss10n" not in (tmp_path / "lines").read_text(errors="replace")
