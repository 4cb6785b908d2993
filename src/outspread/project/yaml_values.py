"""From YAML nodes to the values of a project, with yaml.v2's idea of what fits and its messages for what does not.

Faults are collected, so that one look at a file tells all of them, and raised together by ``finish``.
"""

from collections.abc import Callable, Collection

from msgspec import Struct

from outspread.project.durations import parse_duration_ns
from outspread.project.go_quote import go_quote
from outspread.project.model import NEVER_S, Diagnostic, Environment
from outspread.project.name_rules import is_variable_key
from outspread.project.sizes import parse_size_bytes
from outspread.project.yaml_document import MappingNode, Node, ScalarNode, SequenceNode, YamlError
from outspread.project.yaml_merge import Merger
from outspread.project.yaml_scalars import ScalarType, scalar_text, scalar_type

_SHOWN_BYTES = 10
_KEPT_BYTES = 7
_LONGEST_INT = 2**63 - 1
_MOST_FAULTS = 50
_MOST_NOTES = 100  # about one document
_NEVER = ("-1", "-1ns")


class Fault(Struct, frozen=True):
    """Something that does not fit. ``alone``: reported by itself, the others are forgotten then."""

    text: str
    line: int
    alone: bool = False


class EnvironmentValue(Struct, frozen=True):
    """An environment, or (``fault``) why it is none: whose it is, only the caller knows."""

    pairs: Environment = ()
    fault: str = ""
    fault_line: int = 0
    line: int = 0


