"""Whole projects on four hosts that SSH reaches: the examples, and one of four hundred jobs."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).parents[3] / "examples"

MakeLab = Callable[[int], Any]

#: What the jobs of each example come to; the one that reboots its host comes last.
EXPECTED = {
    "hello": {"passed": 1, "failed": 1},
    "levels": {"passed": 1},
    "artifacts": {"passed": 1},
    "matrix": {"passed": 7},
    "reboot": {"passed": 1},
}


def finished(out: str) -> list[dict[str, Any]]:
    return [event for line in out.splitlines() if (event := json.loads(line))["event"] == "attempt-finished"]


def move_to_lab(lab: Any, example: str) -> None:
    """Put an example into the lab's project, with its backends as they are but for where their machines come from."""
    project = yaml.safe_load((EXAMPLES / example / "spread.yaml").read_text())
    lab.write()
    adhoc = yaml.safe_load((lab.project.root / "spread.yaml").read_text())["backends"]["lab"]
    (machine,) = adhoc.pop("systems")
    for backend in project["backends"].values():
        names = [(system, {}) if isinstance(system, str) else next(iter(system.items())) for system in backend["systems"]]
        backend.update(adhoc)
        backend["systems"] = [{name: {**machine["debian-12"], "workers": 1, **more}} for name, more in names]
    shutil.rmtree(lab.project.root)
    shutil.copytree(EXAMPLES / example, lab.project.root)
    lab.project.file("spread.yaml", yaml.safe_dump(project, sort_keys=False))


def test_every_example_runs_on_hosts(lab: MakeLab, tmp_path: Path) -> None:
    four = lab(4)
    assert sorted(EXPECTED) == sorted(path.name for path in EXAMPLES.iterdir() if (path / "spread.yaml").exists())
    for example, expected in EXPECTED.items():
        move_to_lab(four, example)
        ended = four.project.run("outspread", "run", "--json", "--artifacts", str(tmp_path / "artifacts"))
        assert Counter(attempt["outcome"] for attempt in finished(ended.out)) == expected, (example, ended)
        assert ended.code == ("failed" in expected)
        assert four.taken() == four.notes() == []
    rebooted = [event for line in ended.out.splitlines() if (event := json.loads(line))["event"] == "reboot-requested"]
    assert [event["count"] for event in rebooted] == [1, 2]
    host = next(host for host in four.hosts if host.spread_address in rebooted[0]["server"])
    for _ in rebooted:
        host.wait_for_boot()
    report = tmp_path / "artifacts/sandbox:this-host:tests/report"
    assert (report / "report.txt").read_text() == "10 measurements/first\n"


SUITES = 8
TASKS = 50
BAD_EXECUTE = {7, 23}  # of each suite
BAD_PREPARE = {11}
WITH_ARTIFACTS = {3}


def lay_out_four_hundred(project: Any) -> None:
    """Make suites with scripts at all levels; each host keeps count of what it runs."""

    def count(what: str) -> str:
        return f"echo {what} >> /root/ran"

    levels = "\n".join(f"{verb}: {count(f'project-{verb}')}" for verb in ("prepare", "prepare-each", "restore-each", "restore"))
    suites = ""
    for suite in range(SUITES):
        scripts = "\n".join(
            f"        {verb}: {count(f's{suite}-{verb}')}" for verb in ("prepare", "prepare-each", "restore-each", "restore")
        )
        suites += f"    s{suite}/:\n        summary: One of many\n{scripts}\n"
        for task in range(TASKS):
            own = count(f"s{suite}-t{task:02}")
            execute = "'false'" if task in BAD_EXECUTE else f"{own}; echo $SPREAD_JOB > said"
            prepare = "'false'" if task in BAD_PREPARE else "test -d ../../s0"
            artifacts = "artifacts: [said]\n" if task in WITH_ARTIFACTS else ""
            project.file(f"s{suite}/t{task:02}/task.yaml", f"summary: x\nprepare: {prepare}\nexecute: {execute}\n{artifacts}")
    text = (project.root / "spread.yaml").read_text()
    backend_end = text.index("suites:\n")
    project.file("spread.yaml", f"{text[:backend_end]}{levels}\nsuites:\n{suites}")


def test_four_hundred_jobs_of_several_suites(lab: MakeLab, tmp_path: Path) -> None:
    four = lab(4)
    lay_out_four_hundred(four.project)
    began = time.monotonic()
    ended = four.project.run("outspread", "run", "--json", "--artifacts", str(tmp_path / "artifacts"))
    took_s = time.monotonic() - began
    assert ended.code == 1
    assert took_s < 20

    attempts = finished(ended.out)
    assert len({attempt["job"] for attempt in attempts}) == len(attempts) == SUITES * TASKS
    bad = len(BAD_EXECUTE | BAD_PREPARE) * SUITES
    assert Counter(attempt["outcome"] for attempt in attempts) == {"passed": SUITES * TASKS - bad, "failed": bad}
    assert len({attempt["server"] for attempt in attempts}) == 4
    ran: Counter[str] = Counter()
    for host in four.hosts:
        on_host = Counter(host.read("/root/ran").split())
        assert on_host["project-prepare"] == on_host["project-restore"] == 1
        for suite in range(SUITES):
            assert on_host[f"s{suite}-prepare"] == on_host[f"s{suite}-restore"]
        ran += on_host
    executed = {name: times for name, times in ran.items() if "-t" in name}
    assert set(executed.values()) == {1}
    assert len(executed) == SUITES * TASKS - bad
    assert ran["project-prepare-each"] == ran["project-restore-each"] == SUITES * TASKS
    assert len(list((tmp_path / "artifacts").rglob("said"))) == SUITES * len(WITH_ARTIFACTS)
    assert four.taken() == four.notes() == []
