"""Make a machine that goes on from a saved state its own: all copies have the same clock and the same random numbers to come."""

import secrets
import time

from outspread.errors import InfrastructureError
from outspread.machines.contract import Machine, Shell

_WITHIN_S = 60.0
_SEED_BYTES = 64

# RNDRESEEDCRNG makes the kernel use at once what was written; where neither program is, it does so within minutes
_SCRIPT = """\
date -u -s @{now} > /dev/null
printf %s {seed} > /dev/urandom
perl -e 'open(my $f, ">", "/dev/urandom"); ioctl($f, 0x5207, 0)' 2> /dev/null ||
    python3 -c 'import fcntl; fcntl.ioctl(open("/dev/urandom", "wb"), 0x5207)' 2> /dev/null ||
    true
"""


async def make_its_own(shell: Shell, machine: Machine) -> None:
    """Set the machine's clock and give its kernel new randomness. Raises InfrastructureError when that cannot be done."""
    said = bytearray()
    script = "set -e\n" + _SCRIPT.format(now=round(time.time()), seed=secrets.token_hex(_SEED_BYTES))
    end = await shell.run(script.encode(), output=said.extend, kill_after_s=_WITHIN_S)
    if not end.passed:
        text = said.decode(errors="replace").strip() or f"exit code {end.exit_code}"
        raise InfrastructureError(f"cannot set the clock of {machine}: {text}")
