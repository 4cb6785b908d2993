from collections.abc import Callable

import pytest

from outspread.controller.values import RunOptions, RunSpec
from outspread.project.model import Backend, Job, Project, System


def _job(name: str, *, priority: int = 0, samples: int = 1) -> Job:
    """A job from "backend:system:suite/task[:variant][#sample]"."""
    plain, _, sample = name.partition("#")
    backend, system, task, variant = [*plain.split(":"), ""][:4]
    return Job(
        name=name,
        backend=backend,
        system=system,
        suite=task.rpartition("/")[0] + "/",
        task=task,
        variant=variant,
        sample=int(sample or 1),
        samples=samples,
        priority=priority,
    )


def run_spec(*jobs: Job | str, workers: int = 1, options: RunOptions | None = None, run_id: str = "run-1") -> RunSpec:
    made = tuple(_job(job) if isinstance(job, str) else job for job in jobs)
    systems: dict[str, dict[str, System]] = {}
    for job in made:
        systems.setdefault(job.backend, {})[job.system] = System(name=job.system, backend=job.backend, workers=workers)
    backends = {name: Backend(name=name, type="adhoc", systems=of_it) for name, of_it in systems.items()}
    project = Project(name="demo", root="/demo", file="/demo/spread.yaml", path="/remote", backends=backends, suites={})
    return RunSpec(run_id=run_id, owner="me", project=project, jobs=made, options=options or RunOptions())


@pytest.fixture
def make_job() -> Callable[..., Job]:
    return _job


@pytest.fixture
def make_run() -> Callable[..., RunSpec]:
    return run_spec
