"""``$(HOST:command)`` in texts: find the references, and put in their place what the commands print.

A command ends at the parenthesis that closes it, counted as the shell counts: those in quotes, escaped, or opened inside
do not end it. Where nothing closes it in that reading, the first parenthesis does, as in Spread.
"""

import re
from collections.abc import Mapping

from outspread.project.errors import HostCommandError, ProjectError
from outspread.project.host_commands import HostCommands

OPENING = "$(HOST:"
_VARIABLE = re.compile(r"\$([a-zA-Z_][a-zA-Z0-9_]*)|\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
_TELLING = re.compile(r"[\\'\"()]")
_LONGEST_COMMAND = 100_000
_MOST_UNCLOSED = 100  # in one text; further ones end at the first parenthesis, without looking for a better one


def expand_host(text: str, host: HostCommands, *, owner: str) -> str:
    """Return ``text`` with the output of each command in its place, which is not looked at again.

    Raises HostCommandError, which names ``owner`` (whose environment it is).
    """
    return text if OPENING not in text else expand_references(text, {}, host, owner=owner, variables_too=False)


def expand_references(
    text: str, variables: Mapping[str, str], host: HostCommands, *, owner: str, variables_too: bool = True
) -> str:
    """Return ``text`` with commands and, if wanted, ``$NAME`` and ``${NAME}`` replaced; unknown names become empty."""
    done: list[str] = []
    position = 0
    unclosed = 0
    while (dollar := text.find("$", position)) >= 0:
        done.append(text[position:dollar])
        end, is_balanced = _command_end(text, dollar, balanced=unclosed < _MOST_UNCLOSED)
        unclosed += not is_balanced
        variable = _VARIABLE.match(text, dollar) if variables_too and not end else None
        if end:
            done.append(_output(text[dollar + len(OPENING) : end - 1], host, owner))
            position = end
        elif variable:
            done.append(variables.get(variable[1] or variable[2], ""))
            position = variable.end()
        else:
            done.append("$")
            position = dollar + 1
    return "".join(done) + text[position:]


def is_one_reference(text: str) -> bool:
    """Tell whether ``text`` is a single reference and nothing else."""
    return bool(_VARIABLE.fullmatch(text)) or (bool(text) and _command_end(text, 0)[0] == len(text))


def _output(command: str, host: HostCommands, owner: str) -> str:
    try:
        return host.output_of(command)
    except HostCommandError as error:
        raise ProjectError(
            f"$(HOST:{command}) in {owner} environment returned error: {error.message}", hint=error.hint
        ) from error


def _command_end(text: str, start: int, *, balanced: bool = True) -> tuple[int, bool]:
    """Return where the reference at ``start`` ends, 0 when there is none, and whether that is the shell's reading, too."""
    if not text.startswith(OPENING, start):
        return 0, True
    begin = start + len(OPENING)
    # Spread wants a command of at least one character: a parenthesis straight away does not close.
    first_end = text.find(")", begin + 1) + 1
    end = _balanced_end(text, begin) if balanced and first_end else 0
    return (end, True) if end else (first_end, not first_end)


def _balanced_end(text: str, begin: int) -> int:
    """Return where a command that starts at ``begin`` ends in the shell's reading; 0 if nowhere."""
    open_now = 1
    in_double = False
    position = begin
    limit = min(len(text), begin + _LONGEST_COMMAND)
    while (telling := _TELLING.search(text, position, limit)) is not None:
        character, position = telling[0], telling.end()
        if character == "\\":
            position += 1
        elif character == '"':
            in_double = not in_double
        elif character == "'" and not in_double:
            position = text.find("'", position) + 1
            if not position:
                return 0
        elif character == "(" and not in_double:
            open_now += 1
        elif character == ")" and not in_double:
            open_now -= 1
            if not open_now:
                return 0 if position - 1 == begin else position
    return 0
