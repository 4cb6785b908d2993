"""How a program that the server starts tells how it ended. Pure.

The server itself says so only when nobody has the program's streams any more, which what it left behind may keep for ever. So a
shell waits for the program and writes a frame behind its output, with a mark that nothing else can know.
"""

import re
import secrets
import signal

from outspread.machines.contract import ScriptEnd

#: Its first byte is rare in output: what might be the beginning of a frame is held back until more comes.
_FIRST = b"\x1e"
_SHELL_SIGNALS = 128
_LONGEST_CODE = 3

# The shell's own words ("Killed") are nobody's output.
_WAIT = """exec 3>&2 2> /dev/null
(exec 2>&3 3>&-; exec /bin/sh -c "$1")
printf '\\036%s:%s;' "$2" "$?"
"""


class EndFrame:
    """The frame of one program, and what finds it in the program's output."""

    def __init__(self) -> None:
        token = secrets.token_hex(16)
        self._token = token
        self._mark = _FIRST + token.encode() + b":"
        self._frame = re.compile(re.escape(self._mark) + rb"([0-9]{1,%d});" % _LONGEST_CODE)
        self._held = b""
        self.end: ScriptEnd | None = None

    def command(self, command: str) -> list[str]:
        """Return what to start so that the frame follows the output of ``command``, which a shell reads."""
        return ["/bin/sh", "-c", _WAIT, "sh", command, self._token]

    def feed(self, piece: bytes) -> bytes:
        """Return what of the output up to here is the program's; ``end`` is there once the frame was."""
        if self.end is not None:
            return piece
        text = self._held + piece
        if found := self._frame.search(text):
            self.end = _end(int(found[1]))
            self._held = b""
            return text[: found.start()] + text[found.end() :]
        self._held = self._beginning(text)
        return text[: len(text) - len(self._held)]

    def rest(self) -> bytes:
        """Return what was held back, when nothing more comes."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, text: bytes) -> bytes:
        """Return the end of ``text`` that may be the beginning of the frame."""
        start = text.rfind(_FIRST)
        last = text[start:] if start >= 0 else b""
        if self._mark.startswith(last[: len(self._mark)]) and len(last) <= len(self._mark) + _LONGEST_CODE:
            return last
        return b""


def _end(code: int) -> ScriptEnd:
    """Take a code over 128 as a shell means it: by far the most programs that end with one were killed."""
    number = code - _SHELL_SIGNALS
    return ScriptEnd(exit_code=None, signal=number) if number in signal.valid_signals() else ScriptEnd(exit_code=code)
