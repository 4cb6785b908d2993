"""The text of a reuse file: Spread's own format, read and written so that a file of Spread's comes out as it went in. Pure.

Programs written in Go read what is written here, so what is text for us is quoted where YAML 1.1 would see anything else in it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import yaml
from msgspec import Struct
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from outspread.errors import UserError
from outspread.project import yaml_document, yaml_scalars
from outspread.project.yaml_scalars import ScalarType

#: What a field of ``data`` holds. Spread's backends note their names and numbers there.
Data = str | int | float | bool | None | list["Data"] | dict[str, "Data"]

_TAG = "tag:yaml.org,2002:"
#: Go's YAML quotes these, for they are numbers to base 60 elsewhere.
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_MERGE_KEY = "<<"


class ReuseEntry(Struct, frozen=True):
    """One machine that may be used again."""

    backend: str
    system: str
    address: str
    username: str = ""
    password: str = ""
    data: dict[str, Data] | None = None  # the backend's own notes; None: it has none


class ReuseTextError(Exception):
    """The text is not that of a reuse file."""


def parse_reuse(text: str) -> tuple[ReuseEntry, ...]:
    """Return the machines that ``text`` names, in its order. Raises ReuseTextError when it is something else."""
    try:
        document = yaml_document.parse_document(text.encode("utf-8", "surrogateescape"))
        content = {} if document is None else _mapping(_value(document), "the file")
    except yaml_document.YamlError as error:
        raise ReuseTextError(error.text.removeprefix("yaml: ")) from error
    except RecursionError as error:
        raise ReuseTextError("it is nested too deeply") from error
    entries: list[ReuseEntry] = []
    for backend, described in _mapping(content.get("backends"), "backends").items():
        systems = _mapping(described, f"the backend {backend}").get("systems") or []
        if not isinstance(systems, list):
            raise ReuseTextError(f"systems of {backend} is not a list")
        for item in systems:
            for system, fields in _mapping(item, f"a system of {backend}").items():
                entries.append(_entry(backend, system, _mapping(fields, f"{backend}:{system}")))
    return tuple(entries)


def render_reuse(entries: Iterable[ReuseEntry]) -> str:
    """Return the text of a file with these machines: backends by name, their machines in the given order."""
    by_backend: dict[str, list[ReuseEntry]] = {}
    for entry in entries:
        by_backend.setdefault(entry.backend, []).append(entry)
    backends: dict[str, Data] = {
        name: {"systems": [{entry.system: _fields(entry)} for entry in by_backend[name]]} for name in sorted(by_backend)
    }
    text = yaml.serialize(_node({"backends": backends}), Dumper=yaml.SafeDumper, allow_unicode=True)
    assert isinstance(text, str)
    return text


def refuse_repeated_addresses(entries: Sequence[ReuseEntry], file: str) -> None:
    """Raise UserError when two machines have the same address: whoever used one would use the other, too."""
    seen: dict[str, ReuseEntry] = {}
    for entry in entries:
        other = seen.setdefault(entry.address, entry)
        if other is not entry:
            raise UserError(
                f"cannot use {file}: {other.backend}:{other.system} and {entry.backend}:{entry.system} have the same address"
                f" {entry.address}",
                hint="remove one of the two from the file",
            )


def _entry(backend: str, system: str, fields: dict[str, Data]) -> ReuseEntry:
    address = _text(fields, "address")
    if not address:
        raise ReuseTextError(f"a machine of {backend}:{system} has no address")
    data = fields.get("data")
    return ReuseEntry(
        backend=backend,
        system=system,
        address=address,
        username=_text(fields, "username"),
        password=_text(fields, "password"),
        data=None if data is None else _mapping(data, f"data of {backend}:{system}"),
    )


def _fields(entry: ReuseEntry) -> dict[str, Data]:
    fields: dict[str, Data] = {"username": entry.username, "password": entry.password, "address": entry.address}
    present: dict[str, Data] = {name: value for name, value in fields.items() if value}
    if entry.data is not None:
        present["data"] = entry.data
    return present


def _text(fields: dict[str, Data], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, list | dict):
        raise ReuseTextError(f"{name} is not a text")
    return "" if value is None else _spelling(value)


def _mapping(value: Data, what: str) -> dict[str, Data]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ReuseTextError(f"{what} is not a map")
    return value


def _value(node: yaml_document.Node) -> Data:
    match node:
        case yaml_document.MappingNode():
            return {yaml_scalars.scalar_text(key): _value(value) for key, value in _pairs(node)}
        case yaml_document.SequenceNode():
            return [_value(item) for item in node.items]
        case yaml_document.ScalarNode():
            kind, value = yaml_scalars.scalar_type(node)
            # a number in a spelling that is not its own (a password of digits, say) stays what was written
            is_other = kind in (ScalarType.INT, ScalarType.BOOL, ScalarType.FLOAT)
            return value if value is None or (is_other and _spelling(value) == node.value) else node.value


def _pairs(node: yaml_document.MappingNode) -> Iterator[tuple[yaml_document.ScalarNode, yaml_document.Node]]:
    for key, value in zip(node.items[::2], node.items[1::2], strict=True):
        if not isinstance(key, yaml_document.ScalarNode):
            raise ReuseTextError("a key is not a text")
        yield key, value


def _node(value: Data) -> Node:
    match value:
        case dict():
            pairs = [(_node(key), _node(item)) for key, item in value.items()]
            return MappingNode(f"{_TAG}map", pairs, flow_style=not pairs)
        case list():
            return SequenceNode(f"{_TAG}seq", [_node(item) for item in value], flow_style=not value)
        case str():
            return ScalarNode(f"{_TAG}str", value, style=_style(value))
        case _:
            kind = {bool: "bool", int: "int", float: "float"}.get(type(value), "null")
            return ScalarNode(f"{_TAG}{kind}", _spelling(value))


def _spelling(value: str | float | bool | None) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _style(text: str) -> str | None:
    """Return how Go's YAML writes a text; None: as plainly as its characters allow."""
    if "\n" in text:
        return "|"
    plain = yaml_document.ScalarNode(text, True, None, 0)
    is_other = yaml_scalars.scalar_type(plain)[0] is not ScalarType.STR
    return '"' if is_other or text == _MERGE_KEY or _BASE_60.fullmatch(text) else None
