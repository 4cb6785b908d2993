from collections.abc import Callable

import msgspec

from outspread.controller.run_digest import run_digest
from outspread.controller.values import RunOptions, RunSpec


def test_the_same_content_has_the_same_digest(make_run: Callable[..., RunSpec]) -> None:
    run = make_run("b:s:x/1", "c:s:x/1")
    turned = msgspec.structs.replace(run.project, backends=dict(reversed(run.project.backends.items())))
    assert run_digest(msgspec.structs.replace(run, project=turned)) == run_digest(run)


def test_everything_but_the_id_counts(make_run: Callable[..., RunSpec]) -> None:
    run = make_run("b:s:x/1", "b:s:x/2")
    assert run_digest(msgspec.structs.replace(run, run_id="other")) == run_digest(run)
    others = [
        msgspec.structs.replace(run, owner="you"),
        msgspec.structs.replace(run, options=RunOptions(seed=1)),
        msgspec.structs.replace(run, jobs=run.jobs[::-1]),
        msgspec.structs.replace(run, project=msgspec.structs.replace(run.project, path="/elsewhere")),
    ]
    assert len({run_digest(other) for other in [run, *others]}) == 5


def test_a_path_that_is_not_utf8_has_a_digest(make_run: Callable[..., RunSpec]) -> None:
    run = make_run("b:s:x/1")
    odd = msgspec.structs.replace(run, project=msgspec.structs.replace(run.project, root="/caf\udce9"))
    assert run_digest(odd) not in {"", run_digest(run)}
