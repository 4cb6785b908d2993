"""Projects made for a measurement."""

from pathlib import Path

_SPREAD_YAML = """\
project: bench
path: /srv/bench
backends:
{backends}
{more}suites:
    tests/:
        summary: Trivial tasks
"""

_SANDBOXES = """\
    sandbox:
        systems:
            - this-host:
                workers: {workers}
"""


def make_project(
    root: Path, *, tasks: int, samples: int = 1, workers: int = 1, execute: str = "true", backends: str = "", more: str = ""
) -> Path:
    """Make a project of ``tasks`` equal tasks in ``root``; return it.

    They run on ``workers`` sandboxes, or on what ``backends`` (the text of spread.yaml) says. ``more`` is more of that file.
    """
    root.mkdir(parents=True)
    backends = backends or _SANDBOXES.format(workers=workers)
    (root / "spread.yaml").write_text(_SPREAD_YAML.format(backends=backends, more=more))
    for number in range(tasks):
        task = root / f"tests/task-{number}"
        task.mkdir(parents=True)
        (task / "task.yaml").write_text(f"summary: Task {number}\nsamples: {samples}\nexecute: {execute}\n")
    return root
