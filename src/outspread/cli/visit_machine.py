"""``outspread shell --machine``: a shell on a machine that is there and that no run uses; it stays as it is."""

import asyncio
import os
from pathlib import Path

from msgspec import structs

from outspread.cli.ask_record import ask_record
from outspread.cli.local_terminal import LocalTerminal
from outspread.cli.machines_to_discard import named, recorded
from outspread.controller.values import MachineEntry
from outspread.errors import OutspreadError, UserError
from outspread.machines.backends import backend_for
from outspread.machines.contract import Machine
from outspread.machines.prologue import render_shell_setup
from outspread.machines.reuse.noted_machines import machine_id_of
from outspread.machines.reuse.reuse_file import noted_without_lock
from outspread.project.environment import Variables, system_environment
from outspread.project.host_commands import ShellHostCommands
from outspread.project.loader import load_project
from outspread.project.model import Flavour, Project

_STANDARD_INPUT = 0


def visit_machine(name: str) -> int:
    """Return the exit code: that of the shell, or 128 and the signal that ended it. Raises UserError when it cannot be had."""
    entry = named(ask_record(lambda controller: controller.machines()), name)
    if entry.run_alive:
        raise UserError(f"cannot open a shell on {entry.name or name}: a run uses it", hint="wait for its end")
    project = _project(entry)
    machine = _with_secrets(recorded(entry).machine, entry.root, project)
    return asyncio.run(_visit(machine, project))


async def _visit(machine: Machine, project: Project | None) -> int:
    setup = _setup(machine, project)
    shell = await backend_for(machine.backend_type).connect(machine)
    try:
        print(f"shell on {machine}; exit to leave it", flush=True)
        terminal = LocalTerminal(_STANDARD_INPUT, os.environ.get("TERM") or "dumb")
        try:
            end = await shell.interact(setup, terminal)
        finally:
            terminal.close()
    finally:
        await shell.close()
    return 128 + (end.signal or 0) if end.exit_code is None else end.exit_code


def _setup(machine: Machine, project: Project | None) -> bytes:
    environment: Variables = ()
    if project is not None:
        environment = system_environment(project, machine.backend, machine.system, ShellHostCommands())
    return render_shell_setup(
        prompt=f"{machine.backend}:{machine.system} .../",
        directory=project.path if project is not None else "/",
        environment=environment,
    )


def _project(entry: MachineEntry) -> Project | None:
    """Return the project that the machine was got for, if it is there still and has its system still."""
    if not entry.root:
        return None
    try:
        project = load_project(Path(entry.root), flavour=Flavour.SPREAD, host=ShellHostCommands())
    except OutspreadError:
        return None
    backend = project.backends.get(entry.backend)
    return project if backend is not None and entry.system in backend.systems else None


def _with_secrets(machine: Machine, root: str, project: Project | None) -> Machine:
    """Return the machine with what the record does not keep: the project and its reuse files have it."""
    if project is not None:
        system = project.backends[machine.backend].systems[machine.system]
        machine = structs.replace(machine, password=system.password, key=system.ssh_rsa_key, key_password=system.ssh_key_pass)
    for path in sorted(Path(root).glob(".spread-reuse*.yaml")) if root else ():
        for noted in noted_without_lock(path):
            if machine_id_of(noted) == machine.machine_id and noted.password:
                return structs.replace(machine, password=noted.password)
    return machine
