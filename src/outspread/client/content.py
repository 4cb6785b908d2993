"""Pack a project's content for its machines: one uncompressed tar, made once for a run, with no name on disk."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from outspread.client.bound_processes import BoundProcesses
from outspread.errors import UserError
from outspread.machines.prologue import render_script
from outspread.project.content_rules import ContentRules
from outspread.project.model import Project

#: Never part of the content: who holds which machine is nobody's business on a machine.
_ALWAYS_EXCLUDED = ".spread-reuse.*"
_LITTLE_ROOM_BYTES = 64 * 1024
_TAR_FILES_CHANGED = 1  # GNU tar: something changed while it was read


class PackedContent:
    """The packed content of a run; the file lives as long as this does."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size_bytes = os.fstat(file.fileno()).st_size

    def open(self) -> IO[bytes]:
        """Return the archive at its start, with a position of its own."""
        return Path(f"/proc/self/fd/{self._file.fileno()}").open("rb")

    def close(self) -> None:
        self._file.close()


def pack_content(
    project: Project, rules: ContentRules, environment: tuple[tuple[str, str], ...], *, repack_within_s: float
) -> PackedContent:
    """Pack what ``rules`` say of ``project``'s tree, through its ``repack`` script if it has one.

    ``environment`` is what the script sees. Raises UserError with what tar or the script said.
    """
    try:
        return _packed(project, rules, environment, repack_within_s)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise UserError(f"cannot pack project content: {where}{error.strerror}") from error


def _packed(
    project: Project, rules: ContentRules, environment: tuple[tuple[str, str], ...], repack_within_s: float
) -> PackedContent:
    with contextlib.ExitStack() as opened:
        packed = opened.enter_context(tempfile.TemporaryFile(prefix="outspread-content-"))
        with tempfile.TemporaryFile() as names, tempfile.TemporaryFile() as said:
            names.write(b"\0".join(os.fsencode(name) for name in _names(project, rules)))
            names.seek(0)
            into = subprocess.PIPE if project.repack else packed
            fine = [0, _TAR_FILES_CHANGED]
            with BoundProcesses() as processes:
                try:
                    options = {"stdin": names, "stdout": into, "stderr": said, "env": {**os.environ, "LC_ALL": "C.UTF-8"}}
                    tar = processes.start(_tar_command(project, rules), **options)
                except FileNotFoundError as error:
                    raise UserError("cannot pack project content: tar is not installed", hint="install GNU tar") from error
                if tar.stdout is not None:
                    _repack(project, environment, tar.stdout, packed, within_s=repack_within_s)
                    fine.append(-signal.SIGPIPE)  # the script did not want all of it
                tar.wait()
            if tar.returncode not in fine:
                text = _text_of(said)
                if rules.include or not _only_misses(text):
                    raise UserError(f"cannot pack project content: {_why_tar_failed(tar.returncode, text)}")
        opened.pop_all()
        return PackedContent(packed)


def _only_misses(said: str) -> bool:
    """Return whether nothing was wrong but that files went away after they were listed."""
    *lines, last = said.splitlines() or [""]
    gone = all(line.endswith(": Cannot stat: No such file or directory") for line in lines)
    return bool(lines) and gone and last.endswith(": Exiting with failure status due to previous errors")


def _why_tar_failed(code: int, said: str) -> str:
    """Return why tar ended with ``code``; without room for the archive there may be none for its words either."""
    if shutil.disk_usage(tempfile.gettempdir()).free < _LITTLE_ROOM_BYTES:
        return f"no space is left in {tempfile.gettempdir()}"
    return said or f"tar ended with {code}"


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").strip()


def _names(project: Project, rules: ContentRules) -> list[str]:
    """Return what to pack, relative to the root: what ``include`` names, wildcards expanded, or all there is."""
    root = Path(project.root)
    if not rules.include:
        return sorted(entry.name for entry in root.iterdir() if not entry.name.startswith(".spread-reuse."))
    names: list[str] = []
    for pattern in rules.include:
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise UserError(
                f"cannot pack project content: {pattern!r} of the include list leads out of the project",
                hint="include: names files below the directory of spread.yaml",
            )
        matches = [pattern] if (root / pattern).exists() or (root / pattern).is_symlink() else []
        if not matches:
            matches = sorted(str(match.relative_to(root)) for match in root.glob(pattern.removeprefix("./")))
        if not matches:
            raise UserError(
                f"cannot pack project content: nothing matches {pattern!r} of the include list",
                hint=f"it is looked for in {root}",
            )
        names.extend(matches)
    return names


def _tar_command(project: Project, rules: ContentRules) -> list[str]:
    return [
        "tar",
        "--create",
        f"--exclude={_ALWAYS_EXCLUDED}",
        *(f"--exclude={pattern}" for pattern in rules.exclude),
        *(f"--transform={expression}" for expression in rules.rename),
        f"--directory={project.root}",
        "--no-unquote",
        "--null",
        "--verbatim-files-from",
        "--files-from=-",
    ]


def _repack(
    project: Project, environment: tuple[tuple[str, str], ...], plain: IO[bytes], packed: IO[bytes], *, within_s: float
) -> None:
    """Run the project's own script: the plain tar on its descriptor 3, what is to be sent on its descriptor 4."""
    with plain, tempfile.TemporaryFile() as script, tempfile.TemporaryFile() as said:
        script.write(render_script((project.repack,), directory=project.root, environment=environment, trace=True, local=True))
        script.flush()
        # the script first: it may be 3 or 4 itself
        start = f"exec 9</proc/self/fd/{script.fileno()} 3<&0 4>&1 0<&9 9<&- 1>&2; exec /bin/bash -eu -"
        with BoundProcesses() as processes:
            options = {"stdin": plain, "stdout": packed, "stderr": said, "pass_fds": (script.fileno(),)}
            running = processes.start(("/bin/bash", "-c", start), **options)
            plain.close()  # tar's pipe is the script's alone
            try:
                code = running.wait(within_s)
            except subprocess.TimeoutExpired:
                raise UserError(f"cannot repack project content: not done within {within_s:g} s") from None
        if code:
            raise UserError(f"cannot repack project content: exit code {code}\n-----\n{_text_of(said)}\n-----")
