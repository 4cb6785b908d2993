"""The test hosts are what tests take them for, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.hosts.host import PASSWORD, Host, why_no_hosts

NewHost = Callable[..., Host]

_CLIENT = """
import sys
from tests.hosts.host import Host
host = Host()
print(*host.processes(), flush=True)
sys.stdin.read()
"""


def ssh(host: Host, script: str, *, user: str = "root", address: str = "") -> str:
    """Run a script on a host with the OpenSSH client; return what it said."""
    ask = Path(os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]).with_name("password.sh")
    command = [
        "ssh",
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
    ]
    environment = os.environ | {"SSH_ASKPASS": str(ask.absolute()), "SSH_ASKPASS_REQUIRE": "force", "TEST_PASSWORD": PASSWORD}
    return subprocess.run(
        [*command, "-p", str(host.port), f"{user}@{address or host.address}", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=30,
    ).stdout


def test_a_host_is_a_computer_of_its_own(new_host: NewHost) -> None:
    one, two = new_host(), new_host()
    assert ssh(one, "echo mine > /etc/mine; hostname; pgrep -c sshd") == f"{one.name}\n2\n"
    assert ssh(two, "ls /etc/mine") == ""
    assert not Path("/etc/mine").exists()
    assert ssh(two, "id -un; sudo -n id -un", user="tester") == "tester\nroot\n"
    assert one.host_key != two.host_key


def test_a_reboot_ends_everything_but_the_disk(new_host: NewHost) -> None:
    host = new_host()
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = ssh(host, f"echo kept > /var/kept; echo gone > /run/gone; setsid sleep 987 > /dev/null 2>&1 & {boot_id}")
    ssh(host, "reboot")
    host.wait_for_boot()
    kept, after, *rest = ssh(host, f"cat /var/kept; {boot_id}; cat /run/gone; pgrep sleep").splitlines()
    assert (kept, rest) == ("kept", [])
    assert after != before.strip()


def test_another_host_may_take_the_place_of_one_that_is_gone(new_host: NewHost) -> None:
    one = new_host()
    key = one.host_key
    one.kill()
    assert one.processes() == {}
    two = new_host(address=one.address, port=one.port)
    assert two.host_key != key
    assert ssh(two, "hostname") == f"{two.name}\n"


@pytest.mark.skipif(bool(why_no_hosts()), reason=why_no_hosts())
def test_nothing_is_left_of_a_host_whose_test_was_killed() -> None:
    root = Path(__file__).parents[2]
    client = subprocess.Popen([sys.executable, "-c", _CLIENT], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdin is not None
    assert client.stdout is not None
    pids = [int(pid) for pid in client.stdout.readline().split()]
    assert len(pids) >= 2
    client.send_signal(signal.SIGKILL)
    client.wait()
    client.stdin.close()
    client.stdout.close()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.005)
