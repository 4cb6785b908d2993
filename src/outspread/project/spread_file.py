"""A ``spread.yaml``, from bytes to a project whose suites have no tasks yet."""

import os

from msgspec import Struct, structs

from outspread.project.backend_fields import checked_backends, read_backends
from outspread.project.field_reader import FieldReader, is_improper_path, six_scripts, timeouts_of
from outspread.project.go_quote import go_quote
from outspread.project.known_fields import FieldLevel
from outspread.project.model import Diagnostic, Environment, Flavour, Project, Suite
from outspread.project.name_rules import is_plain_name, is_suite_name
from outspread.project.yaml_document import Node, YamlError
from outspread.project.yaml_values import EnvironmentValue, Fields, is_null


class SuiteDraft(Struct, frozen=True):
    """A suite as read. It is judged, by ``check_suite``, when its turn comes: then its tasks follow."""

    suite: Suite
    environment: EnvironmentValue
    line: int
    lines: dict[str, int]


class SpreadFile(Struct, frozen=True):
    """A project without its tasks; ``path`` is as written."""

    project: Project
    suites: tuple[SuiteDraft, ...]


def read_spread_file(
    data: bytes, *, file: str, flavour: Flavour, extra_backend_types: frozenset[str], diagnostics: list[Diagnostic]
) -> tuple[SpreadFile, FieldReader]:
    """Return what ``data``, the content of ``file``, says. Raises ProjectError."""
    reader = FieldReader(file, file, flavour, diagnostics)
    node = reader.document(data)
    try:
        fields = reader.fields(node, FieldLevel.PROJECT, "spread.Project")
        environment = fields.environment()
        drafts = read_backends(reader, fields.every_node("backends"))
        suites = _read_suites(reader, fields.every_node("suites"))
        project = _read_project(reader, fields, file, environment.pairs)
        reader.finish()
    except YamlError as error:
        raise reader.cannot_load(error) from error
    _check_project(reader, project, fields, environment)
    backends = checked_backends(reader, drafts, extra_backend_types)
    if not backends:
        raise reader.error("must define at least one backend", fields.line_of("backends"))
    if not suites:
        raise reader.error("must define at least one task suite", fields.line_of("suites"))
    return SpreadFile(structs.replace(project, backends=backends), suites), reader


def check_suite(reader: FieldReader, draft: SuiteDraft) -> None:
    """Raise ProjectError when the suite itself is not valid."""
    suite = draft.suite
    if not suite.name.endswith("/"):
        raise reader.error(
            f"invalid suite name (must end with /): {go_quote(suite.name)}", draft.line, hint=f"write {suite.name}/:"
        )
    if not is_suite_name(suite.name):
        raise reader.error(f"invalid suite name: {go_quote(suite.name)}", draft.line, hint="lower-case words joined by -, . or _")
    owner = f"suite {suite.name}"
    if not suite.summary:
        raise reader.error(f"{owner} is missing a summary", draft.line)
    for path in suite.artifacts:
        if is_improper_path(path):
            reader.plus_fault(f"the suite has an invalid artifact path: {path}", draft.lines.get("artifacts", draft.line))
    reader.environment_of(owner, draft.environment)
    reader.check_system_names(owner, suite.systems, draft.lines.get("systems", draft.line))


def _read_project(reader: FieldReader, fields: Fields, file: str, environment: Environment) -> Project:
    plus = reader.plus(fields)
    directory = os.path.dirname(file)  # noqa: PTH120
    return Project(
        name=fields.text("project"),
        root=os.path.normpath(f"{directory}/{fields.text('reroot')}"),
        file=file,
        path=fields.text("path"),
        backends={},
        suites={},
        flavour=reader.flavour,
        environment=environment,
        scripts=six_scripts(fields),
        timeouts=timeouts_of(fields),
        include=fields.texts("include"),
        exclude=fields.texts("exclude"),
        rename=fields.texts("rename"),
        repack=fields.script("repack"),
        artifacts=plus.texts("artifacts"),
        tasks_limit=plus.integer("tasks-limit") or 0,
    )


def _check_project(reader: FieldReader, project: Project, fields: Fields, environment: EnvironmentValue) -> None:
    if not is_plain_name(project.name):
        hint = "project: needs lower-case words joined by -, . or _"
        raise reader.error(f"invalid project name: {go_quote(project.name)}", fields.line_of("project"), hint=hint)
    if not project.path:
        raise reader.error(
            "missing project path field with remote project location", fields.line_of("path"), hint="such as path: /project"
        )
    reader.environment_of("project", environment)
    for path in project.artifacts:
        if is_improper_path(path):
            reader.plus_fault(f"the project has an invalid artifact path: {path}", fields.line_of("artifacts"))


def _read_suites(reader: FieldReader, nodes: list[Node]) -> tuple[SuiteDraft, ...]:
    drafts: dict[str, SuiteDraft] = {}
    for name, value, line in reader.pairs(nodes, "map[string]*spread.Suite"):
        fields = reader.fields(None if is_null(value) else value, FieldLevel.SUITE, "spread.Suite")
        plus = reader.plus(fields)
        environment = fields.environment()
        suite = Suite(
            name=name,
            summary=fields.text("summary").strip(),
            tasks={},
            backends=fields.texts("backends"),
            systems=fields.texts("systems"),
            variants=fields.texts("variants"),
            environment=environment.pairs,
            scripts=six_scripts(fields),
            timeouts=timeouts_of(fields),
            priority=fields.integer("priority", "int64"),
            manual=fields.boolean("manual"),
            artifacts=plus.texts("artifacts"),
            skip=reader.skip_conditions(f"suite {name}", fields),
        )
        drafts[name] = SuiteDraft(suite, environment, line, fields.lines)
    return tuple(drafts.values())
