"""The way into a machine known by its address: SSH, with what the machine's record says."""

import functools
import importlib
import threading

from outspread.errors import ConnectionLostError, NotReadyError
from outspread.machines.contract import Machine, Shell


@functools.cache
def prepare_to_log_in() -> None:
    """Begin to import what ``log_in`` needs: it takes a tenth of a second or two, in which a script can run."""
    threading.Thread(target=importlib.import_module, args=["outspread.machines.ssh.shell"], daemon=True).start()


async def log_in(machine: Machine) -> Shell:
    """Log in, in a single try; whatever host key the machine shows is taken, for addresses come and go here."""
    # late: asyncssh takes a tenth of a second, which whoever does not log in need not wait for
    from outspread.machines.ssh.address import parse_address
    from outspread.machines.ssh.shell import open_ssh_shell
    from outspread.machines.ssh.target import SshTarget

    host, port = parse_address(machine.address)
    target = SshTarget(
        host,
        port,
        username=machine.username,
        password=machine.password,
        private_key=machine.key,
        passphrase=machine.key_password,
    )
    try:
        return await open_ssh_shell(target)
    except ConnectionLostError as error:
        raise NotReadyError(error.message, hint=error.hint) from error