class YamlValues:
    """Reads the nodes of one document."""

    def __init__(self, file: str, diagnostics: list[Diagnostic]) -> None:
        self._file = file
        self._diagnostics = diagnostics
        self._merger = Merger()
        self._notes = 0
        self.faults: list[Fault] = []

    def finish(self) -> None:
        """Raise YamlError with all that did not fit, in the order of the document."""
        if not self.faults:
            return
        faults = sorted(self.faults, key=lambda fault: fault.line)
        for fault in faults:
            if fault.alone:
                raise YamlError(fault.text, fault.line)
        shown = [fault.text for fault in faults[:_MOST_FAULTS]]
        if len(faults) > len(shown):
            shown.append(f"and {len(faults) - len(shown)} more")
        raise YamlError("yaml: unmarshal errors:" + "".join(f"\n  {text}" for text in shown), faults[0].line)

    def note(self, text: str, line: int, *, hint: str = "", stops_run: bool = False, spread_error: str = "") -> None:
        """Keep something odd that is no fault, up to a number that nobody reads."""
        self._notes += 1
        if self.has_room or stops_run or spread_error:
            self._diagnostics.append(Diagnostic(text, self._file, line, hint, stops_run, spread_error))

    @property
    def has_room(self) -> bool:
        """Whether a note would still be kept."""
        return self._notes <= _MOST_NOTES

    def refuse(self, node: Node, into: str) -> None:
        """Note that ``node`` is no ``into`` (a type, in the words of Spread)."""
        self.faults.append(Fault(f"line {node.line}: cannot unmarshal {_described(node)} into {into}", node.line))

    def text(self, node: Node) -> str:
        if isinstance(node, ScalarNode):
            return scalar_text(node)
        self.refuse(node, "string")
        return ""

    def texts(self, node: Node) -> tuple[str, ...]:
        items = self.items(node, "[]string")
        return tuple([self.text(item) for item in items if self.is_text(item)]) if items else ()

    def items(self, node: Node, into: str) -> list[Node]:
        """Return what a list holds; null is an empty one."""
        if isinstance(node, SequenceNode):
            return node.items
        if not is_null(node):
            self.refuse(node, into)
        return []

    def pairs(self, node: Node, into: str) -> list[tuple[str, Node, int]]:
        """Return a mapping's keys as text, their values and lines; null is an empty one."""
        if isinstance(node, MappingNode):
            return [(self.text(key), value, key.line) for key, value in self._merger.pairs(node) if self.is_text(key)]
        if not is_null(node):
            self.refuse(node, into)
        return []

    def integer(self, node: Node, into: str) -> int | None:
        """Return a whole number, of a fraction what stands before the point; None for null and what is none."""
        if isinstance(node, ScalarNode):
            _, value = scalar_type(node)
            if value is None:
                return None
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LONGEST_INT:
                return int(value)
        self.refuse(node, into)
        return None

    def boolean(self, node: Node) -> bool:
        if isinstance(node, ScalarNode):
            _, value = scalar_type(node)
            if value is None or isinstance(value, bool):
                return bool(value)
        self.refuse(node, "bool")
        return False

    def seconds(self, node: Node) -> float | None:
        """Return a timeout; None when it is not set (null or zero), ``NEVER_S`` for -1."""
        if _is_unset(node):
            return None
        text = scalar_text(node).strip() if isinstance(node, ScalarNode) else ""
        error = f"timeout must look like 10s or 15m or 1.5h, not {go_quote(text)}"
        if text in _NEVER:
            if text == "-1":
                self.note("a timeout of -1 is no timeout for Spread", node.line, hint="write -1ns for never", spread_error=error)
            return NEVER_S
        duration_ns = parse_duration_ns(text)
        if duration_ns is None:
            self.faults.append(Fault(error, node.line, alone=True))
            return None
        if duration_ns < 0:
            self.note(f"negative timeout: {text}", node.line, hint="write -1 for never", stops_run=True)
            return None
        return duration_ns / 1e9 or None

    def size_bytes(self, node: Node) -> int:
        if _is_unset(node) or not isinstance(node, ScalarNode):
            return 0
        try:
            return parse_size_bytes(scalar_text(node))
        except ValueError as error:
            self.faults.append(Fault(str(error), node.line, alone=True))
            return 0

    def environment(self, node: Node) -> EnvironmentValue:
        """Return variables in the order of the file."""
        if _is_unset(node):
            return EnvironmentValue()
        if not isinstance(node, MappingNode):
            if not is_null(node):
                self.refuse(node, "map[string]string")
            return EnvironmentValue()
        own_keys = {id(key) for key in node.items[::2]}
        values: dict[str, str] = {}
        own: set[str] = set()
        fault, fault_line = "", 0
        for key, value in self._merger.pairs(node):
            text = self.text(value)
            name = self.text(key)
            if fault:
                continue
            if not is_variable_key(name):
                fault, fault_line = f"invalid variable name: {go_quote(name)}", key.line
            elif isinstance(key, ScalarNode) and scalar_type(key)[0] == ScalarType.BOOL:
                fault, fault_line = f"invalid variable name: {str(scalar_type(key)[1]).lower()}", key.line
            elif name in own and id(key) in own_keys:
                fault, fault_line = f"variable {go_quote(name)} defined multiple times", key.line
            values[name] = text
            if id(key) in own_keys:
                own.add(name)
        return EnvironmentValue(tuple(values.items()), fault, fault_line, node.line)

    def fields(
        self, node: Node, into: str, known: Collection[str], unknown: Callable[[str, int], None], united: Collection[str] = ()
    ) -> "Fields":
        """Return the known fields of a mapping; null has none. Of repeated ones the last counts, or all of ``united``."""
        nodes: dict[str, Node] = {}
        lines: dict[str, int] = {}
        repeated: dict[str, int] = {}
        earlier: dict[str, list[Node]] = {}
        pairs = self.pairs(node, into)
        for key, value, line in pairs:
            if key in nodes:
                repeated[key] = line
                earlier.setdefault(key, []).append(nodes[key])
            elif key not in known:
                unknown(key, line)
            nodes[key] = value
            lines[key] = line
        if (
            repeated and isinstance(node, MappingNode) and len(node.items) == 2 * len(pairs)
        ):  # what is merged in is meant to be written over
            for key, line in repeated.items():
                kept = "all of them count" if key in united else "the last one counts"
                self.note(f"{key} is written more than once; {kept}", line, hint="write it once")
        return Fields(self, nodes, lines, node.line, {key: earlier[key] for key in united if key in earlier})

    def is_text(self, node: Node) -> bool:
        """Tell whether a text can be made of ``node``; what cannot is refused, and then no part of its list or mapping."""
        if isinstance(node, ScalarNode):
            return True
        self.refuse(node, "string")
        return False


