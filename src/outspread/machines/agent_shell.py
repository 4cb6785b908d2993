"""The way into a machine that runs commands for us: scripts, trees in and paths out. How to reboot is for each kind of machine.

The bash programs here get directories and patterns as arguments, never as part of their text.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from outspread.errors import ConnectionLostError, InfrastructureError, UserError
from outspread.machines.agent_connection import Command
from outspread.machines.command_runner import CommandRunner
from outspread.machines.contract import FetchedPaths, OutputSink, ScriptEnd, Terminal

if TYPE_CHECKING:  # imported when something is fetched
    from outspread.machines.tree_writer import TreeWriter

_BASH = "/bin/bash"

#: How long moving files may take before the machine is taken for lost.
_TRANSFER_LIMIT_S = 3600.0
_ERROR_TEXT_BYTES = 4000
#: The most that the index of a pattern takes, with its line break.
_INDEX_BYTES = 8

# $1: the value of TERM. What bash reads first is descriptor 3, so that no file on the machine is made or changed.
_INTERACT = 'TERM=$1 exec "$BASH" --rcfile /proc/self/fd/3 -i'

_OCCUPIED = 80
_NO_DIRECTORY = 81

# $1: the directory, $2...: options for tar
_UNPACK = rf"""
export LC_ALL=C PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
directory=$1; shift
if [ -e "$directory" ] || [ -L "$directory" ]; then
    [ -d "$directory" ] || exit {_OCCUPIED}
    shopt -s nullglob dotglob
    entries=("$directory"/*)
    [ "${{#entries[@]}}" = 0 ] || exit {_OCCUPIED}
fi
mkdir -p -- "$directory" || exit
cd -- "$directory" || exit
exec tar -x -p --numeric-owner "$@" -f -
"""

# $1: the directory, $2: an option for tar or nothing, $3...: patterns.
# Writes the indexes of patterns without a match, an empty line, then a tar.
# tar leaves names as they are (-P): what leads outside is refused here, not renamed there.
# An empty IFS leaves pathname expansion as the only thing that happens to an unquoted pattern.
_PACK = rf"""
export LC_ALL=C PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
cd -- "$1" || exit {_NO_DIRECTORY}
option=$2
shift 2
shopt -s nullglob
IFS=
found=()
index=0
for pattern; do
    matched=
    for path in ./$pattern; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            matched=yes
            found+=("$path")
        fi
    done
    [ "$matched" ] || echo $index
    index=$((index + 1))
done
echo
[ "${{#found[@]}}" = 0 ] && exit 0
printf '%s\0' "${{found[@]}}" | tar -c -P $option --null -T - -f -
status=${{PIPESTATUS[1]}}
[ "$status" = 1 ] && exit 0 # a file changed while it was read
exit "$status"
"""


class FetchPacking(Struct, frozen=True):
    """How what is fetched is packed: ``option`` tells tar there; ``unpack`` returns here, piece by piece, the archive.

    ``unpack`` raises TarFormatError when what it is given was not packed so.
    """

    option: str
    unpack: Callable[[bytes], Iterable[bytes]]


class AgentShell:
    """The Shell contract over whatever runs commands on the machine, but for ``reboot``."""

    def __init__(self, connection: CommandRunner, machine: str, *, keeps_owners: bool = True) -> None:
        """``machine`` is its name in errors; ``keeps_owners`` is false where only one user exists."""
        self._connection = connection
        self._machine = machine
        self._keeps_owners = keeps_owners

    async def ready(self) -> None:
        """Return once the machine takes scripts; raises ConnectionLostError when it never will."""
        await self._connection.ready()

    async def run(self, script: bytes, *, output: OutputSink, kill_after_s: float) -> ScriptEnd:
        """Feed ``script`` to ``bash -`` and return how it ended."""
        command = Command(argv=(_BASH, "-"), kill_after_s=kill_after_s, script=script)
        return await self._connection.run(command, output=output)

    async def interact(self, setup: bytes, terminal: Terminal) -> ScriptEnd:
        """Join ``terminal`` to an interactive bash that begins with ``setup``."""
        from outspread.machines.agent_terminal import run_on_terminal

        command = Command(
            argv=(_BASH, "-c", _INTERACT, "bash", terminal.kind),
            kill_after_s=math.inf,
            script=b"exec 3<&-\n" + setup,
            window=terminal.size,
        )
        return await run_on_terminal(self._connection, command, terminal)

    async def send_tree(self, archive: IO[bytes], directory: str) -> None:
        """Unpack ``archive`` under ``directory``, which must be missing or empty."""
        archive.seek(0)
        await self._unpack(archive, directory)

    async def _unpack(self, packed: IO[bytes], directory: str, *options: str) -> None:
        """Unpack what ``packed`` still has to give; ``options`` tell tar how it is packed."""
        if not self._keeps_owners:
            options += ("--no-same-owner",)
        command = Command(argv=(_BASH, "-c", _UNPACK, "bash", directory, *options), kill_after_s=_TRANSFER_LIMIT_S)
        said = _Tail()
        end = await self._connection.run(command, output=said.add, stdin=packed)
        if end.exit_code == _OCCUPIED:
            raise UserError(
                f"cannot send the project to {self._machine}: {directory} exists there and is not an empty directory",
                hint="take it away there, or name another directory as path: in spread.yaml",
            )
        if not end.passed:
            raise InfrastructureError(f"cannot unpack the project under {directory} on {self._machine}: {_why(end, said)}")

    async def fetch(self, directory: str, patterns: Sequence[str], destination: Path) -> FetchedPaths:
        """Copy what ``patterns`` match under ``directory`` to ``destination``."""
        from outspread.machines.tar_reader import TarFormatError
        from outspread.machines.tree_writer import TreeWriter

        packing = self._fetch_packing()
        command = Command(
            argv=(_BASH, "-c", _PACK, "bash", directory, packing.option, *patterns),
            kill_after_s=_TRANSFER_LIMIT_S,
            separate_errors=True,
        )
        said = _Tail()
        what = f"cannot fetch {', '.join(patterns)} from {directory} on {self._machine}"
        with TreeWriter(destination) as writer:
            reply = _PackReply(writer, len(patterns), packing.unpack)
            try:
                end = await self._connection.run(command, output=reply.feed, errors=said.add)
                if end.exit_code == _NO_DIRECTORY:
                    raise InfrastructureError(f"{what}: {said.text() or 'no such directory'}", retry=False)
                if not end.passed:
                    raise InfrastructureError(f"{what}: {_why(end, said)}")
                written = reply.finish()
            except TarFormatError as error:
                raise InfrastructureError(f"{what}: {error}", retry=False) from error
            except ConnectionLostError:
                raise
            except OSError as error:
                raise InfrastructureError(f"{what}: cannot write {error.filename or destination}: {error.strerror}") from error
        return FetchedPaths(
            files=written,
            missing=tuple(patterns[index] for index in reply.missing),
            refused=tuple(writer.refused),
        )

    def _fetch_packing(self) -> FetchPacking:
        """Return how what is fetched is packed on its way: not at all."""
        return FetchPacking("", lambda piece: (piece,))

    async def close(self) -> None:
        """Let go of the machine."""
        self._connection.close()


class _Tail:
    """The last bytes of what a command said."""

    def __init__(self) -> None:
        self._bytes = b""

    def add(self, piece: bytes) -> None:
        self._bytes = (self._bytes + piece)[-_ERROR_TEXT_BYTES:]

    def text(self) -> str:
        return "; ".join(self._bytes.decode(errors="replace").strip().splitlines())


def _why(end: ScriptEnd, said: _Tail) -> str:
    if end.timed_out:
        return f"it took longer than {_TRANSFER_LIMIT_S:.0f} s"
    how = f"killed by signal {end.signal}" if end.signal is not None else f"exit code {end.exit_code}"
    return said.text() or how


class _PackReply:
    """Takes apart what ``_PACK`` writes: indexes of patterns without a match, an empty line, a tar.

    The machine is not trusted: TarFormatError for what makes no sense.
    """

    def __init__(self, writer: "TreeWriter", patterns: int, unpack: Callable[[bytes], Iterable[bytes]]) -> None:
        from outspread.machines.tar_reader import TarFormatError, TarReader

        self._format_error = TarFormatError
        self.missing: list[int] = []
        self._writer = writer
        self._tar = TarReader()
        self._patterns = patterns
        self._unpack = unpack
        self._header: bytearray | None = bytearray()

    def feed(self, piece: bytes) -> None:
        if self._header is not None:
            self._header += piece
            head, separator, piece = self._take_header(self._header)
            if len(head) > self._patterns * _INDEX_BYTES:
                raise self._format_error("the answer does not begin with the patterns that match nothing")
            if not separator:
                return
            self.missing = [self._index(word) for word in head.split()]
            self._header = None
        for unpacked in self._unpack(piece):
            for event in self._tar.feed(unpacked):
                self._writer.take(event)

    def _index(self, word: bytes) -> int:
        if not (word.isdigit() and int(word) < self._patterns):
            raise self._format_error(f"the answer names {word[:30]!r} as a pattern that matches nothing")
        return int(word)

    @staticmethod
    def _take_header(header: bytearray) -> tuple[bytes, bytes, bytes]:
        if header.startswith(b"\n"):
            return b"", b"\n", bytes(header[1:])
        head, separator, rest = bytes(header).partition(b"\n\n")
        return head, separator, rest

    def finish(self) -> int:
        """Return how many files were written; raises TarFormatError when the archive is not whole."""
        if self._tar.is_fresh:
            return 0
        self._tar.finish()
        return self._writer.files
