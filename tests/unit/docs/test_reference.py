"""The reference knows every field, option, flag and event; the drawings are those of the tables."""

import re
import runpy
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest
from litestar.openapi.spec import OpenAPI
from prometheus_client import CollectorRegistry

from outspread.cli.main import outspread
from outspread.cli.spread_flags import SPREAD_FLAGS
from outspread.client.drafts import Document
from outspread.controller.command_values import CommandAttempt, CommandJob, CommandRunStatus, JobCounts
from outspread.controller.values import Outcome, Report, StepEvent
from outspread.project.known_fields import KNOWN_FIELDS, FieldLevel
from outspread.server.api import Doors, api_handlers
from outspread.server.problem import STATUSES, Code
from outspread.server.settings import SETTINGS, Setting

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SECTIONS = {
    FieldLevel.PROJECT: "The project",
    FieldLevel.BACKEND: "Backends",
    FieldLevel.SYSTEM: "Systems",
    FieldLevel.SUITE: "Suites",
    FieldLevel.TASK: "Tasks",
}


def section(text: str, title: str) -> str:
    """Return what stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no section {title}"
    return found[1]


def _described() -> OpenAPI:
    """The description of the API, without a controller behind it."""
    return api_handlers(Doors(controller=None, gate=None, registry=CollectorRegistry())).openapi_schema  # type: ignore[arg-type]


@pytest.mark.parametrize("level", FieldLevel)
def test_every_field_is_documented_where_it_belongs(level: FieldLevel) -> None:
    text = (DOCS / "reference/spread-yaml.md").read_text()
    known = section(text, SECTIONS[level]) + section(text, "Fields of Outspread") + section(text, "Fields of spread-plus")
    assert [field for field in sorted(KNOWN_FIELDS[level]) if f"`{field}`" not in known] == []


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(outspread)
    found = [(name, outspread.get_command(context, name)) for name in outspread.list_commands(context)]
    return [(name, command) for name, command in found if command is not None]


def parameters(command: click.Command) -> list[click.Parameter]:
    """All of a command, those of its own commands included."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return [*command.params, *(parameter for each in inner for parameter in parameters(each))]


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_option_is_documented_with_its_command(name: str, command: click.Command) -> None:
    text = (DOCS / "reference/commands.md").read_text()
    (title,) = re.findall(rf"^## (outspread {name}\b.*)$", text, re.MULTILINE)
    known = section(text, title)
    if name == "run":
        (listing,) = re.findall(r"^## (outspread list\b.*)$", text, re.MULTILINE)
        known += section(text, listing)
    options = [word for parameter in parameters(command) if isinstance(parameter, click.Option) for word in parameter.opts]
    assert options or name == "completion"  # it has none but --help
    assert [
        option for option in options if f"`{option}`" not in known and f"`{option} " not in known and option != "--help"
    ] == []


@pytest.mark.parametrize(("document", "kind"), [("jobs-file.md", CommandJob), ("jobs-file.md", Document)])
def test_every_member_of_a_job_is_documented(document: str, kind: type[msgspec.Struct]) -> None:
    text = (DOCS / "reference" / document).read_text()
    assert [name for name in kind.__struct_fields__ if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("kind", [CommandAttempt, CommandRunStatus, JobCounts])
def test_every_member_of_what_a_controller_tells_is_documented(kind: type[msgspec.Struct]) -> None:
    text = section((DOCS / "reference/json.md").read_text(), "Runs of a controller")
    assert [name for name in kind.__struct_fields__ if f"`{name}`" not in text] == []


def test_every_flag_of_spread_is_documented() -> None:
    known = section((DOCS / "reference/commands.md").read_text(), "spread")
    assert [flag.name for flag in SPREAD_FLAGS if not re.search(rf"`-{flag.name}[` ]", known)] == []


@pytest.mark.parametrize("kind", get_args(Report))
def test_every_event_is_documented_with_its_members(kind: type) -> None:
    text = (DOCS / "reference/json.md").read_text()
    tag = kind.__struct_config__.tag  # type: ignore[attr-defined]
    (line,) = re.findall(rf"^\| `{tag}` \|.*$", text, re.MULTILINE)
    common = set(StepEvent.__struct_fields__) if issubclass(kind, StepEvent) else {"at"}
    members = [name for name in kind.__struct_fields__ if name not in common]  # type: ignore[attr-defined]
    assert [name for name in members if f"`{name}`" not in line] == []


def test_every_outcome_and_every_member_of_a_step_is_documented() -> None:
    text = (DOCS / "reference/json.md").read_text()
    assert [name for name in (*Outcome, *StepEvent.__struct_fields__) if f"`{name}`" not in text] == []


def test_the_drawings_are_those_of_the_tables() -> None:
    tool = runpy.run_path(str(ROOT / "tools/draw_states.py"))
    for page, drawings in tool["DRAWINGS"].items():
        text = (DOCS / "explanation" / page).read_text()
        assert tool["with_drawings"](text, drawings) == text, "run tools/draw_states.py"


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]), ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page.parent / link).exists()] == []


OPERATIONS = {
    (method, path)
    for path, item in (_described().paths or {}).items()
    for method in ("GET", "POST", "PUT", "HEAD", "DELETE", "PATCH")
    if getattr(item, method.lower()) is not None
}
#: What is not Litestar's, and so not in the description that it makes.
PLAIN = {
    ("POST", "/api/v1/exchange"),
    ("POST", "/api/v1/blobs/missing"),
    ("POST", "/api/v1/blobs/packed"),
    ("POST", "/api/v1/blobs/read"),
    ("GET", "/api/v1/blobs/{hash}/{size}"),
    ("HEAD", "/api/v1/blobs/{hash}/{size}"),
    ("PUT", "/api/v1/blobs/{hash}/{size}"),
}


def test_every_endpoint_is_documented_and_every_documented_one_is_there() -> None:
    text = (DOCS / "reference/http-api.md").read_text()
    documented = {(method, path) for line in text.splitlines() for method, path in re.findall(r"`([A-Z]+) (/[^` ]*)`", line)}
    assert documented == OPERATIONS | PLAIN


def test_every_parameter_of_an_endpoint_is_documented_beside_it() -> None:
    lines = (DOCS / "reference/http-api.md").read_text().splitlines()
    for path, item in (_described().paths or {}).items():
        for method in ("GET", "POST"):
            operation = getattr(item, method.lower())
            if operation is None:
                continue
            (line,) = [line for line in lines if line.startswith(f"| `{method} {path}`")]
            for parameter in operation.parameters or ():
                if parameter.param_in != "path":
                    assert f"`{parameter.name}`" in line, (method, path, parameter.name)


@pytest.mark.parametrize("code", Code)
def test_every_problem_is_documented(code: Code) -> None:
    assert f"| {STATUSES[code]} | `{code}` |" in (DOCS / "reference/http-api.md").read_text()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_of_a_controller_is_documented(setting: Setting) -> None:
    text = (DOCS / "how-to/run-a-controller.md").read_text()
    assert re.search(rf"^\| `{setting.name}` \| `{setting.variable}` \|", text, re.MULTILINE)
