"""YAML text to a tree of nodes, in bounded time and memory, with the messages of yaml.v2.

The tree is built in a loop over the parser's events, without recursion: however deep a document is, it is an error and
not the end of the process. Only the first document of a file counts. What the nodes mean is for ``yaml_values``.
"""

from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # PyYAML without libyaml: slower, the same events
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

MOST_LEVELS = 1000
#: About a second's work. A list or mapping counts twice.
MOST_NODES = 500_000


class YamlError(Exception):
    """Text that is no YAML, or that no sensible document looks like. ``line`` is 0 when unknown."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


class ScalarNode:
    """A scalar as written. ``plain``: without quotes or block, so that YAML may take it for a number or a boolean."""

    __slots__ = ("line", "plain", "tag", "value")

    def __init__(self, value: str, plain: bool, tag: str | None, line: int) -> None:
        self.value = value
        self.plain = plain
        self.tag = tag
        self.line = line


class SequenceNode:
    __slots__ = ("items", "line", "tag")

    def __init__(self, items: list["Node"], tag: str | None, line: int) -> None:
        self.items = items
        self.tag = tag
        self.line = line


class MappingNode:
    """``items`` are key, value, key, value ..."""

    __slots__ = ("items", "line", "tag")

    def __init__(self, items: list["Node"], tag: str | None, line: int) -> None:
        self.items = items
        self.tag = tag
        self.line = line


Node = ScalarNode | SequenceNode | MappingNode


def parse_document(data: bytes) -> Node | None:
    """Return the first document of ``data``, None when there is none. Raises YamlError."""
    try:
        return _Composer().compose(_Parser(data).get_event)
    except yaml.reader.ReaderError as error:
        raise YamlError(f"yaml: {error.reason}", data.count(b"\n", 0, max(0, error.position)) + 1) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error) from error
    except UnicodeDecodeError as error:
        raise YamlError("yaml: invalid Unicode text") from error


class _Composer:
    """Builds one tree. ``_children`` belong to the innermost collection that is open, ``_outer`` to those around it."""

    def __init__(self) -> None:
        self._children: list[Node] = []
        self._outer: list[list[Node]] = []
        self._anchors: dict[str, Node] = {}
        self._unfinished: dict[int, str] = {}  # number of collections around -> anchor of the open one

    def compose(self, next_event: Callable[[], Any]) -> Node | None:  # the type stubs know only the base of all events
        for _ in range(MOST_NODES):  # a list or mapping has two events
            event = next_event()
            kind = event.__class__
            if kind is ScalarEvent:
                node = ScalarNode(event.value, event.implicit[0], event.tag, event.start_mark.line + 1)
                self._children.append(node)
                if event.anchor:
                    self._anchors[event.anchor] = node
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open(event, MappingNode if kind is MappingStartEvent else SequenceNode)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._children = self._outer.pop()
                self._unfinished.pop(len(self._outer), None)
            elif kind is AliasEvent:
                self._refer(event)
            elif kind is DocumentEndEvent or kind is StreamEndEvent:
                return self._children[0] if self._children else None
        raise YamlError(f"yaml: larger than {MOST_NODES} keys and values", event.start_mark.line + 1)

    def _open(self, event: Any, kind: type[MappingNode] | type[SequenceNode]) -> None:
        line = event.start_mark.line + 1
        if len(self._outer) >= MOST_LEVELS:
            raise YamlError(f"yaml: exceeded max depth of {MOST_LEVELS}", line)
        node = kind([], event.tag, line)
        self._children.append(node)
        if event.anchor:
            self._anchors[event.anchor] = node
            self._unfinished[len(self._outer)] = event.anchor
        self._outer.append(self._children)
        self._children = node.items

    def _refer(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise YamlError(f"yaml: unknown anchor '{event.anchor}' referenced", event.start_mark.line + 1)
        if event.anchor in self._unfinished.values():
            raise YamlError(f"yaml: anchor '{event.anchor}' value contains itself", event.start_mark.line + 1)
        self._children.append(self._anchors[event.anchor])


def _syntax_error(error: yaml.MarkedYAMLError) -> YamlError:
    """Return the error in yaml.v2's words; its line number is one too low for the parser's own complaints, and kept so."""
    mark = error.problem_mark if error.problem_mark is not None and error.problem_mark.line else error.context_mark
    line = mark.line if mark is not None else 0
    shown = line + 1 if line and mark is error.problem_mark and isinstance(error, yaml.scanner.ScannerError) else line
    place = f"line {shown}: " if shown else ""
    return YamlError(f"yaml: {place}{error.problem or 'unknown problem parsing YAML content'}", line + 1)
