"""Render what is fed to ``bash -``: the working directory, the helpers, the environment, and the user's script protected in it.

The one place that knows what a script finds when it starts (Spread's manual and behaviour are the source). Pure.
"""

import shlex
from collections.abc import Iterable, Sequence

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"

#: What the markers of ``markers`` are printed by. Tracing goes off first: the marker has to be the last line.
_MARKER_HELPERS = {
    "REBOOT": """\
REBOOT() {
    { set +xu; } 2> /dev/null
    echo "<REBOOT${1:+ $1}>"
    exit 213
}
""",
    "ERROR": """\
ERROR() {
    { set +xu; } 2> /dev/null
    local text="$*"
    text="${text//$'\\n'/ }"
    echo "<ERROR${text:+ $text}>"
    exit 213
}
""",
    "FATAL": """\
FATAL() {
    { set +xu; } 2> /dev/null
    local text="$*"
    text="${text//$'\\n'/ }"
    echo "<FATAL${text:+ $text}>"
    exit 213
}
""",
    "ADDRESS": """\
ADDRESS() {
    { set +xu; } 2> /dev/null
    if [ -z "${1:-}" ]; then
        echo '<FATAL ADDRESS needs an argument: HOST or HOST:PORT>'
        exit 213
    fi
    echo "<ADDRESS $1>"
}
""",
}

#: Bodies in parentheses: what they set stays theirs. The input is kept in a variable, since it is wanted again on a miss.
MATCH_HELPERS = """\
MATCH() (
    { set +xue; } 2> /dev/null
    if [ $# = 0 ]; then
        echo 'error: missing regexp argument' >&2
        return 1
    fi
    input="$(cat; echo .)"
    input="${input%.}"
    printf %s "$input" | grep -q -E "$@"
    case "${PIPESTATUS[1]}" in
        0) return 0 ;;
        1) printf 'grep error: pattern not found, got:\\n%s\\n' "${input%$'\\n'}" >&2 ;;
        *) echo 'error: grep could not search for the pattern' >&2 ;;
    esac
    return 1
)
NOMATCH() (
    { set +xue; } 2> /dev/null
    if [ $# = 0 ]; then
        echo 'error: missing regexp argument' >&2
        return 1
    fi
    input="$(cat; echo .)"
    input="${input%.}"
    printf %s "$input" | grep -q -E "$@"
    case "${PIPESTATUS[1]}" in
        1) return 0 ;;
        0) printf "NOMATCH pattern='%s' found in:\\n%s\\n" "$*" "${input%$'\\n'}" >&2 ;;
        *) echo 'error: grep could not search for the pattern' >&2 ;;
    esac
    return 1
)
"""

_LOCAL_HELPERS = "".join(_MARKER_HELPERS[name] for name in ("ERROR", "FATAL", "ADDRESS")) + MATCH_HELPERS
_MACHINE_HELPERS = "".join(_MARKER_HELPERS[name] for name in ("REBOOT", "ERROR")) + MATCH_HELPERS


def render_script(
    parts: Sequence[str],
    *,
    directory: str = "",
    environment: Iterable[tuple[str, str]] = (),
    trace: bool = False,
    local: bool = False,
) -> bytes:
    """Return the program for ``bash -`` that runs ``parts``, each in its own subshell, until one fails.

    ``directory`` is where it starts ("": wherever bash was). ``local`` is for scripts on our own host, which may
    name an ADDRESS but cannot REBOOT. Variables are exported in their order and may refer to earlier ones.
    """
    lines = ["set -eu"]
    if directory:
        lines.append(f"cd {shlex.quote(directory)}")
    lines.append(_LOCAL_HELPERS if local else _MACHINE_HELPERS)
    lines += ["export DEBIAN_FRONTEND=noninteractive", "export DEBIAN_PRIORITY=critical", f"export PATH={_PATH}"]
    lines += [export_line(name, value) for name, value in environment]
    lines.append("")
    if trace:
        lines.append("set -x")
    # the script ends its own line: a comment or an escape in its last one cannot swallow the parenthesis
    lines += ["(", combine(parts), ") < /dev/null", ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def render_shell_setup(*, prompt: str, directory: str, environment: Iterable[tuple[str, str]]) -> bytes:
    """Return what an interactive bash reads first: the helpers that make sense there, the environment, directory and prompt.

    ``prompt`` is what stands before the name of the directory. A variable that cannot be exported spoils none of the rest.
    """
    lines = [MATCH_HELPERS, "PS1=" + shlex.quote(prompt + "\\W# "), f"cd {shlex.quote(directory)}"]
    lines += ["export DEBIAN_FRONTEND=noninteractive", "export DEBIAN_PRIORITY=critical", f"export PATH={_PATH}"]
    # each by itself: a quote that is not closed would swallow the next ones
    lines += [f"eval {shlex.quote(export_line(name, value))}" for name, value in environment]
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def combine(parts: Sequence[str]) -> str:
    """Return one script of several, each in a subshell so that ``cd`` and variables don't carry over; empty ones are left out."""
    present = [part for part in parts if part.strip()]
    if len(present) == 1:
        return present[0]
    return "\n\n".join(f"(\n{part}\n)" for part in present) or ":"


def export_line(name: str, value: str) -> str:
    """Return the export of a variable, whose value the shell expands: ``'...'`` protects it, other quotes inside vanish."""
    if not value or value.startswith(("'", '"')):
        return f"export {name}={value}"
    return f'export {name}="{value}"'
