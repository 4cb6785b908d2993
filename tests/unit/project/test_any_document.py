"""Whatever a file holds, the answer is a project or an error that says what is wrong."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outspread.project.errors import ProjectError
from outspread.project.loader import load_project
from outspread.project.model import Flavour
from outspread.project.selection import select_jobs

_KEYS = st.sampled_from(
    [
        *("project", "path", "backends", "suites", "environment", "include", "reroot", "kill-timeout", "lxd", "tests/"),
        *("systems", "summary", "samples", "execute", "manual", "priority", "variants", "skip", "if", "reason", "artifacts"),
        *("storage", "workers", "type", "allocate", "memory", "<<"),
    ]
)
_SCALARS = st.one_of(
    st.sampled_from(
        [
            "",
            "~",
            "yes",
            "5",
            "-1",
            "1.5",
            "10s",
            "/p",
            "exp",
            "ubuntu-16.04",
            "*a",
            "&a x",
            "!!int x",
            "!x y",
            "$(HOST:x)",
            "[",
            "'",
        ]
    ),
    st.text(max_size=8),
)


def _flow(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(children, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(_KEYS, children), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    )


_DOCUMENTS = st.one_of(
    st.binary(max_size=40),
    st.lists(st.tuples(_KEYS, st.recursive(_SCALARS, _flow, max_leaves=8)), max_size=6).map(
        lambda pairs: "\n".join(f"{key}: {value}" for key, value in pairs).encode("utf-8", "replace")
    ),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_DOCUMENTS, _DOCUMENTS, st.booleans(), st.sampled_from(list(Flavour)))
def test_any_document_is_a_project_or_an_error(
    write: Callable[..., Path], host: object, spread_yaml: str, document: bytes, task: bytes, behind_valid: bool, flavour: Flavour
) -> None:
    root = write(spread_yaml.encode() + document if behind_valid else document, {"tests/a": b"summary: s\n" + task})
    try:
        project = load_project(root, flavour=flavour, host=host)  # type: ignore[arg-type]
        assert select_jobs(project, [], host=host)  # type: ignore[arg-type]
    except ProjectError as error:
        assert str(error)  # noqa: PT017 - either way is fine
