"""Which type is served by whom."""

import sys

import pytest

from outspread.errors import UserError
from outspread.machines import backends
from outspread.machines.adhoc.backend import AdhocBackend
from outspread.machines.contract import MachineBackend
from outspread.machines.qemu.backend import QemuBackend
from outspread.machines.sandbox.backend import SandboxBackend


def test_adhoc_is_ours() -> None:
    assert isinstance(backends.backend_for("adhoc"), AdhocBackend)


def test_qemu_is_ours() -> None:
    assert isinstance(backends.backend_for("qemu"), QemuBackend)


def test_the_sandbox_is_ours() -> None:
    assert isinstance(backends.backend_for("sandbox"), SandboxBackend)
    assert backends.backend_for("sandbox") is not backends.backend_for("sandbox")


@pytest.mark.parametrize("known", ["google", "linode", "openstack", "testflinger", "humbox"])
def test_a_type_of_spread_that_is_not_here_yet_says_what_to_do(known: str) -> None:
    with pytest.raises(UserError, match=f"type {known}: Outspread itself has no machines of this type") as caught:
        backends.backend_for(known)
    assert "--sandbox" in caught.value.hint
    assert backends.ENTRY_POINT_GROUP in caught.value.hint


def test_a_type_that_nobody_knows_names_those_on_offer() -> None:
    with pytest.raises(UserError, match="type nimbus: there is none") as caught:
        backends.backend_for("nimbus")
    assert "sandbox" in caught.value.hint


def test_others_are_plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugged(SandboxBackend):
        pass

    def load() -> MachineBackend:
        return Plugged()

    monkeypatch.setattr(backends, "_entry_points", lambda: {"site-cloud": load, "google": load})
    assert isinstance(backends.backend_for("site-cloud"), Plugged)
    assert isinstance(backends.backend_for("google"), Plugged)
    assert backends.plugged_in_types() == {"site-cloud", "google"}


def test_a_broken_plug_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    point = metadata.EntryPoint("site-cloud", "no_such_module_here:Backend", backends.ENTRY_POINT_GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == backends.ENTRY_POINT_GROUP else [])
    with pytest.raises(UserError, match="cannot load the backend site-cloud: no_such_module_here:Backend"):
        backends.backend_for("site-cloud")


def test_the_sandbox_does_not_need_the_metadata_of_packages() -> None:
    assert "importlib.metadata" not in sys.modules[backends.__name__].__dict__
