"""Trees that are packed on their way, with what each machine has for it."""

import asyncio
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hosts.host import Host

from outspread.machines.ssh import packing

OpenShell = Callable[..., Any]
Out = Callable[..., Any]
NewHost = Callable[..., Host]

CONTENT = b"much the same in every line\n" * 100_000


def archive() -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo("dir/text")
        info.size = len(CONTENT)
        tar.addfile(info, io.BytesIO(CONTENT))
    return made


# the program that a packed tree needs notes that it ran
NOTE = "mkdir -p /usr/local/bin; for name in zstd gzip; do real=$(command -v $name) || continue; "
NOTE += 'printf "#!/bin/sh\\necho $name >> /run/used\\nexec $real \\"\\$@\\"\\n" > /usr/local/bin/$name; '
NOTE += "chmod +x /usr/local/bin/$name; done"


@pytest.mark.parametrize(
    ("first", "is_far", "used"),
    [
        ("true", False, b"zstd\n"),  # out only: what is near is fetched as it is
        ("true", True, b"zstd\nzstd\n"),
        ("rm -f /usr/bin/zstd", False, b""),
        ("rm -f /usr/bin/zstd", True, b"gzip\ngzip\n"),
    ],
)
def test_a_tree_goes_there_and_back(
    open_shell: OpenShell,
    out: Out,
    new_host: NewHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    is_far: bool,
    used: bytes,
) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            await out(shell, f"{first}; {NOTE}")
            if used.startswith(b"zstd") and not (await out(shell, "command -v zstd"))[0].passed:
                pytest.skip("this computer has no zstd")
        async with open_shell(host) as shell:
            await shell.send_tree(archive(), "/var/sent")
            assert (await out(shell, "wc -c < /var/sent/dir/text"))[1].strip() == str(len(CONTENT)).encode()
            fetched = await shell.fetch("/var/sent", ["dir", "none*"], tmp_path / "back")
            assert (fetched.files, fetched.missing) == (1, ("none*",))
            assert (await shell.fetch("/var/sent", ["none"], tmp_path / "back")).files == 0
            assert (await out(shell, "cat /run/used 2> /dev/null"))[1] == used

    monkeypatch.setattr(packing, "_FAR_S", 0.0 if is_far else 1.0)
    asyncio.run(main())
    assert (tmp_path / "back/dir/text").read_bytes() == CONTENT
