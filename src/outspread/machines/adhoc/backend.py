"""The ``adhoc`` backend: the project's scripts get a machine and give it back; all it knows of one is its address."""

from collections.abc import Awaitable, Callable, Sequence

from msgspec import structs

from outspread.errors import InfrastructureError
from outspread.machines import markers
from outspread.machines.adhoc.local_scripts import LocalScript, ScriptOutput, run_local_script, with_trace
from outspread.machines.adhoc.login import log_in
from outspread.machines.contract import Machine, MachineRequest, ProgressSink, Shell
from outspread.machines.give_back import give_back
from outspread.machines.ssh.draft import draft_of
from outspread.project.timeouts import DEFAULT_KILL_S, DEFAULT_WARN_S

#: A script that uses this variable can find a machine whose allocation broke off before it named an address.
MACHINE_ID_VARIABLE = "OUTSPREAD_MACHINE_ID"


class AdhocBackend:
    """Machines of scripts. ``open_shell`` opens the way into one by its address."""

    machines_live_on = True

    def __init__(self, open_shell: Callable[[Machine], Awaitable[Shell]] = log_in) -> None:
        self._open_shell = open_shell

    def draft(self, request: MachineRequest) -> Machine:
        """Return all but the address: the discard script with what it needs is part of it."""
        system = request.system
        return draft_of(
            request,
            data={
                "root": request.root,
                "discard": request.backend.discard,
                "username": system.username,
                "password-is": "system" if system.password else "session",
                "warn-after": f"{request.warn_after_s:g}",
                "kill-after": f"{request.kill_after_s:g}",
            },
        )

    async def allocate(self, request: MachineRequest, progress: ProgressSink) -> Machine:
        """Run the allocate script and return the machine that it named. One that it made before it failed is discarded."""
        machine = self.draft(request)
        script = _local_script(machine, "allocate", request.backend.allocate)
        output = ScriptOutput()
        try:
            await run_local_script(script, output, progress)
        except BaseException:
            found = _at(machine, markers.address(output.text()))
            await give_back(found, self.discard(found))
            raise
        address = markers.address(output.text())
        if not address or " " in address:
            named = f"named {address!r}, which is no address" if address else "named no ADDRESS"
            raise InfrastructureError(
                with_trace(f"{script.name} {named}", output.text(), script.secrets),
                hint="" if address else "it has to call ADDRESS HOST or ADDRESS HOST:PORT",
            )
        progress(f"Waiting for {machine} to make SSH available at {address}...")
        return _at(machine, address)

    async def connect(self, machine: Machine) -> Shell:
        """Log in over SSH."""
        return await self._open_shell(machine)

    async def discard(self, machine: Machine) -> None:
        """Run the discard script. What has no address is left alone, unless the script finds machines by their id.

        Whether a machine that is gone already is an error is up to the script.
        """
        script = machine.data.get("discard", "")
        if script and (machine.address or MACHINE_ID_VARIABLE in script):
            await run_local_script(_local_script(machine, "discard", script), ScriptOutput(), _say_nothing)

    async def existing(self) -> Sequence[Machine]:
        """Return nothing: no script says which machines there are."""
        return ()


def _at(machine: Machine, address: str) -> Machine:
    return structs.replace(machine, address=address, label=address)


def _local_script(machine: Machine, what: str, text: str) -> LocalScript:
    data = machine.data
    of_system = data.get("password-is") == "system"
    variables = {
        "SPREAD_BACKEND": machine.backend,
        "SPREAD_SYSTEM": machine.system,
        "SPREAD_SYSTEM_USERNAME": data.get("username", ""),
        "SPREAD_SYSTEM_PASSWORD": machine.password if of_system else "",
        "SPREAD_SYSTEM_ADDRESS": machine.address,
        MACHINE_ID_VARIABLE: machine.machine_id,
    }
    if not of_system:
        variables["SPREAD_PASSWORD"] = machine.password
    return LocalScript(
        name=f"the {what} script of {machine.backend}:{machine.system}",
        text=text,
        directory=data.get("root", ""),
        variables=variables,
        warn_after_s=float(data.get("warn-after", DEFAULT_WARN_S)),
        kill_after_s=float(data.get("kill-after", DEFAULT_KILL_S)),
        # a password that is the name of the user is no secret, and hiding it would garble traces
        secrets=(machine.password,) if machine.password != machine.username else (),
    )


def _say_nothing(_text: str) -> None:
    """Take progress that nobody waits for."""
