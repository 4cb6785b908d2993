"""``outspread shell``: a machine for a person, given back when the shell ends, whatever ends it."""

import signal
from collections.abc import Callable
from typing import Any

MakeLab = Callable[[int], Any]


def test_a_machine_with_the_project_on_it_and_given_back(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("any", "execute: 'true'\n")
    text = (one.project.root / "spread.yaml").read_text()
    one.project.file(
        "spread.yaml", text.replace("path: /srv/made\n", "path: /srv/made\nenvironment:\n    GREETING: hello $(HOST:echo you)\n")
    )
    person = one.project.on_terminal("outspread", "shell", "debian-12")
    assert "if killed, give its machines back with: outspread discard --run" in person.prompted()
    person.types("pwd; ls; echo $GREETING; exit 3\n")
    assert "/srv/made\r\nspread.yaml  tests\r\nhello you\r\n" in person.sees("hello you\r\n")
    assert person.ends() == 0
    assert "exit code 3" in person.text
    assert one.taken() == []
    assert one.project.machines() == []


def test_while_it_is_open_the_machine_is_in_use(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("any", "execute: 'true'\n")
    person = one.project.on_terminal("outspread", "shell")
    person.prompted()
    (machine,) = one.project.machines()
    assert machine["use"] == "in use"
    address = machine["address"]
    for refused in (
        one.project.run("outspread", "discard", "--machine", address),
        one.project.run("outspread", "shell", "--machine", address),
    ):
        assert refused.code == 1
        assert "a run uses it" in refused.err
    assert one.project.run("outspread", "discard", "--orphans").err == "nothing to discard\n"
    person.process.send_signal(signal.SIGTERM)
    assert person.ends() == 130
    assert one.taken() == []


def test_a_shell_that_was_killed_leaves_a_machine_that_is_found(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("any", "execute: 'true'\n")
    person = one.project.on_terminal("outspread", "shell")
    person.prompted()
    person.process.kill()
    person.process.wait()
    assert len(one.taken()) == 1
    assert one.project.run("outspread", "discard", "--orphans").code == 0
    assert one.taken() == []


def test_a_kept_machine_is_used_and_stays(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("any", "execute: 'true'\n")
    for _ in range(2):
        person = one.project.on_terminal("outspread", "shell", "--reuse")
        person.prompted()
        person.types("exit\n")
        assert person.ends() == 0
    assert len(one.taken()) == 1
    assert "kept" in one.project.run("outspread", "machines").out
    assert one.project.run("outspread", "discard").code == 0
    assert one.taken() == []


def test_without_a_terminal_there_is_no_shell(project: Any) -> None:
    project.task("any", "execute: 'true'\n")
    ended = project.run("outspread", "shell")
    assert ended.code == 1
    assert "no terminal" in ended.out + ended.err


def test_several_systems_have_to_be_told_apart(lab: MakeLab) -> None:
    one = lab(0)
    one.project.task("any", "execute: 'true'\n")
    text = (one.project.root / "spread.yaml").read_text()
    one.project.file("spread.yaml", text.replace("suites:\n", "            - debian-13:\n                password: x\nsuites:\n"))
    refused = one.project.run("outspread", "shell")
    assert refused.code == 1
    assert "cannot tell which system is meant: lab:debian-12, lab:debian-13" in refused.err
    unknown = one.project.run("outspread", "shell", "debian-14")
    assert unknown.code == 1
    assert "nothing matches" in unknown.err
    nowhere = one.project.run("outspread", "shell", "--machine", "m17")
    assert nowhere.code == 1
    assert "cannot find the machine m17" in nowhere.err
