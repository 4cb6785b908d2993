"""A run that stays in a phase: how to bring one there, and how to know that it is."""

import socket
import subprocess
from typing import Any

from tests.faults.site import Site, wait_for

PHASES = (
    "packing",
    "allocating",
    "connecting",
    "sending",
    "preparing",
    "executing",
    "fetching",
    "restoring",
    "rebooting",
    "discarding",
)

#: The phases in which the tar of the machine stays, and by which option that is known.
_TAR = {"sending": "-x", "fetching": "-c"}


class Lingering:
    """Makes the run of ``site`` stay in ``phase``. Use it as a context manager."""

    def __init__(self, site: Site, phase: str) -> None:
        self.site = site
        self.phase = phase
        self._mute: socket.socket | None = None
        here = site.here
        stays_here = f"touch {here}/at; sleep 98765"
        scripts = dict.fromkeys(("prepare", "execute", "restore"), "'true'")
        stays_there = "touch /at; sleep 98765"
        more, changes = "", dict[str, object]()
        match phase:
            case "packing":
                more = f"repack: |\n    {stays_here} & sleep 98765\n"
            case "allocating":
                changes["before"] = stays_here
            case "connecting":
                self._mute = socket.create_server(("127.0.0.1", 0))
                changes["before"] = f"address=127.0.0.1:{self._mute.getsockname()[1]}; mv taken/* taken/$address"
            case "sending" | "fetching":
                tar = site.disk() / "usr/bin/tar"
                tar.rename(tar.with_name("real-tar"))
                tar.write_text(
                    f'#!/bin/sh\ncase " $* " in *" {_TAR[phase]} "*) touch /at; exec sleep 98765;; esac\nexec real-tar "$@"\n'
                )
                tar.chmod(0o755)
            case "preparing":
                more = f"prepare: {stays_there}\n"
            case "executing":
                scripts["execute"] = stays_there
            case "restoring":
                scripts["restore"] = stays_there
            case "rebooting":
                scripts["execute"] = f"'[ $SPREAD_REBOOT = 0 ] || {{ {stays_there}; }}; REBOOT'"
            case "discarding":
                (here / "hold").touch()
        site.write(more, **changes)
        site.project.task("one", "".join(f"{verb}: {script}\n" for verb, script in scripts.items()) + "artifacts: ['*.yaml']\n")

    def reach(self, process: subprocess.Popen[str]) -> None:
        """Return when the run is in the phase."""
        if self._mute is not None:
            self._mute.settimeout(30)
            connection, _ = self._mute.accept()
            connection.close()
            self._mute.accept()[0].close()  # it tries again
            return
        disk = self.site.disk()
        marks = (self.site.here / "at", disk / "at")

        def is_there() -> bool:
            assert process.poll() is None, process.communicate()
            return not disk.exists() if self.phase == "rebooting" else any(mark.exists() for mark in marks)

        wait_for(is_there, f"a run that is {self.phase}")

    def let_go(self) -> None:
        """Let discard scripts do what they are there for."""
        (self.site.here / "hold").unlink(missing_ok=True)

    def __enter__(self) -> "Lingering":
        return self

    def __exit__(self, *_: Any) -> None:
        self.let_go()
        if self._mute is not None:
            self._mute.close()
        if self.phase == "rebooting":
            self.site.hosts[0].wait_for_boot()


def arguments(program: str, site: Site) -> tuple[str, ...]:
    """Return how to run ``program`` on a whole project, with artifacts."""
    directory = str(site.here / "artifacts")
    return ("outspread", "run", "--artifacts", directory) if program == "outspread" else ("spread", "-artifacts", directory)
