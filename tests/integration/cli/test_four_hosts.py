"""Whole projects on four hosts that SSH reaches: one of four hundred jobs."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

MakeLab = Callable[[int], Any]


def finished(out: str) -> list[dict[str, Any]]:
    return [event for line in out.splitlines() if (event := json.loads(line))["event"] == "attempt-finished"]


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
    assert len({attempt["machine"] for attempt in attempts}) == 4
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
