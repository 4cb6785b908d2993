"""Rendered scripts, run by the bash of this host."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from outspread.machines.markers import Marker, Word, address, final_marker
from outspread.machines.prologue import render_script


def bash(
    *parts: str,
    directory: str = "",
    environment: Sequence[tuple[str, str]] = (),
    trace: bool = False,
    local: bool = False,
) -> tuple[int, str]:
    script = render_script(parts, directory=directory, environment=environment, trace=trace, local=local)
    done = subprocess.run(["/bin/bash", "-"], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    return done.returncode, done.stdout.decode()


def test_errors_and_unset_variables_end_it() -> None:
    assert bash("false; echo on") == (1, "")
    code, said = bash("echo $NO_SUCH_VARIABLE; echo on")
    assert code != 0
    assert "NO_SUCH_VARIABLE: unbound variable" in said
    assert bash("false | true; echo on") == (0, "on\n")  # no pipefail


def test_directory_and_environment(tmp_path: Path) -> None:
    odd = tmp_path / "a $b \"c\" 'd'"
    odd.mkdir()
    environment = [("A", "one two"), ("B", "$A three"), ("C", "'$A'"), ("D", "$(echo sub)"), ("E", ""), ("F", 'x "y" z')]
    code, said = bash('pwd; printf "%s|" "$B" "$C" "$D" "$E" "$F"', directory=str(odd), environment=environment)
    assert (code, said) == (0, f"{odd}\none two three|$A|sub||x y z|")


def test_a_missing_directory_is_a_failure() -> None:
    code, said = bash("echo on", directory="/no/such/directory")
    assert code != 0
    assert "No such file or directory" in said
    assert "on\n" not in said


def test_fixed_settings() -> None:
    _, said = bash("echo $DEBIAN_FRONTEND $DEBIAN_PRIORITY $PATH; cat; tty")
    assert said.splitlines() == [
        "noninteractive critical /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin",
        "not a tty",
    ]


def test_the_trace_shows_the_script_and_no_values() -> None:
    code, said = bash("echo done", environment=[("SECRET", "hidden")], trace=True)
    assert code == 0
    assert said == "+ echo done\ndone\n"


def test_parts_do_not_share_directory_or_variables_and_stop_at_the_first_failure() -> None:
    assert bash("cd /; X=1; echo a", "pwd; echo ${X-unset}", directory="/usr") == (0, "a\n/usr\nunset\n")
    assert bash("echo a; false", "echo b") == (1, "a\n")
    assert bash() == (0, "")


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("echo a # comment", 0, "a\n"),
        ("echo a \\", 0, "a\n"),
        ("cat <<EOF\na\nEOF", 0, "a\n"),
        ("exit 7", 7, ""),
        ("exec echo a", 0, "a\n"),
        ("return 3 2>/dev/null; echo a", 0, "a\n"),
    ],
)
def test_the_end_of_a_script_does_not_reach_its_wrapping(script: str, code: int, said: str) -> None:
    if script.startswith("return"):  # outside a function: an error, as in any script
        assert bash(script)[0] != 0
        return
    assert bash(script) == (code, said)


@pytest.mark.parametrize("script", ["(", "cat <<EOF\na", "if true; then", "echo 'open", "echo )", "while"])
def test_what_is_not_closed_is_an_error_and_does_not_hang(script: str) -> None:
    code, said = bash(script)
    assert code != 0
    assert "bash" in said


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize(
    ("script", "marker"),
    [
        ("REBOOT", Marker(Word.REBOOT)),
        ("REBOOT key more", Marker(Word.REBOOT, "key")),
        ("echo before; (REBOOT 2); echo after", Marker(Word.REBOOT, "2")),
        ("ERROR it broke", Marker(Word.ERROR, "it broke")),
        ("ERROR", Marker(Word.ERROR)),
        ("ERROR 'two\nlines'", Marker(Word.ERROR, "two lines")),
        ("f() { if true; then ERROR deep; fi; }; f; echo after", Marker(Word.ERROR, "deep")),
    ],
)
def test_markers(script: str, marker: Marker, trace: bool) -> None:
    code, said = bash(script, "echo next", trace=trace)
    assert code == 213
    assert "after\n" not in said
    assert final_marker(said, code) == marker


@pytest.mark.parametrize("trace", [False, True])
def test_markers_of_local_scripts(trace: bool) -> None:
    code, said = bash("ADDRESS one:22; echo on; ADDRESS two", local=True, trace=trace)
    assert (code, address(said)) == (0, "two")
    code, said = bash("FATAL quota", local=True, trace=trace)
    assert final_marker(said, code) == Marker(Word.FATAL, "quota")
    code, said = bash("ADDRESS", local=True, trace=trace)
    assert final_marker(said, code) == Marker(Word.FATAL, "ADDRESS needs an argument: HOST or HOST:PORT")
    assert bash("REBOOT", local=True)[0] == 127


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("echo abc | MATCH 'a.c'", 0, ""),
        ("echo ABC | MATCH -i abc", 0, ""),
        ("printf 'one\\ntwo' | MATCH '^two$'", 0, ""),
        ("printf 'a\\n\\nb  c\\n' | MATCH nothing", 1, "grep error: pattern not found, got:\na\n\nb  c\n"),
        ("echo abc | MATCH", 1, "error: missing regexp argument\n"),
        ("echo abc | MATCH '('", 1, "grep"),
        ("echo abc | NOMATCH b", 1, "NOMATCH pattern='b' found in:\nabc\n"),
        ("echo abc | NOMATCH x", 0, ""),
        ("echo abc | NOMATCH", 1, "error: missing regexp argument\n"),
        ("echo abc | NOMATCH '('", 1, "grep"),
        ("MATCH x < /dev/null", 1, "grep error: pattern not found, got:\n\n"),
        ("echo -n | NOMATCH x", 0, ""),
        ("if echo a | MATCH b 2>/dev/null; then echo yes; else echo no; fi", 0, "no\n"),
        ("echo a | MATCH a; case $- in *e*) echo still strict;; esac", 0, "still strict\n"),
    ],
)
def test_match_and_nomatch(script: str, code: int, said: str, trace: bool) -> None:
    got_code, got = bash(f"{script}\n", trace=trace)
    assert got_code == code
    if trace:
        got = "".join(line for line in got.splitlines(keepends=True) if not line.startswith("+"))
    if said == "grep":
        assert got.startswith("grep: ")
        assert got.endswith("error: grep could not search for the pattern\n")
    else:
        assert got == said


def test_a_match_on_much_input_is_no_failure() -> None:
    assert bash("seq 200000 | MATCH '^1$'; seq 200000 | NOMATCH '^0$'") == (0, "")


def test_an_error_in_match_helpers_leaves_no_trace_of_themselves() -> None:
    _, said = bash("echo a | MATCH a", trace=True)
    assert set(said.splitlines()) == {"+ echo a", "+ MATCH a"}
