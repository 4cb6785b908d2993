"""A ``task.yaml``, from bytes to a task."""

from outspread.project.field_reader import FieldReader, is_improper_path, timeouts_of
from outspread.project.go_quote import go_quote
from outspread.project.known_fields import FieldLevel
from outspread.project.model import Diagnostic, Flavour, Scripts, Task
from outspread.project.name_rules import is_task_name
from outspread.project.yaml_document import YamlError
from outspread.project.yaml_values import Fields


def read_task(data: bytes, *, suite: str, directory: str, file: str, flavour: Flavour, diagnostics: list[Diagnostic]) -> Task:
    """Return the task of ``suite`` (with its slash) in ``directory``, of whose ``file`` this is the content.

    Raises ProjectError.
    """
    name = suite + directory
    reader = FieldReader(file, f"{name}/task.yaml", flavour, diagnostics)
    node = reader.document(data)
    try:
        fields = reader.fields(node, FieldLevel.TASK, "spread.Task")
        environment = fields.environment()
        samples = fields.integer("samples")
        task = Task(
            name=name,
            suite=suite,
            summary=fields.text("summary").strip(),
            details=fields.text("details"),
            backends=fields.texts("backends"),
            systems=fields.texts("systems"),
            variants=fields.texts("variants"),
            environment=environment.pairs,
            samples=samples or 1,
            scripts=Scripts(fields.script("prepare"), fields.script("restore"), fields.script("debug")),
            execute=fields.script("execute"),
            artifacts=fields.texts("artifacts"),
            timeouts=timeouts_of(fields),
            priority=fields.integer("priority", "int64"),
            manual=fields.boolean("manual"),
            skip=reader.skip_conditions(name, fields),
        )
        reader.finish()
    except YamlError as error:
        raise reader.cannot_load(error) from error
    if not is_task_name(name):
        raise reader.error(
            f"invalid task name: {go_quote(name)}", 0, hint="rename its directory: lower-case words joined by -, . or _"
        )
    if not task.summary:
        raise reader.error(f"{name} is missing a summary", fields.line)
    reader.environment_of(name, environment)
    reader.check_system_names(name, task.systems, fields.line_of("systems"))
    _check_artifacts(reader, name, task.artifacts, fields)
    if not task.execute:
        reader.note(f"{name} has no execute script: it passes without doing anything", fields.line, hint="add execute")
    return task


def _check_artifacts(reader: FieldReader, name: str, artifacts: tuple[str, ...], fields: Fields) -> None:
    for path in artifacts:
        text = f"{name} has improper artifact path: {path}"
        bare = path.removesuffix("/")
        if is_improper_path(bare) or (bare != path and bare in (".", "..")):
            hint = "name files relative to the task's directory, without . or .. in between"
            raise reader.error(text, fields.line_of("artifacts"), hint=hint)
        if path.endswith("/"):
            reader.note(
                f"{name}: Spread refuses the slash at the end of the artifact path {path}",
                fields.line_of("artifacts"),
                hint=f"write {bare}",
                spread_error=text,
            )
