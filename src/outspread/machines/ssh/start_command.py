"""What is sent to a machine to have one of our programs run there by whatever Python it has. Pure, but for our own sources.

Nothing is written to the machine's disk: a shell looks for a Python, and that reads the program from its standard input.
"""

import shlex
import string
from functools import cache
from importlib import resources

from outspread.machines.ssh import numbered_stream as wire

#: Where to look, best first. A name may be there and still not work (a shim), or be too old.
_PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(14, 7, -1)), "python")

# It goes through three shells, of which the first is the user's own and the second sudo's, which would fill in what begins with
# a dollar: so no variables, and no exclamation marks. A program never fails: what fails is a Python, also one without ctypes (as
# Debian's python3-minimal), which must be seen before the program is read.
_READ_PROGRAM = "import sys,ctypes;sys.version_info<(3,8)and sys.exit(1);b=sys.stdin.buffer;exec(b.read(int(b.readline())))"
_TRY = '{{ command -v {python} >/dev/null 2>&1 && {python} -IS -c "{program}"; }}'

_SAY_NONE = '{{ printf "{written}"; cat /proc/sys/kernel/random/boot_id; }}'
_NO_PYTHON = "it has no Python from 3.8 on with ctypes"
_BOOT_ID_BYTES = 37
_PLAIN = string.ascii_letters + " =.:_"

_LOAD = """
import sys
def load(package, name, source):
    module = type(sys)(package + "." + name)
    sys.modules[module.__name__] = module
    setattr(sys.modules.setdefault(package, type(sys)(package)), name, module)
    exec(compile(source, module.__name__, "exec", dont_inherit=True), module.__dict__)
"""
_START = """
try:
    sys.modules[{module!r}].start({token!r})
except BaseException:
    import traceback
    traceback.print_exc()
"""

_ROOM, _HERE = "outspread.machines", "outspread.machines.ssh"
_SHARED = ((_HERE, "numbered_stream"), (_HERE, "machine_facts"), (_HERE, "rendezvous"))
_ANCHOR = ((_ROOM, "agent"), *_SHARED, (_HERE, "anchor"))
_BRINGER = (*_SHARED, (_HERE, "bringer"))


def start_command(username: str, token: str) -> str:
    """Return the command that runs, as root, the program that it is then fed; where there is no Python for that, it says NONE."""
    tries = (_TRY.format(python=python, program=_READ_PROGRAM) for python in _PYTHONS)
    payload = f"why={_NO_PYTHON}\nboot_id={' ' * _BOOT_ID_BYTES}".encode()
    none = (wire.mark(token) + wire.frame(wire.NONE, payload))[:-_BOOT_ID_BYTES]
    written = "".join(chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in none)
    command = f"/bin/sh -c {shlex.quote(' || '.join((*tries, _SAY_NONE.format(written=written))))}"
    return command if username == "root" else f"sudo -n -i {command}"


def anchor_program(token: str) -> bytes:
    """Return what to feed: the agent and its anchor."""
    return _program(_ANCHOR, token)


def bringer_program(token: str) -> bytes:
    """Return what to feed: the one that brings the anchor another connection."""
    return _program(_BRINGER, token)


def _program(modules: tuple[tuple[str, str], ...], token: str) -> bytes:
    text = _loading(modules) + _START.format(module=".".join(modules[-1]), token=token).encode()
    return b"%d\n%b" % (len(text), text)


@cache
def _loading(modules: tuple[tuple[str, str], ...]) -> bytes:
    calls = (f"load({package!r}, {name!r}, {_source(package, name)!r})\n" for package, name in modules)
    return "".join((_LOAD, *calls)).encode()


def _source(package: str, name: str) -> str:
    return resources.files(package).joinpath(f"{name}.py").read_text(encoding="utf-8")
