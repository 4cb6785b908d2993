"""Run a backend's ``allocate`` or ``discard`` script on this host, and read what it says."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping

from msgspec import Struct

from outspread.errors import InfrastructureError
from outspread.machines.contract import ProgressSink, ScriptEnd
from outspread.machines.local_shell import open_local_shell
from outspread.machines.markers import Word, final_marker
from outspread.machines.prologue import render_script

_HIDDEN = "******"
_TRACE_LINES = 200
_OUTPUT_BYTES = 2 * 1024 * 1024


class LocalScript(Struct, frozen=True):
    """A script for this host. ``name`` is how errors call it; ``secrets`` are hidden in all that is shown of it."""

    name: str
    text: str
    directory: str
    variables: Mapping[str, str]  # over those of our own environment
    warn_after_s: float
    kill_after_s: float
    secrets: tuple[str, ...] = ()


class ScriptOutput:
    """What a script has printed so far; of very much, the end."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, piece: bytes) -> None:
        self._bytes += piece
        if len(self._bytes) > 2 * _OUTPUT_BYTES:
            del self._bytes[:-_OUTPUT_BYTES]

    def text(self) -> str:
        return self._bytes.decode(errors="replace")


async def run_local_script(script: LocalScript, output: ScriptOutput, progress: ProgressSink) -> None:
    """Run ``script`` to its end; everything it started is killed at its limit, and when this is cancelled.

    What it prints goes to ``output`` even so. Raises InfrastructureError unless it passed: with the text that it gave to ERROR
    or FATAL (which says that another try will not help), else with its trace.
    """
    # in the environment, not in the text: nothing there is expanded, and nobody else reads it
    shell = await open_local_shell({**os.environ, **script.variables})
    try:
        async with _late_notes(script, output, progress):
            end = await shell.run(
                render_script((script.text,), directory=script.directory, trace=True, local=True),
                output=output.add,
                kill_after_s=script.kill_after_s,
            )
    finally:
        await shell.close()
    if not end.passed:
        raise failure(script, end, output.text())


def failure(script: LocalScript, end: ScriptEnd, output: str) -> InfrastructureError:
    """Return the error that a script which did not pass is reported by."""
    marker = final_marker(output, end.exit_code)
    if marker is not None and marker.word in (Word.ERROR, Word.FATAL):
        text = hidden(marker.text, script.secrets) or f"{script.name} says no more than {marker.word}"
        return InfrastructureError(text, retry=marker.word is Word.ERROR)
    return InfrastructureError(with_trace(f"{script.name} failed: {_how(script, end)}", output, script.secrets))


def with_trace(message: str, output: str, secrets: tuple[str, ...]) -> str:
    """Return ``message`` followed by the end of a script's output, without its secrets."""
    lines = hidden(output, secrets).strip().splitlines()
    if not lines:
        return message
    above = [f"(... {len(lines) - _TRACE_LINES} lines above ...)"] if len(lines) > _TRACE_LINES else []
    return "\n".join((message, "-----", *above, *lines[-_TRACE_LINES:], "-----"))


def hidden(text: str, secrets: tuple[str, ...]) -> str:
    """Return ``text`` with every secret covered, the longest first: one may be part of another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _how(script: LocalScript, end: ScriptEnd) -> str:
    if end.timed_out:
        return f"kill-timeout reached after {script.kill_after_s:g} s"
    return f"killed by signal {end.signal}" if end.signal is not None else f"exit code {end.exit_code}"


@contextlib.asynccontextmanager
async def _late_notes(script: LocalScript, output: ScriptOutput, progress: ProgressSink) -> AsyncIterator[None]:
    """Say again and again that a script runs late, from its warn-timeout on."""

    async def say() -> None:
        while True:
            await asyncio.sleep(script.warn_after_s)
            lines = hidden(output.text(), script.secrets).strip().splitlines()
            progress(f"WARNING: {script.name} is running late. " + (f"Last line: {lines[-1]}" if lines else "No output yet."))

    saying = asyncio.create_task(say())
    try:
        yield
    finally:
        saying.cancel()
        await asyncio.wait([saying])
