"""What an instance of ours is called, and by what it is known to be ours. Pure."""

import re

#: Entries of an instance's configuration.
MACHINE_TAG = "user.outspread.machine"
RUN_TAG = "user.outspread.run"
BACKEND_TAG = "user.outspread.backend"
SYSTEM_TAG = "user.outspread.system"
PROJECT_TAG = "user.outspread.project"

#: The note by which Spread, and we in its files, know an instance.
NAME_NOTE = "name"

_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]+")
_LONGEST = 63
_ID_CHARACTERS = 12


def instance_name(machine_id: str, system: str) -> str:
    """Return a host name that no other machine has, and that tells people the system."""
    plain = _NOT_IN_NAMES.sub("-", system.lower()).strip("-")
    return f"spread-{machine_id[:_ID_CHARACTERS]}-{plain}"[:_LONGEST].rstrip("-")


def may_be_spreads(name: str, system: str) -> bool:
    """Tell whether Spread calls its instances of a system so; it counts them, and no name of ours looks like a count."""
    return re.fullmatch(rf"spread-[0-9]{{1,9}}-{re.escape(system.replace('.', '-'))}", name) is not None
