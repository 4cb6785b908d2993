"""The way into a machine known by its address: SSH, with what the machine's record says."""

from outspread.errors import ConnectionLostError, NotReadyError
from outspread.machines.contract import Machine, Shell


async def log_in(machine: Machine) -> Shell:
    """Log in, in a single try; whatever host key the machine shows is taken, for addresses come and go here."""
    # late: asyncssh takes a tenth of a second, which whoever logs in nowhere need not wait for
    from outspread.machines.ssh.shell import open_ssh_shell
    from outspread.machines.ssh.target import SshTarget

    try:
        return await open_ssh_shell(SshTarget.of(machine))
    except ConnectionLostError as error:
        raise NotReadyError(error.message, hint=error.hint) from error
