"""The regular expressions of filters: Go's syntax, in which dots and colons have a meaning of their own.

Go matches in linear time and Python does not, so what could take for ever is refused, or written so that it cannot.
"""

import re
from collections.abc import Callable

_ANYTHING = "[^:]*"
_COLON = ":(?:.+:)?"
_RUN = re.compile(r"\.+|:+|#")
_REPEAT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_MOST_REPEATS = 1000  # as in Go
_MANY_REPEATS = 8  # from here on a repeat counts as unbounded
_CLASS_ESCAPES = frozenset("dDwWsS")
_OTHER_ESCAPES = {
    "z": r"\Z",
    "A": r"\A",
    "b": r"\b",
    "B": r"\B",
    "a": r"\a",
    "f": r"\f",
    "t": r"\t",
    "n": r"\n",
    "r": r"\r",
    "v": r"\v",
}
_LITERAL, _WILDCARD, _OTHER = "literal", "wildcard", "other"
_MOST_CHARACTERS = 10_000


class PatternError(ValueError):
    """A filter without meaning, or with one that could take for ever. ``token`` is the offending part, if it is one."""

    def __init__(self, reason: str, token: str = "") -> None:
        super().__init__(reason)
        self.token = token


def compile_pattern(text: str) -> Callable[[str], object]:
    """Return a function that is true of the names in which ``text`` is found. Raises PatternError."""
    flags = re.ASCII
    if text.startswith("(?i)"):
        flags |= re.IGNORECASE
        text = text.removeprefix("(?i)")
    begins = ".+" if text.startswith((":", "/")) else ""
    ends = ".+" if text.endswith((":", "/")) else ""
    body = _Translation(text).result()
    try:
        return re.compile(rf"(?:\A|:){begins}{body}{ends}(?:\Z|[:#])", flags).search
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"as a regular expression: {error}") from error


class _Translation:
    """One walk over a filter's text, from left to right."""

    def __init__(self, text: str) -> None:
        if len(text) > _MOST_CHARACTERS:
            raise PatternError("it is too long")
        self._text = text
        self._position = 0
        self._pieces: list[tuple[str, str]] = []
        self._unbounded = [False]  # for each open group: does it hold something of any length?
        self._closed_unbounded = False  # is the piece just written a group that does?
        self._repeated = False  # is the piece just written a repetition?

    def result(self) -> str:
        while self._position < len(self._text):
            self._next()
        return _joined(self._pieces)

    def _next(self) -> None:
        character = self._text[self._position]
        run = _RUN.match(self._text, self._position)
        if run is not None:
            self._position = run.end()
            self._write_run(run[0])
        elif character == "\\":
            self._write(_OTHER, self._escape())
        elif character == "[":
            self._write(_OTHER, self._set())
        elif character in "*+?":
            self._repeat(character, unbounded=character != "?")
        elif character == "{" and (repeat := _REPEAT.match(self._text, self._position)):
            self._counted_repeat(repeat)
        elif character == "(":
            if self._text.startswith("(?", self._position):
                raise PatternError("groups that begin with (? are not supported")
            self._position += 1
            self._unbounded.append(False)
            self._pieces.append((_OTHER, "("))
            self._repeated = self._closed_unbounded = False
        elif character == ")":
            self._close_group()
        else:
            self._position += 1
            special = {"|": "|", "^": r"\A", "$": r"\Z"}.get(character)
            self._write(_OTHER if special else _LITERAL, special or re.escape(character))

    def _write(self, kind: str, piece: str) -> None:
        self._pieces.append((kind, piece))
        self._repeated = self._closed_unbounded = False

    def _write_run(self, run: str) -> None:
        if run == ".":
            self._write(_LITERAL, r"\.")
        elif run == "...":
            self._write(_WILDCARD, _ANYTHING)
            self._unbounded[-1] = True
            self._repeated = True
        elif run == ":":
            self._write(_OTHER, _COLON)
            self._unbounded[-1] = True
            self._repeated = True
        else:
            raise PatternError("a filter looks like google:ubuntu-24.04:tests/main/one; ... stands for anything", run)

    def _close_group(self) -> None:
        if len(self._unbounded) == 1:
            raise PatternError("as a regular expression: unbalanced parenthesis")
        self._position += 1
        inner = self._unbounded.pop()
        self._unbounded[-1] |= inner
        self._pieces.append((_OTHER, ")"))
        self._repeated = False
        self._closed_unbounded = inner

    def _counted_repeat(self, repeat: re.Match[str]) -> None:
        least, is_range, digits = repeat[1], repeat[2] is not None, repeat[3]
        if max(len(least), len(digits or "")) > len(str(_MOST_REPEATS)) or max(int(least), int(digits or 0)) > _MOST_REPEATS:
            raise PatternError("it repeats something too often")
        most = int(digits) if digits else None if is_range else int(least)
        self._repeat(repeat[0], unbounded=most is None or most > _MANY_REPEATS)

    def _repeat(self, operator: str, *, unbounded: bool) -> None:
        if self._repeated:
            raise PatternError("it repeats a repetition")
        if unbounded and self._closed_unbounded:
            raise PatternError("a repetition inside a repetition could take for ever")
        self._position += len(operator)
        if self._text.startswith("?", self._position):  # as little as possible: the same names match
            self._position += 1
        self._pieces.append((_OTHER, operator))
        self._unbounded[-1] |= unbounded
        self._repeated = True
        self._closed_unbounded = False

    def _escape(self) -> str:
        """Take an escape sequence."""
        escaped = self._text[self._position + 1 : self._position + 2]
        self._position += 2
        if escaped in _OTHER_ESCAPES:
            return _OTHER_ESCAPES[escaped]
        if escaped and (escaped in _CLASS_ESCAPES or not escaped.isalnum()):
            return f"\\{escaped}" if escaped in _CLASS_ESCAPES else re.escape(escaped)
        raise PatternError(f"as a regular expression: unknown escape \\{escaped}")

    def _set(self) -> str:
        """Take a set of characters in brackets."""
        end = self._position + 1
        negated = self._text.startswith("^", end)
        end += negated
        members: list[str] = []
        while not (members and self._text.startswith("]", end)):
            if end >= len(self._text):
                raise PatternError("as a regular expression: missing closing ]")
            character = self._text[end]
            if character == "\\":
                self._position = end
                members.append(self._escape())
                end = self._position
            else:
                members.append("-" if character == "-" and members and members[-1] != "-" else re.escape(character))
                end += 1
        self._position = end + 1
        return f"[{'^' if negated else ''}{''.join(members)}]"


def _joined(pieces: list[tuple[str, str]]) -> str:
    """Return the pieces as one expression.

    What stands between two wildcards is looked for once, leftmost: a later place could only match less.
    """
    parts: list[str] = []
    position = 0
    while position < len(pieces):
        kind, piece = pieces[position]
        end = position + 1
        while kind == _WILDCARD and end < len(pieces) and pieces[end][0] == _LITERAL:
            end += 1
        if end > position + 1 and end < len(pieces) and pieces[end][0] == _WILDCARD:
            literal = "".join(text for _, text in pieces[position + 1 : end])
            parts.append(f"(?>[^:]*?{literal})")
            position = end
        else:
            parts.append(piece)
            position += 1
    return "".join(parts)
