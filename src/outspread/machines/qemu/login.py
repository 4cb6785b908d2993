"""The way into a machine of QEMU's: SSH, over connections on which it has greeted already."""

from msgspec import structs

from outspread.machines.contract import Machine
from outspread.machines.ssh.shell import SshShell, open_ssh_shell
from outspread.machines.ssh.target import SshTarget
from outspread.machines.ssh.way import Dial

#: Nothing lies between us and the machine: a connection that breaks says that QEMU, or the machine's SSH server, has ended.
_REMAKE_WITHIN_S = 5.0


async def log_in(machine: Machine, dial: Dial) -> SshShell:
    """Log in; whatever host key the machine shows is taken: the port was QEMU's own choice."""
    target = structs.replace(SshTarget.of(machine), remake_within_s=_REMAKE_WITHIN_S)
    return await open_ssh_shell(target, dial=dial)
