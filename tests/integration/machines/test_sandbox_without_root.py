"""Sandboxes of an ordinary user, through a user namespace."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from outspread.machines.contract import MachineRequest

CLIENT = Path(__file__).with_name("sandbox_client.py")
NOBODY = 65534

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user, with setpriv"
)


def as_nobody(request: MachineRequest, script: str) -> list[str]:
    # reading what root owns is needed to start Python from root's directories; it gives no power over anything
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    readable = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--bounding-set=-all,+dac_read_search"]
    argv = ["setpriv", *user, *readable, sys.executable, str(CLIENT), msgspec.json.encode(request).decode(), script]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_works_with_one_user_and_says_so(new_request: Callable[..., MachineRequest]) -> None:
    lines = as_nobody(
        new_request(),
        "id -u; echo x > /etc/new && cat /etc/new; rm /usr/bin/env && ls /usr/bin/env 2>&1; hostname; "
        "echo b > /proc/sysrq-trigger || echo refused; ls /proc | grep -c '^[0-9]'",
    )
    assert any("only one user in the sandbox" in line for line in lines)
    said = " ".join(lines)
    assert "output 0" in said
    assert "refused" in said
    assert "sandbox-" in said
    assert Path("/usr/bin/env").exists()
    assert not Path("/etc/new").exists()
    assert lines[-1] == "end 0"


def test_where_user_namespaces_are_off_it_says_what_to_do(new_request: Callable[..., MachineRequest]) -> None:
    limit = Path("/proc/sys/user/max_user_namespaces")
    # in a user namespace of its own, so that the host's limit stays
    outer = ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 > {limit}; exec "$@"', "sh"]
    argv = [*outer, "setpriv", "--bounding-set=-all", sys.executable, str(CLIENT)]
    request = msgspec.json.encode(new_request()).decode()
    done = subprocess.run([*argv, request, "true"], capture_output=True, text=True, timeout=60)
    (line,) = done.stdout.splitlines()
    assert line.startswith("refused cannot make a sandbox: cannot enter namespaces: unshare: No space left on device")
    assert "user.max_user_namespaces is 0" in line
    assert line.endswith("sysctl -w user.max_user_namespaces=10000")
