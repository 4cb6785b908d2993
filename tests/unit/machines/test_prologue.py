"""What a script is wrapped in; that bash does what is meant is in tests/integration/machines."""

import pytest

from outspread.machines.prologue import combine, export_line, render_script


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("", "export NAME="),
        ("1", 'export NAME="1"'),
        ("$OTHER and $(cmd)", 'export NAME="$OTHER and $(cmd)"'),
        ("'$raw'", "export NAME='$raw'"),
        ('"a"$b', 'export NAME="a"$b'),
        ('say "hi"', 'export NAME="say "hi""'),
    ],
)
def test_export_form(value: str, line: str) -> None:
    assert export_line("NAME", value) == line


def test_parts_get_a_subshell_each_and_empty_ones_none() -> None:
    assert combine(["a", " \n", "b", ""]) == "(\na\n)\n\n(\nb\n)"
    assert combine(["", "a"]) == "a"
    assert combine(["", ""]) == ":"


def test_order_of_the_wrapping() -> None:
    text = render_script(["echo user"], directory="/a b/c'd", environment=[("A", "1"), ("B", "$A")], trace=True).decode()
    landmarks = [
        "set -eu\n",
        "cd '/a b/c'\"'\"'d'\n",
        "REBOOT() {",
        "export DEBIAN_FRONTEND=noninteractive\n",
        "export PATH=",
        'export A="1"\n',
        'export B="$A"\n',
        "\nset -x\n",
        "(\necho user\n) < /dev/null\n",
    ]
    places = [text.index(landmark) for landmark in landmarks]
    assert places == sorted(places)


def test_untraced_and_without_a_directory() -> None:
    text = render_script(["true"]).decode()
    assert "set -x" not in text
    assert "\ncd " not in text


def test_local_scripts_may_name_addresses_and_not_reboot() -> None:
    local, remote = (render_script(["true"], local=local).decode() for local in (True, False))
    for helper, where in {
        "REBOOT": [remote],
        "ERROR": [local, remote],
        "FATAL": [local],
        "ADDRESS": [local],
        "MATCH": [local, remote],
    }.items():
        assert [text for text in (local, remote) if f"{helper}() " in text] == where


def test_bytes_that_are_no_text_pass_through() -> None:
    script = b"echo \xff\xfe".decode("utf-8", "surrogateescape")
    assert b"echo \xff\xfe" in render_script([script])
