"""Each way to log in, and what is said when it does not work."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hosts.host import Host, has_ipv6, why_no_hosts

from outspread.errors import ConnectionLostError, InfrastructureError, OutspreadError, UserError

OpenShell = Callable[..., Any]
Out = Callable[..., Any]
NewHost = Callable[..., Host]

PASSPHRASE = "open sesame"


def make_key(directory: Path, name: str, passphrase: str = "") -> Path:
    file = directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(file)], check=True)
    return file


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if reason := why_no_hosts():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("keys")
    return {"plain": make_key(directory, "plain"), "locked": make_key(directory, "locked", PASSPHRASE)}


@pytest.fixture(scope="module")
def host(keys: dict[str, Path]) -> Iterator[Host]:
    public = tuple(file.with_suffix(".pub").read_text() for file in keys.values())
    with Host(authorized_keys=public) as made:
        yield made


def who(open_shell: OpenShell, out: Out, to: Host, /, **asked: Any) -> str:
    """Return as whom scripts run."""

    async def main() -> str:
        async with open_shell(to, **asked) as shell:
            _, said = await out(shell, "echo $(id -un) $HOME $SUDO_USER$SUDO_UID; pwd")
            return str(said.decode())

    return asyncio.run(main())


ROOT = "root /root\n/root\n"


@pytest.mark.parametrize("username", ["root", "tester"])
def test_by_password(open_shell: OpenShell, out: Out, host: Host, username: str) -> None:
    assert who(open_shell, out, host, username=username) == ROOT


@pytest.mark.parametrize("username", ["root", "tester"])
def test_by_key_file(open_shell: OpenShell, out: Out, host: Host, keys: dict[str, Path], username: str) -> None:
    assert who(open_shell, out, host, username=username, password="", key_files=(str(keys["plain"]),)) == ROOT


def test_by_key_with_a_passphrase(open_shell: OpenShell, out: Out, host: Host, keys: dict[str, Path]) -> None:
    text = keys["locked"].read_text()
    assert who(open_shell, out, host, password="", private_key=text, passphrase=PASSPHRASE) == ROOT


def test_by_the_ssh_agent(
    open_shell: OpenShell, out: Out, host: Host, keys: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not place.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
        monkeypatch.setenv("HOME", str(tmp_path))
        subprocess.run(["ssh-add", "-q", str(keys["plain"])], check=True)
        assert who(open_shell, out, host, password="", uses_agent=True) == ROOT
    finally:
        agent.terminate()
        agent.wait()


def test_by_answering_a_question(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    assert who(open_shell, out, new_host(keyboard_interactive=True)) == ROOT


def test_over_ipv6(open_shell: OpenShell, out: Out, host: Host) -> None:
    if not has_ipv6():
        pytest.skip("this computer has no IPv6")
    assert who(open_shell, out, host, host="::1") == ROOT


@pytest.mark.parametrize("asks", [False, True])
def test_a_wrong_password_is_known_within_seconds(open_shell: OpenShell, new_host: NewHost, asks: bool) -> None:
    host = new_host(keyboard_interactive=asks)

    async def main() -> None:
        async with asyncio.timeout(8):
            async with open_shell(host, password="wrong", patience_s=60):
                pass

    with pytest.raises(InfrastructureError, match=r"cannot log in as root@.*a password") as caught:
        asyncio.run(main())
    assert not isinstance(caught.value, ConnectionLostError)
    assert not caught.value.retry
    assert "check the password" in caught.value.hint


def test_nothing_to_log_in_with(open_shell: OpenShell, out: Out, host: Host) -> None:
    with pytest.raises(InfrastructureError, match="offered: none") as caught:
        who(open_shell, out, host, password="")
    assert "give the system a password or a key" in caught.value.hint


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"key_files": ("/no/such/key",)}, "cannot read the SSH key /no/such/key: No such file"),
        ({"private_key": "not a key"}, "cannot use the SSH key"),
        ({"private_key": "locked", "passphrase": "wrong"}, "cannot use the SSH key"),
    ],
)
def test_a_key_that_is_none(
    open_shell: OpenShell, out: Out, host: Host, keys: dict[str, Path], asked: dict[str, Any], error: str
) -> None:
    if asked.get("private_key") == "locked":
        asked = asked | {"private_key": keys["locked"].read_text()}
    with pytest.raises(UserError, match=error):
        who(open_shell, out, host, **asked)


def test_a_user_who_may_not_become_root(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()

    async def take_sudo_away() -> None:
        async with open_shell(host) as shell:
            await out(shell, "sed -i /tester/d /etc/sudoers")

    asyncio.run(take_sudo_away())
    with pytest.raises(InfrastructureError, match=r"cannot start an agent.*password is required") as caught:
        who(open_shell, out, host, username="tester")
    assert caught.value.hint == "tester needs sudo without a password"


def test_login_shells_that_have_something_to_say(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            await out(
                shell,
                "for file in /root/.bashrc /root/.profile /home/tester/.bashrc; do echo 'echo welcome; seq 9999' > $file; done",
            )

    asyncio.run(main())
    assert who(open_shell, out, host) == ROOT
    assert who(open_shell, out, host, username="tester") == ROOT


def test_a_python_that_does_not_work_is_passed_over(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()
    told: list[str] = []

    async def main() -> None:
        async with open_shell(host) as shell:
            await out(shell, "printf '#!/bin/sh\\nexit 1\\n' > /usr/local/bin/python3; chmod +x /usr/local/bin/python3")
        async with open_shell(host, told.append) as shell:
            _, said = await out(shell, "cat /proc/$PPID/comm")
            assert said == b"outspread-agent\n"

    asyncio.run(main())
    assert told == []


def test_without_a_python_it_is_said_once(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host(python=False)
    told: list[str] = []

    async def main() -> None:
        async with open_shell(host, told.append) as shell:
            await out(shell, "true")
            await shell.reboot(within_s=30)
            assert (await out(shell, "echo there"))[1] == b"there\n"

    asyncio.run(main())
    name = f"{host.address}:{host.port}"
    assert told == [f"no agent on {name}, scripts get a channel each: it has no Python from 3.8 on with ctypes"]


# --- machines that are not there -----------------------------------------------------------------------------------


def test_nothing_listens(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()
    host.kill()
    began = time.monotonic()
    with pytest.raises(ConnectionLostError, match=f"cannot connect to root@{host.address}:{host.port}: nothing listens on port"):
        who(open_shell, out, host)
    assert time.monotonic() - began < 2


def test_something_else_listens(open_shell: OpenShell, out: Out, host: Host) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(ConnectionLostError, match=r"no answer within 0\.3 s"):
        who(open_shell, out, host, host="127.0.0.1", port=silent.getsockname()[1], connect_within_s=0.3)


def test_a_name_without_an_address(open_shell: OpenShell, out: Out, host: Host) -> None:
    with pytest.raises(OutspreadError, match=r"no address by the name nowhere.invalid|try again later|Temporary failure"):
        who(open_shell, out, host, host="nowhere.invalid")


def test_a_machine_on_its_way_up_is_waited_for(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    first = new_host()
    first.kill()

    async def main() -> str:
        connecting = asyncio.ensure_future(asyncio.to_thread(who, open_shell, out, first, patience_s=20))
        await asyncio.sleep(0.2)
        assert not connecting.done()
        new_host(address=first.address, port=first.port)
        return str(await connecting)

    assert asyncio.run(main()) == ROOT


# --- host keys ------------------------------------------------------------------------------------------------------


def host_key_of(open_shell: OpenShell, host: Host, **asked: Any) -> str:
    async def main() -> str:
        async with open_shell(host, **asked) as shell:
            return str(shell.host_key)

    return asyncio.run(main())


def test_the_key_of_a_disposable_machine_is_pinned_at_first_sight(open_shell: OpenShell, new_host: NewHost) -> None:
    host = new_host()
    pinned = host_key_of(open_shell, host)
    assert pinned == host.host_key
    assert host_key_of(open_shell, host, host_key=pinned) == pinned
    host.kill()
    other = new_host(address=host.address, port=host.port)
    with pytest.raises(InfrastructureError, match=r"cannot log in as .*its host key is not the one it had before") as caught:
        host_key_of(open_shell, other, host_key=pinned)
    assert not isinstance(caught.value, ConnectionLostError)
    assert not caught.value.retry


def test_the_key_of_a_fixed_machine_has_to_be_the_known_one(
    open_shell: OpenShell, host: Host, new_host: NewHost, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[{host.address}]:{host.port} {host.host_key}\n")
    assert host_key_of(open_shell, host, known_hosts=str(known), accepts_unknown=False) == host.host_key
    known.write_text(f"[{host.address}]:{host.port} {new_host().host_key}\n")
    for accepts_unknown in (True, False):
        with pytest.raises(InfrastructureError, match="its host key is not among those of") as caught:
            host_key_of(open_shell, host, known_hosts=str(known), accepts_unknown=accepts_unknown)
        assert "ssh-keygen -R" in caught.value.hint


def test_a_machine_that_is_not_known_is_accepted_only_where_that_is_wanted(
    open_shell: OpenShell, host: Host, tmp_path: Path
) -> None:
    for known in (tmp_path / "empty", tmp_path / "missing"):
        if known.name == "empty":
            known.touch()
        assert host_key_of(open_shell, host, known_hosts=str(known)) == host.host_key
        with pytest.raises(InfrastructureError, match="its host key is not among those of"):
            host_key_of(open_shell, host, known_hosts=str(known), accepts_unknown=False)
