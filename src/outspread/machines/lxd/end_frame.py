"""How a program that the server starts tells how it ended. Pure.

The server itself says so only when nobody has the program's streams any more, which what it left behind may keep for ever. So a
shell waits for the program and writes a frame behind its output, with a mark that nothing else writes.
"""

import re
import secrets
import signal

from outspread.machines.contract import ScriptEnd

#: Its first byte is rare in output: what might be the beginning of a frame is held back until more comes.
_FIRST = b"\x1e"
_SHELL_SIGNALS = 128

# A shell has one number for a program that was killed and one that ended with 128 and more, but says a word of its own
# ("Killed") about the first, which makes the ``!``; bash says it unless it takes itself for a plain POSIX shell. What a program
# wrote to a terminal last, LXD may lose when the program has ended: so that waits for the answer that the frame was seen, and a
# little where nothing can be read, which is when a shell was killed that had the terminal for itself.
_WAIT = """[ -z "${BASH_VERSION-}" ] || set +o posix
exec 3>&1 4>&2 2> /dev/null
{ (exec >&3 2>&4 3>&- 4>&-; exec /bin/sh -c "$1"); echo $?; } 2>&1 | {
    words= code=
    while read -r line; do words=$words$code code=$line; done
    [ -z "$code" ] || printf '\\036%s:%s%s;' "$2" "$code" "${words:+!}" >&3
}
[ -t 0 ] || exit 0
while read -r word; do [ "$word" != "$2" ] || exit 0; done
sleep 1
"""
#: The only signal that no shell has a word for, but for SIGINT, which programs catch to end with that number themselves.
_UNSAID = signal.SIGPIPE


class EndFrame:
    """The frame of one program, and what finds it in the program's output."""

    def __init__(self) -> None:
        token = secrets.token_hex(16)
        self._token = token
        self._mark = _FIRST + token.encode() + b":"
        self._begun = re.compile(re.escape(self._mark) + rb"[0-9]{0,3}!?")
        self._whole = re.compile(re.escape(self._mark) + rb"([0-9]{1,3})(!?);")
        self._held = b""
        self.end: ScriptEnd | None = None

    def command(self, command: str) -> list[str]:
        """Return what to start so that the frame follows the output of ``command``, which a shell reads."""
        return ["/bin/sh", "-c", _WAIT, "sh", command, self._token]

    def seen(self) -> bytes:
        """Return what to type on the program's terminal once its frame was seen."""
        return f"\n{self._token}\n".encode()

    def feed(self, piece: bytes) -> bytes:
        """Return what of the output up to here is the program's; ``end`` is there once the frame was."""
        if self.end is not None:
            return piece
        text = self._held + piece
        if found := self._whole.search(text):
            self.end = _end(int(found[1]), was_killed=bool(found[2]))
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
        return last if self._mark.startswith(last) or self._begun.fullmatch(last) else b""


def _end(code: int, *, was_killed: bool) -> ScriptEnd:
    number = code - _SHELL_SIGNALS
    if number == _UNSAID or (was_killed and number in signal.valid_signals()):
        return ScriptEnd(exit_code=None, signal=number)
    return ScriptEnd(exit_code=code)
