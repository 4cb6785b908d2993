"""What every MachineBackend promises."""

import asyncio

import pytest
from tests.contract.conftest import Offer

from outspread.errors import ConnectionLostError, UserError
from outspread.machines.contract import Machine
from outspread.machines.process_identity import start_time


def ignore(_text: str) -> None:
    pass


def test_a_machine_is_got_used_and_given_back(offer: Offer) -> None:
    async def main() -> None:
        backend, request = offer.backend, offer.new_request()
        machine = await backend.allocate(request, ignore)
        assert machine.machine_id == request.machine_id
        assert (machine.backend, machine.backend_type, machine.system) == (offer.type, offer.type, offer.system)
        shell = await backend.connect(machine)
        said: list[bytes] = []
        assert (await shell.run(b"id -u", output=said.append, kill_after_s=10)).passed
        assert b"".join(said) == b"0\n"
        assert machine.without_secrets() in await backend.existing()
        await shell.close()
        again = await backend.connect(machine)
        assert (await again.run(b"true", output=said.append, kill_after_s=10)).passed
        await backend.discard(machine)
        assert machine.machine_id not in {one.machine_id for one in await backend.existing()}
        with pytest.raises(ConnectionLostError):
            await again.run(b"true", output=said.append, kill_after_s=10)
        await again.close()
        with pytest.raises(ConnectionLostError):
            await backend.connect(machine)
        await backend.discard(machine)
        offer.nothing_left(machine)

    asyncio.run(main())


def test_what_is_known_before_is_enough_to_give_back_what_was_never_got(offer: Offer) -> None:
    async def main() -> None:
        request = offer.new_request()
        draft = offer.backend.draft(request)
        assert (draft.machine_id, draft.backend, draft.backend_type, draft.system, draft.address) == (
            request.machine_id,
            request.backend.name,
            request.backend.type,
            request.system.name,
            "",
        )
        await offer.backend.discard(draft)

    asyncio.run(main())


def test_what_is_known_before_is_enough_to_give_back_what_was_got_and_not_noted(offer: Offer) -> None:
    async def main() -> None:
        request = offer.new_request()
        machine = await offer.backend.allocate(request, ignore)
        another = type(offer.backend)()  # as in a later process
        if not offer.backend.machines_live_on:  # the record says more of it than the draft
            (noted,) = [one for one in await another.existing() if one.machine_id == request.machine_id]
        else:
            noted = another.draft(request)
        await another.discard(noted)
        await offer.backend.discard(machine)  # it is gone, which is no error
        assert machine.machine_id not in {one.machine_id for one in await offer.backend.existing()}
        offer.nothing_left(machine)

    asyncio.run(main())


def test_several_at_once_do_not_see_one_another(offer: Offer) -> None:
    async def main() -> None:
        machines = await asyncio.gather(*(offer.backend.allocate(offer.new_request(), ignore) for _ in range(3)))
        assert len({machine.label for machine in machines}) == 3
        try:
            for machine in machines:
                said: list[bytes] = []
                shell = await offer.backend.connect(machine)
                script = b"ls /only-here 2>/dev/null; echo x > /only-here; cat /only-here"
                await shell.run(script, output=said.append, kill_after_s=10)
                assert b"".join(said) == b"x\n", machine
                await shell.close()
        finally:
            await asyncio.gather(*(offer.backend.discard(machine) for machine in machines))

    asyncio.run(main())


def test_a_machine_that_is_not_there_is_neither_connected_to_nor_missed(offer: Offer) -> None:
    async def main() -> None:
        # the recorded process is not a machine of ours: it must survive
        bystander = await asyncio.create_subprocess_exec("sleep", "987")
        data = offer.data_of(bystander.pid, start_time(bystander.pid))
        machine = Machine("none", offer.type, offer.type, offer.system, address="127.0.0.1:1", data=data)
        with pytest.raises(ConnectionLostError):
            await offer.backend.connect(machine)
        await offer.backend.discard(machine)
        assert bystander.returncode is None
        bystander.kill()
        await bystander.wait()

    asyncio.run(main())


def test_a_system_that_is_not_offered_is_the_users_error(offer: Offer) -> None:
    with pytest.raises(UserError, match=f"cannot make {offer.type}:plan9-4"):
        asyncio.run(offer.backend.allocate(offer.new_request(system="plan9-4"), ignore))


def test_an_allocation_that_is_cancelled_leaves_nothing(offer: Offer) -> None:
    async def main() -> None:
        for part in (0, 0.2, 0.5, 0.7, 1):
            request = offer.new_request()
            allocating = asyncio.ensure_future(offer.backend.allocate(request, ignore))
            await asyncio.sleep(part * offer.end_of_boot_s)
            if allocating.done():
                await offer.backend.discard(allocating.result())
            allocating.cancel()
            await asyncio.wait([allocating])
            assert request.machine_id not in {machine.machine_id for machine in await offer.backend.existing()}

    asyncio.run(main())
