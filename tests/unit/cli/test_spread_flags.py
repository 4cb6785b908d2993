import pytest

from outspread.cli.go_flags import ParsedFlags, parse_flags
from outspread.cli.keep_wish import KeepWish
from outspread.cli.spread_flags import SPREAD_FLAGS, misplaced_flags, spread_call
from outspread.errors import UserError


def parsed(line: str) -> ParsedFlags:
    return parse_flags(SPREAD_FLAGS, line.split())


# specs: flags of canonical/spread, then those that spread-plus adds.
SPREAD = (
    "list v vv pass reuse reuse-pid resend discard debug shell shell-before shell-after abend restore artifacts seed repeat gc"
)
SPREAD_PLUS = "version workers order live perf logs no-debug-output json"


def test_every_flag_of_both_flavours_is_understood() -> None:
    assert set(f"{SPREAD} {SPREAD_PLUS}".split()) <= {flag.name for flag in SPREAD_FLAGS}


def test_flags_are_named_once_and_in_order() -> None:
    names = [flag.name for flag in SPREAD_FLAGS]
    assert names == sorted(set(names))


@pytest.mark.parametrize(
    "line", ["-debug -shell", "-abend -restore", "-shell-before -abend", "-shell -shell-after", "-debug -shell-after"]
)
def test_alternatives_exclude_each_other(line: str) -> None:
    with pytest.raises(UserError, match=r"^cannot use .* together$") as caught:
        spread_call(parsed(line), "spread")
    assert caught.value.exit_code == 1
    assert all(flag in str(caught.value) for flag in line.split())


@pytest.mark.parametrize("line", ["-shell-before -shell-after", "-debug", "-abend -restore=false"])
def test_alternatives_that_go(line: str) -> None:
    spread_call(parsed(line), "spread")


def test_call_says_what_was_asked_for() -> None:
    call = spread_call(parsed("-vv -list -seed 7 -repeat 2 -workers=3 -order -artifacts out -abend a: b/"), "spread-plus")
    assert call.list_only
    assert (call.seed, call.repeat, call.workers, call.artifacts) == (7, 2, 3, "out")
    assert call.given_order
    assert call.abend
    assert not call.restore
    assert call.verbosity == 2
    assert call.flavour == "spread-plus"
    assert call.filters == ("a:", "b/")


@pytest.mark.parametrize(("line", "verbosity"), [("", 0), ("-v", 1), ("-vv", 2), ("-v -vv", 2)])
def test_verbosity(line: str, verbosity: int) -> None:
    assert spread_call(parsed(line), "spread").verbosity == verbosity


def test_flavour_flag_wins_over_the_default() -> None:
    assert spread_call(parsed("-flavour spread"), "spread-plus").flavour == "spread"


def test_filters_that_look_like_flags_are_noticed() -> None:
    assert misplaced_flags(parsed("tests/ -list -v")) == ("-list", "-v")
    assert misplaced_flags(parsed("-list tests/")) == ()


def test_a_number_below_zero_is_refused() -> None:
    with pytest.raises(UserError, match="cannot use -1 as the seed: it is less than 0"):
        spread_call(parsed("-seed -1"), "spread")
    with pytest.raises(UserError, match="cannot use machines of process -7: no process has such a number"):
        spread_call(parsed("-reuse-pid -7"), "spread")


@pytest.mark.parametrize(
    ("line", "keep"),
    [
        ("", KeepWish(notes_own=True)),
        ("-reuse -resend", KeepWish(reuse=True, resend=True)),
        ("-reuse-pid 7", KeepWish(reuse_pid=7)),
        ("-reuse-pid=7 -discard", KeepWish(reuse_pid=7)),
        ("-discard", KeepWish(reuse=True)),
        ("-pass x", KeepWish(notes_own=True, password="x")),
    ],
)
def test_which_machines_are_meant(line: str, keep: KeepWish) -> None:
    assert spread_call(parsed(line), "spread").keep == keep
