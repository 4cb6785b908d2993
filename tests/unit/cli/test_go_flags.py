import re

import pytest

from outspread.cli.go_flags import Flag, FlagError, FlagKind, parse_flags, usage

FLAGS = (
    Flag("list", FlagKind.SWITCH, "Print names"),
    Flag("v", FlagKind.SWITCH, "Say more"),
    Flag("pass", FlagKind.TEXT, "Password"),
    Flag("seed", FlagKind.INTEGER, "Seed"),
)


@pytest.mark.parametrize(
    ("line", "switches", "texts", "integers", "arguments"),
    [
        ("", set(), "", 0, ""),
        ("-list", {"list"}, "", 0, ""),
        ("--list -v", {"list", "v"}, "", 0, ""),
        ("-list=true", {"list"}, "", 0, ""),
        ("-list=T -v=1", {"list", "v"}, "", 0, ""),
        ("-list -list=false", set(), "", 0, ""),
        ("-list=F", set(), "", 0, ""),
        ("-list false", {"list"}, "", 0, "false"),  # booleans take a value by = only
        ("-pass a -list", {"list"}, "a", 0, ""),
        ("-pass=a=b", set(), "a=b", 0, ""),
        ("-pass= -list", {"list"}, "", 0, ""),
        ("-pass -list", set(), "-list", 0, ""),  # whatever follows is the value
        ("-pass a --pass b", set(), "b", 0, ""),
        ("-seed 5", set(), "", 5, ""),
        ("-seed=-5", set(), "", -5, ""),
        ("-seed 0x1F", set(), "", 31, ""),
        ("-seed 017", set(), "", 15, ""),
        ("-seed -0o17", set(), "", -15, ""),
        ("-seed 0b11", set(), "", 3, ""),
        ("-seed 1_000", set(), "", 1000, ""),
        ("tests/ -list", set(), "", 0, "tests/ -list"),  # flags stop at the first that is none
        ("-list a -v", {"list"}, "", 0, "a -v"),
        ("-- -list", set(), "", 0, "-list"),
        ("-list -- -v --", {"list"}, "", 0, "-v --"),
        ("- -list", set(), "", 0, "- -list"),
    ],
)
def test_reads_flags_as_go_does(line: str, switches: set[str], texts: str, integers: int, arguments: str) -> None:
    parsed = parse_flags(FLAGS, line.split())
    assert {name for name, on in parsed.switches.items() if on} == switches
    assert parsed.texts == {"pass": texts}
    assert parsed.integers == {"seed": integers}
    assert parsed.arguments == tuple(arguments.split())
    assert not parsed.help_wanted


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-nope", "flag provided but not defined: -nope"),
        ("--nope=1", "flag provided but not defined: -nope"),
        ("---list", "bad flag syntax: ---list"),
        ("-=x", "bad flag syntax: -=x"),
        ("--=x", "bad flag syntax: --=x"),
        ("-pass", "flag needs an argument: -pass"),
        ("-seed", "flag needs an argument: -seed"),
        ("-seed x", 'invalid value "x" for flag -seed: parse error'),
        ("-seed 1.5", 'invalid value "1.5" for flag -seed: parse error'),
        ("-seed \u0665", 'invalid value "\u0665" for flag -seed: parse error'),
        ("-seed 08", 'invalid value "08" for flag -seed: parse error'),
        ("-seed 9223372036854775808", 'invalid value "9223372036854775808" for flag -seed: value out of range'),
        ("-list=maybe", 'invalid boolean value "maybe" for -list: parse error'),
        ("-list=", 'invalid boolean value "" for -list: parse error'),
    ],
)
def test_refuses_as_go_does(line: str, message: str) -> None:
    with pytest.raises(FlagError, match=f"^{re.escape(message)}$") as caught:
        parse_flags(FLAGS, line.split())
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("line", ["-h", "--help", "-list -help", "-h=1"])
def test_help_is_wanted(line: str) -> None:
    assert parse_flags(FLAGS, line.split()).help_wanted


def test_help_may_be_a_flag_of_the_program() -> None:
    parsed = parse_flags((Flag("h", FlagKind.SWITCH, ""),), ["-h"])
    assert parsed.switches["h"]
    assert not parsed.help_wanted


def test_tells_what_was_given_whatever_its_value() -> None:
    assert parse_flags(FLAGS, ["-list=false", "-seed", "0"]).given == {"list", "seed"}


def test_usage_lists_flags_by_name() -> None:
    assert usage("spread", FLAGS) == (
        "Usage of spread:\n"
        "  -list\n    \tPrint names\n"
        "  -pass string\n    \tPassword\n"
        "  -seed int\n    \tSeed\n"
        "  -v\n    \tSay more\n"
    )
