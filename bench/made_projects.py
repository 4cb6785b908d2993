"""Projects made for a measurement."""

from pathlib import Path

_SPREAD_YAML = """\
project: bench
path: /srv/bench
backends:
    sandbox:
        systems:
            - this-host:
                workers: {workers}
suites:
    tests/:
        summary: Trivial tasks
"""


def make_project(root: Path, *, tasks: int, samples: int = 1, workers: int = 1, execute: str = "true") -> Path:
    """Make a project of ``tasks`` equal tasks on ``workers`` sandboxes in ``root``; return it."""
    root.mkdir(parents=True)
    (root / "spread.yaml").write_text(_SPREAD_YAML.format(workers=workers))
    for number in range(tasks):
        task = root / f"tests/task-{number}"
        task.mkdir(parents=True)
        (task / "task.yaml").write_text(f"summary: Task {number}\nsamples: {samples}\nexecute: {execute}\n")
    return root