class Fields:
    """The fields of one mapping, by name; those that are absent have the value that nothing has."""

    __slots__ = ("_earlier", "_nodes", "_values", "line", "lines")

    def __init__(
        self,
        values: YamlValues,
        nodes: dict[str, Node],
        lines: dict[str, int],
        line: int,
        earlier: dict[str, list[Node]] | None = None,
    ) -> None:
        self._values = values
        self._earlier = earlier or {}
        self._nodes = nodes
        self.lines = lines
        self.line = line

    def read_by(self, values: YamlValues) -> "Fields":
        """Return the same fields, whose faults ``values`` collects."""
        return Fields(values, self._nodes, self.lines, self.line)

    def node(self, name: str) -> Node | None:
        return self._nodes.get(name)

    def every_node(self, name: str) -> list[Node]:
        """Return the nodes of a field that counts wherever it is written, but for those that a null takes back."""
        nodes: list[Node] = []
        for node in (*self._earlier.get(name, ()), self._nodes.get(name)):
            nodes = [] if node is None or is_null(node) else [*nodes, node]
        return nodes

    def line_of(self, name: str) -> int:
        """Return where a field stands, or else the mapping."""
        return self.lines.get(name, self.line)

    def text(self, name: str) -> str:
        node = self._nodes.get(name)
        return "" if node is None else self._values.text(node)

    def script(self, name: str) -> str:
        return self.text(name).strip()

    def texts(self, name: str) -> tuple[str, ...]:
        node = self._nodes.get(name)
        return () if node is None else self._values.texts(node)

    def integer(self, name: str, into: str = "int") -> int | None:
        node = self._nodes.get(name)
        return None if node is None else self._values.integer(node, into)

    def boolean(self, name: str) -> bool:
        node = self._nodes.get(name)
        return False if node is None else self._values.boolean(node)

    def seconds(self, name: str) -> float | None:
        node = self._nodes.get(name)
        return None if node is None else self._values.seconds(node)

    def size_bytes(self, name: str) -> int:
        node = self._nodes.get(name)
        return 0 if node is None else self._values.size_bytes(node)

    def environment(self, name: str = "environment") -> EnvironmentValue:
        node = self._nodes.get(name)
        return EnvironmentValue() if node is None else self._values.environment(node)


def is_null(node: Node) -> bool:
    """Tell whether ``node`` is YAML's nothing."""
    return isinstance(node, ScalarNode) and scalar_type(node)[1] is None


def _is_unset(node: Node) -> bool:
    """Tell whether yaml.v2 passes ``node`` over for a type that reads itself: quoted ``null`` and ``~`` are, too."""
    if not isinstance(node, ScalarNode) or node.tag is not None:
        return isinstance(node, ScalarNode) and scalar_type(node)[0] == ScalarType.NULL
    return node.value in ("null", "~") or (node.plain and node.value == "")


def _described(node: Node) -> str:
    """Return the type of ``node`` and the beginning of its value, as messages show them."""
    if isinstance(node, MappingNode):
        return _short_tag(node.tag) or "!!map"
    if isinstance(node, SequenceNode):
        return _short_tag(node.tag) or "!!seq"
    kind, _ = scalar_type(node)
    value = node.value.encode("utf-8", "surrogatepass")
    shown = node.value if len(value) <= _SHOWN_BYTES else value[:_KEPT_BYTES].decode("utf-8", "replace") + "..."
    return f"{_short_tag(node.tag) or kind} `{shown}`"


def _short_tag(tag: str | None) -> str:
    if tag is None:
        return ""
    return "!!" + tag.removeprefix("tag:yaml.org,2002:") if tag.startswith("tag:yaml.org,2002:") else tag
