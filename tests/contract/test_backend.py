"""What every MachineBackend promises."""

import asyncio
from collections.abc import Callable

import pytest

from outspread.errors import ConnectionLostError, UserError
from outspread.machines.contract import Machine, MachineBackend, MachineRequest
from outspread.machines.sandbox.backend import SandboxBackend

NewRequest = Callable[..., MachineRequest]
NoGroupsLeft = Callable[[Machine], None]


def ignore(_text: str) -> None:
    pass


@pytest.fixture(params=[SandboxBackend])
def backend(request: pytest.FixtureRequest) -> MachineBackend:
    made: MachineBackend = request.param()
    return made


def test_a_machine_is_got_used_and_given_back(
    backend: MachineBackend, new_request: NewRequest, no_groups_left: NoGroupsLeft
) -> None:
    async def main() -> None:
        request = new_request()
        machine = await backend.allocate(request, ignore)
        assert machine.machine_id == request.machine_id
        assert (machine.backend, machine.backend_type, machine.system) == ("sandbox", "sandbox", "this-host")
        shell = await backend.connect(machine)
        said: list[bytes] = []
        assert (await shell.run(b"id -u", output=said.append, kill_after_s=10)).passed
        assert b"".join(said) == b"0\n"
        assert machine in await backend.existing()
        await shell.close()
        again = await backend.connect(machine)
        assert (await again.run(b"true", output=said.append, kill_after_s=10)).passed
        await backend.discard(machine)
        assert machine not in await backend.existing()
        with pytest.raises(ConnectionLostError):
            await again.run(b"true", output=said.append, kill_after_s=10)
        with pytest.raises(ConnectionLostError):
            await backend.connect(machine)
        await backend.discard(machine)
        no_groups_left(machine)

    asyncio.run(main())


def test_what_is_known_before_is_enough_to_give_back_what_was_never_got(backend: MachineBackend, new_request: NewRequest) -> None:
    async def main() -> None:
        request = new_request()
        draft = backend.draft(request)
        assert (draft.machine_id, draft.backend, draft.backend_type, draft.system, draft.address) == (
            request.machine_id,
            request.backend.name,
            request.backend.type,
            request.system.name,
            "",
        )
        await backend.discard(draft)

    asyncio.run(main())


def test_several_at_once_do_not_see_one_another(backend: MachineBackend, new_request: NewRequest) -> None:
    async def main() -> None:
        machines = await asyncio.gather(*(backend.allocate(new_request(), ignore) for _ in range(3)))
        assert len({machine.label for machine in machines}) == 3
        try:
            for number, machine in enumerate(machines):
                said: list[bytes] = []
                shell = await backend.connect(machine)
                script = b"ls /only-here 2>/dev/null; echo x > /only-here; hostname"
                await shell.run(script, output=said.append, kill_after_s=10)
                assert b"".join(said).decode() == machine.label + "\n", number
        finally:
            await asyncio.gather(*(backend.discard(machine) for machine in machines))

    asyncio.run(main())


def test_a_machine_that_is_not_there_is_neither_connected_to_nor_missed(backend: MachineBackend) -> None:
    async def main() -> None:
        # the recorded process is not a machine of ours: it must survive
        bystander = await asyncio.create_subprocess_exec("sleep", "987")
        from outspread.machines.sandbox.process_identity import start_time

        data = {"keeper": str(bystander.pid), "started": str(start_time(bystander.pid))}
        machine = Machine(machine_id="none", backend="sandbox", backend_type="sandbox", system="this-host", data=data)
        with pytest.raises(ConnectionLostError):
            await backend.connect(machine)
        await backend.discard(machine)
        assert bystander.returncode is None
        bystander.kill()
        await bystander.wait()

    asyncio.run(main())


def test_a_system_that_is_not_offered_is_the_users_error(backend: MachineBackend, new_request: NewRequest) -> None:
    with pytest.raises(UserError, match="cannot make sandbox:plan9-4"):
        asyncio.run(backend.allocate(new_request(system="plan9-4"), ignore))


def test_an_allocation_that_is_cancelled_leaves_nothing(backend: MachineBackend, new_request: NewRequest) -> None:
    async def main() -> None:
        for moment_s in (0, 0.005, 0.015, 0.02, 0.03):
            request = new_request()
            allocating = asyncio.ensure_future(backend.allocate(request, ignore))
            await asyncio.sleep(moment_s)
            if allocating.done():
                await backend.discard(allocating.result())
            allocating.cancel()
            await asyncio.wait([allocating])
            assert request.machine_id not in {machine.machine_id for machine in await backend.existing()}

    asyncio.run(main())
