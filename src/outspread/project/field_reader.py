"""One YAML document of a project, from bytes to checked values: what all levels need for that.

Fields that only spread-plus knows are read apart: unless its rules apply, a fault in them is no fault of the project, but
nobody can run it as it stands.
"""

from collections.abc import Iterable

from outspread.project.errors import ProjectError
from outspread.project.go_quote import go_quote
from outspread.project.known_fields import KNOWN_FIELDS, UNITED_FIELDS, FieldLevel, hint_for_unknown, is_meant_to_be_ignored
from outspread.project.lost_quotes import loses_quotes
from outspread.project.model import Diagnostic, Environment, Flavour, Scripts, SkipCondition, Timeouts
from outspread.project.name_rules import is_system_name
from outspread.project.yaml_document import Node, YamlError, parse_document
from outspread.project.yaml_values import EnvironmentValue, Fields, YamlValues


class FieldReader:
    """Reads one document. ``shown_as``: how messages of Spread name the file."""

    def __init__(self, file: str, shown_as: str, flavour: Flavour, diagnostics: list[Diagnostic]) -> None:
        self.file = file
        self.flavour = flavour
        self._shown_as = shown_as
        self._values = YamlValues(file, diagnostics)
        self._plus_values = self._values if flavour is Flavour.SPREAD_PLUS else YamlValues(file, diagnostics)

    def document(self, data: bytes) -> Node | None:
        """Return the first document of ``data``. Raises ProjectError."""
        try:
            return parse_document(data)
        except YamlError as error:
            raise self.cannot_load(error) from error

    def cannot_load(self, error: YamlError) -> ProjectError:
        return self.error(f"cannot load {self._shown_as}: {error.text}", error.line)

    def error(self, text: str, line: int, *, hint: str = "") -> ProjectError:
        return ProjectError(text, file=self.file, line=line, hint=hint)

    def note(self, text: str, line: int, *, hint: str = "", stops_run: bool = False, spread_error: str = "") -> None:
        """Keep something odd that is no fault."""
        self._values.note(text, line, hint=hint, stops_run=stops_run, spread_error=spread_error)

    def fields(self, node: Node | None, level: FieldLevel, into: str) -> Fields:
        """Return the fields of a mapping that stands for ``level``; none at all if there is no ``node``."""
        if node is None:
            return Fields(self._values, {}, {}, 0)

        def unknown(name: str, line: int) -> None:
            if self._values.has_room and not is_meant_to_be_ignored(name, level):
                self.note(f"unknown field {go_quote(name)} in {level} is ignored", line, hint=hint_for_unknown(name, level))

        return self._values.fields(node, into, KNOWN_FIELDS[level], unknown, UNITED_FIELDS.get(level, ()))

    def plus(self, fields: Fields) -> Fields:
        """Return ``fields`` for reading those of spread-plus."""
        return fields.read_by(self._plus_values)

    def pairs(self, nodes: list[Node], into: str) -> list[tuple[str, Node, int]]:
        """Return names, values and lines of mappings, one behind the other."""
        return [pair for node in nodes for pair in self._values.pairs(node, into)]

    def items(self, node: Node | None, into: str) -> list[Node]:
        return [] if node is None else self._values.items(node, into)

    def is_text(self, node: Node) -> bool:
        """Tell whether ``node`` can be taken for a text."""
        return self._values.is_text(node)

    def text(self, node: Node) -> str:
        return self._values.text(node)

    def finish(self) -> None:
        """Raise ProjectError when anything read so far did not fit; call it before judging what was read."""
        self._values.finish()
        try:
            self._plus_values.finish()
        except YamlError as error:
            text = error.text.removeprefix("yaml: unmarshal errors:\n  ").replace("\n ", ";")
            self._plus_values.note(text, error.line, stops_run=True)
            self._plus_values.faults.clear()

    def plus_text_pairs(self, node: Node) -> tuple[tuple[str, str], ...]:
        """Return a mapping of texts in a field of spread-plus."""
        values = self._plus_values
        return tuple([(name, values.text(value)) for name, value, _ in values.pairs(node, "map[string]string")])

    def plus_fault(self, text: str, line: int) -> None:
        """Refuse the project under the rules of spread-plus; else only its runs."""
        if self.flavour is Flavour.SPREAD_PLUS:
            raise self.error(text, line)
        self.note(text, line, stops_run=True)

    def environment_of(self, owner: str, value: EnvironmentValue) -> Environment:
        """Return the variables of ``owner``. Raises ProjectError when they are not valid."""
        if value.fault:
            raise self.error(f"invalid {owner} environment: {value.fault}", value.fault_line)
        for key, text in value.pairs:
            if '"' in text and loses_quotes(text):
                self.note(
                    f"{owner}: the shell takes the double quotes out of the value of {key}",
                    value.line,
                    hint='write \\" for a quote that is meant, or put the whole value in single quotes',
                )
        return value.pairs

    def check_system_names(self, owner: str, names: Iterable[str], line: int) -> None:
        """Raise ProjectError when ``owner`` names a system that no system can have."""
        for name in names:
            bare = name[1:] if name.startswith(("+", "-")) else name
            if not is_system_name(bare, self.flavour):
                raise self.error(
                    f"{owner} refers to invalid system name: {go_quote(bare)}",
                    line,
                    hint="a system is named like ubuntu-24.04: lower case, with a dash behind the first word",
                )

    def skip_conditions(self, owner: str, fields: Fields) -> tuple[SkipCondition, ...]:
        """Return the ``skip`` list (spread-plus)."""
        node = fields.node("skip")
        if node is None:
            return ()
        values = self._plus_values
        conditions: list[SkipCondition] = []
        for item in values.items(node, "[]*spread.SkipCondition"):
            parts = values.fields(item, "spread.SkipCondition", ("if", "reason"), lambda _name, _line: None)
            condition = SkipCondition(parts.script("if"), parts.script("reason"))
            conditions.append(condition)
            if not condition.script or not condition.reason:
                self.plus_fault(f"{owner} is missing either the if or reason for the skip", item.line)
        return tuple(conditions)


def six_scripts(fields: Fields) -> Scripts:
    """Return the scripts that a project, backend or suite may have."""
    return Scripts(
        fields.script("prepare"),
        fields.script("restore"),
        fields.script("debug"),
        fields.script("prepare-each"),
        fields.script("restore-each"),
        fields.script("debug-each"),
    )


def timeouts_of(fields: Fields) -> Timeouts:
    """Return the timeouts that every level but the system may have."""
    if fields.node("warn-timeout") is None and fields.node("kill-timeout") is None:
        return _NO_TIMEOUTS
    return Timeouts(fields.seconds("warn-timeout"), fields.seconds("kill-timeout"))


def is_improper_path(path: str) -> bool:
    """Tell whether an artifact's path is absolute, roundabout, or leads out of the directory."""
    from posixpath import normpath

    return path.startswith(("/", "../")) or path != normpath(path)


_NO_TIMEOUTS = Timeouts()
