"""The example projects, each run for real on every kind of machine, through one suite."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.guests.guest_image import PASSWORD as GUEST_PASSWORD
from tests.lxd.daemon import IMAGE_WITH_PYTHON, LxdDaemon

EXAMPLES = Path(__file__).parents[3] / "examples"

#: What the jobs of each example come to.
EXPECTED = {
    "hello": {"passed": 1, "failed": 1},
    "levels": {"passed": 1},
    "artifacts": {"passed": 1},
    "matrix": {"passed": 7},
    "reboot": {"passed": 1},
}


class Place(NamedTuple):
    """Where an example is to run: what its backends and systems are to say, and what the programs need to get there."""

    backend: Mapping[str, Any] = {}
    system: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    left: Callable[[], object] = list  # what is there of machines that should be gone
    rebooted: Callable[[str], None] = lambda _machine: None


@pytest.fixture
def on_sandbox() -> Place:
    return Place()


@pytest.fixture
def on_adhoc(lab: Callable[[int], Any]) -> Place:
    made = lab(2)
    adhoc = yaml.safe_load((made.project.root / "spread.yaml").read_text())["backends"]["lab"]
    (system,) = adhoc.pop("systems")

    def rebooted(machine: str) -> None:
        next(host for host in made.hosts if host.spread_address in machine).wait_for_boot()

    return Place(adhoc, system["debian-12"], left=lambda: made.taken() + made.notes(), rebooted=rebooted)


@pytest.fixture
def on_lxd(lxd: LxdDaemon) -> Place:
    return Place({"type": "lxd"}, {"image": f"local:{IMAGE_WITH_PYTHON}"}, lxd.environment, lxd.instances)


@pytest.fixture
def on_qemu(guest_home: dict[str, str], project: Any) -> Place:
    devices = {"drive": "virtio", "network": "virtio"}
    system = {"image": "debian-12", "password": GUEST_PASSWORD, "device-backends": devices, "saved-state": True}
    directory = project.state / "qemu"
    return Place(
        {"type": "qemu", "memory": "256M"},
        system,
        {**guest_home, "OUTSPREAD_STATE": str(project.state)},
        lambda: list(directory.iterdir()) if directory.exists() else [],
    )


@pytest.fixture(params=["sandbox", "adhoc", "lxd", "qemu"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each place in turn."""
    made: Place = request.getfixturevalue(f"on_{request.param}")
    return made


def move(example: str, project: Any, place: Place) -> None:
    """Put an example into ``project``, with its backends as they are but for where their machines come from."""
    shutil.rmtree(project.root)
    shutil.copytree(EXAMPLES / example, project.root)
    described = yaml.safe_load((project.root / "spread.yaml").read_text())
    for backend in described["backends"].values():
        names = [(system, {}) if isinstance(system, str) else next(iter(system.items())) for system in backend["systems"]]
        backend.update(place.backend)
        backend["systems"] = [{name: {**place.system, **more, "workers": 1}} for name, more in names]
    project.file("spread.yaml", yaml.safe_dump(described, sort_keys=False))


def test_there_is_something_to_expect_of_every_example() -> None:
    assert sorted(EXPECTED) == sorted(path.name for path in EXAMPLES.iterdir() if (path / "spread.yaml").exists())


@pytest.mark.parametrize("example", EXPECTED)
def test_an_example_does_what_it_says(project: Any, place: Place, example: str, tmp_path: Path) -> None:
    move(example, project, place)
    words = ("outspread", "run", "--json", "--artifacts", str(tmp_path / "artifacts"))
    ended = project.run(*words, env=place.environment, within_s=120)
    events = [json.loads(line) for line in ended.out.splitlines()]
    outcomes = Counter(event["outcome"] for event in events if event["event"] == "attempt-finished")
    assert outcomes == EXPECTED[example], ended
    assert ended.code == ("failed" in outcomes)

    reboots = [event for event in events if event["event"] == "reboot-requested"]
    assert [event["count"] for event in reboots] == ([1, 2] if example == "reboot" else [])
    for event in reboots:
        place.rebooted(event["machine"])
    if example == "artifacts":
        report = tmp_path / "artifacts/sandbox:this-host:tests/report"
        assert (report / "report.txt").read_text() == "10 measurements/first\n"
        assert sorted(path.name for path in report.iterdir()) == ["measurements", "report.txt", "run.log"]
    assert project.machines() == []
    assert place.left() == []
