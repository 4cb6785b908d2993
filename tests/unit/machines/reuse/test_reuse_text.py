"""The text of reuse files: as Spread writes them, line for line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.errors import UserError
from outspread.machines.reuse.reuse_text import (
    Data,
    ReuseEntry,
    ReuseTextError,
    parse_reuse,
    refuse_repeated_addresses,
    render_reuse,
)

#: What Go's YAML makes of values of every kind that Spread's backends note.
SPREADS_OWN = """\
backends:
  adhoc:
    systems:
    - debian-12-64:
        username: ubuntu
        password: "0123456789012345"
        address: 10.0.0.1:2222
        data: {}
    - debian-12-64:
        password: 12ab34cd56ef7890
        address: localhost:59301
  google:
    systems:
    - ubuntu-24.04-64:
        password: 'a: b # c'
        address: 34.1.2.3
        data:
          name: nov221951-123456
  qemu:
    systems:
    - ubuntu-16.04-64:
        username: "yes"
        password: "1234567890"
        address: localhost:59302
        data:
          pid: 4711
          running: true
          note: null
          ports:
          - 1
          - "2"
"""


def test_what_spread_writes_is_read_and_comes_out_as_it_went_in() -> None:
    entries = parse_reuse(SPREADS_OWN)
    assert [(entry.backend, entry.system, entry.address) for entry in entries] == [
        ("adhoc", "debian-12-64", "10.0.0.1:2222"),
        ("adhoc", "debian-12-64", "localhost:59301"),
        ("google", "ubuntu-24.04-64", "34.1.2.3"),
        ("qemu", "ubuntu-16.04-64", "localhost:59302"),
    ]
    assert entries[0] == ReuseEntry(
        "adhoc", "debian-12-64", "10.0.0.1:2222", username="ubuntu", password="0123456789012345", data={}
    )
    assert entries[2].password == "a: b # c"
    assert entries[3].data == {"pid": 4711, "running": True, "note": None, "ports": [1, "2"]}
    assert render_reuse(entries) == SPREADS_OWN


@pytest.mark.parametrize(
    "text", ["", "\n", "backends: {}\n", "backends:\n", "backends:\n  lxd:\n", "backends:\n  lxd: {systems: []}\n"]
)
def test_an_empty_file_has_no_machines(text: str) -> None:
    assert parse_reuse(text) == ()


def test_without_machines_the_file_says_so() -> None:
    assert render_reuse(()) == "backends: {}\n"


def test_what_is_written_by_hand_keeps_its_spelling() -> None:
    (entry,) = parse_reuse("backends: {b: {systems: [{s-1: {address: h, password: 0123, username: on}}]}}")
    assert (entry.password, entry.username) == ("0123", "on")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a\n", "the file is not a map"),
        ("backends: [1]\n", "backends is not a map"),
        ("backends: {b: {systems: {s-1: {address: x}}}}\n", "systems of b is not a list"),
        ("backends: {b: {systems: [s-1]}}\n", "a system of b is not a map"),
        ("backends: {b: {systems: [{s-1: {password: x}}]}}\n", "a machine of b:s-1 has no address"),
        ("backends: {b: {systems: [{s-1: {address: [x]}}]}}\n", "address is not a text"),
        ("backends: {b: {systems: [{s-1: {address: x, data: 5}}]}}\n", "data of b:s-1 is not a map"),
        ("backends: {[x]: {}}\n", "a key is not a text"),
        ("backends: {\n", "did not find expected node content"),
        ("backends: " + "[" * 900 + "]" * 900, "nested too deeply"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(ReuseTextError, match=why):
        parse_reuse(text)


def test_two_machines_at_one_address_are_an_error() -> None:
    entries = (ReuseEntry("a", "s-1", "h:22"), ReuseEntry("b", "s-2", "h"), ReuseEntry("b", "s-3", "h:22"))
    with pytest.raises(UserError, match=r"cannot use F: a:s-1 and b:s-3 have the same address h:22"):
        refuse_repeated_addresses(entries, "F")
    refuse_repeated_addresses(entries[:2], "F")


NAMES = st.sampled_from(["adhoc", "lxd", "z.9"])
TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" \n"), max_size=20)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), TEXTS)
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5)
ENTRIES = st.builds(
    ReuseEntry,
    backend=NAMES,
    system=st.sampled_from(["debian-12", "x-1", "ubuntu-24.04-64"]),
    address=TEXTS.filter(bool),
    username=TEXTS,
    password=TEXTS | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    data=st.none() | st.dictionaries(TEXTS, DATA, max_size=3),
)


@given(st.lists(ENTRIES, max_size=4))
def test_all_that_is_written_is_read_again(entries: list[ReuseEntry]) -> None:
    text = render_reuse(entries)
    in_order = sorted(entries, key=lambda entry: entry.backend)
    assert list(parse_reuse(text)) == in_order
    assert render_reuse(parse_reuse(text)) == text


def test_the_kinds_of_data_are_those_of_json() -> None:
    data: Data = {"a": [1, "1", True, None, {"b": {}}, []]}
    (entry,) = parse_reuse(render_reuse([ReuseEntry("b", "s-1", "h", data={"x": data})]))
    assert entry.data == {"x": data}
