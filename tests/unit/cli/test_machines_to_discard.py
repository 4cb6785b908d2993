"""Which machines are meant, by the record alone."""

import msgspec
import pytest

from outspread.cli.machines_to_discard import (
    Discardable,
    kept_for,
    of_run,
    of_systems,
    orphans,
    recorded,
    under_their_runs,
    unknown,
)
from outspread.controller.values import MachineEntry, MachineState
from outspread.errors import UserError
from outspread.machines.contract import Machine

NOW = 1000.0  # seconds since the epoch


def entry(
    machine_id: str,
    state: MachineState = MachineState.READY,
    *,
    run: str = "run1",
    root: str = "/p",
    alive: bool = False,
    record: str = "",
    system: str = "a-1",
) -> MachineEntry:
    return MachineEntry(machine_id, run, root, "lab", "adhoc", system, state, "lab:a-1", "h1", record, 0.0, alive)


def ids(found: list[Discardable]) -> list[str]:
    return [one.machine.machine_id for one in found]


def test_the_record_of_a_machine_is_the_machine() -> None:
    machine = Machine("m1", "lab", "adhoc", "a-1", address="h1", data={"discard": "x"})
    found = recorded(entry("m1", record=msgspec.json.encode(machine).decode()))
    assert (found.machine, found.run_id, found.root) == (machine, "run1", "/p")
    assert recorded(entry("m1")).machine == Machine("m1", "lab", "adhoc", "a-1", address="h1")


@pytest.mark.parametrize("state", [MachineState.REQUESTED, MachineState.READY, MachineState.DISCARDING])
def test_orphans_are_what_dead_runs_left_in_any_phase(state: MachineState) -> None:
    entries = [entry("m1", state), entry("m2", state, alive=True), entry("m3", state, root="/other")]
    assert ids(orphans(entries, [], now=NOW)) == ["m1", "m3"]
    assert ids(orphans(entries, [], now=NOW, root="/p")) == ["m1"]


def test_what_was_kept_on_purpose_is_no_orphan() -> None:
    assert orphans([entry("m1", MachineState.KEPT)], [], now=NOW) == []


def test_backends_know_their_machines_better() -> None:
    seen = Machine("m1", "lab", "adhoc", "a-1", data={"pid": "7"})
    stranger = Machine("m9", "lab", "adhoc", "a-1")
    entries = [entry("m1"), entry("m2", alive=True)]
    assert [one.machine for one in orphans(entries, [seen, stranger], now=NOW)] == [seen]
    assert unknown(entries, [seen, stranger]) == [stranger]


def test_a_run_is_named_by_its_beginning_and_must_be_over() -> None:
    entries = [entry("m1", run="abc1"), entry("m2", MachineState.KEPT, run="abc1"), entry("m3", run="abd"), entry("m4", run="x")]
    assert ids(of_run(entries, "abc")) == ["m1", "m2"]
    assert of_run(entries, "zzz") == []
    with pytest.raises(UserError, match="several begin with this: abc1, abd"):
        of_run(entries, "ab")
    with pytest.raises(UserError, match="it is still going"):
        of_run([entry("m1", alive=True)], "run1")


def test_of_a_project_what_its_file_and_the_record_know() -> None:
    noted = [Machine("m1", "lab", "adhoc", "a-1"), Machine("m2", "lab", "adhoc", "b-1")]
    kept = MachineState.KEPT
    entries = [
        entry("m1", kept, run="r1"),
        entry("m3", kept, run="r3", system="b-1"),
        entry("m4", kept, root="/other"),
        entry("m5"),
        entry("m6", kept, alive=True),
    ]
    found = under_their_runs(noted, entries) + kept_for("/p", entries, noted)
    assert [(one.machine.machine_id, one.run_id) for one in found] == [("m1", "r1"), ("m2", ""), ("m3", "r3")]
    assert ids(of_systems(found, {("lab", "b-1")})) == ["m2", "m3"]
    assert of_systems(found, None) == found
