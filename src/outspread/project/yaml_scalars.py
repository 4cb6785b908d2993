"""What a YAML 1.1 scalar stands for, as yaml.v2 decides it: the type that its spelling gives it."""

import math
import re
from enum import StrEnum

from outspread.project.yaml_document import ScalarNode, YamlError

_PREFIX = "tag:yaml.org,2002:"


class ScalarType(StrEnum):
    """The types by the names that messages give them."""

    NULL = "!!null"
    BOOL = "!!bool"
    INT = "!!int"
    FLOAT = "!!float"
    TIMESTAMP = "!!timestamp"
    BINARY = "!!binary"
    STR = "!!str"


_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_SPECIAL_FLOATS = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+][0-9]+)?\Z|[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?\Z")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]| +)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:Z|[-+][0-9:]+)?)?\Z"
)
_MOST_DIGITS = 100  # longer ones are no numbers here: reading them takes quadratic time

Value = str | int | float | bool | None


def scalar_type(node: ScalarNode) -> tuple[ScalarType | str, Value]:
    """Return type and value of ``node``; timestamps and binaries as text. A foreign tag is its own type.

    Raises YamlError when an explicit tag does not fit.
    """
    tag = node.tag
    if tag is None:
        return _resolved(node.value) if node.plain else (ScalarType.STR, node.value)
    if not tag.startswith(_PREFIX):
        return tag, node.value
    wanted = "!!" + tag.removeprefix(_PREFIX)
    if wanted == ScalarType.STR:
        return ScalarType.STR, node.value
    if wanted == ScalarType.BINARY:
        return ScalarType.BINARY, _from_base64(node)
    found, value = _resolved(node.value)
    if wanted == found:
        return found, value
    if wanted == ScalarType.FLOAT and isinstance(value, int):
        return ScalarType.FLOAT, float(value)
    if wanted not in list(ScalarType):
        return tag, node.value
    raise YamlError(f"yaml: cannot decode {found} `{node.value}` as a {wanted}", node.line)


def scalar_text(node: ScalarNode) -> str:
    """Return ``node`` as text: its own spelling, but for null, which is empty. Raises YamlError as ``scalar_type``."""
    if node.tag is None:
        return "" if node.plain and node.value in NULLS else node.value
    kind, value = scalar_type(node)
    if kind == ScalarType.BINARY:
        return str(value)
    return "" if value is None else node.value


def _resolved(text: str) -> tuple[ScalarType, Value]:
    if text in NULLS:
        return ScalarType.NULL, None
    if text in _BOOLEANS:
        return ScalarType.BOOL, _BOOLEANS[text]
    if text in _SPECIAL_FLOATS:
        return ScalarType.FLOAT, _SPECIAL_FLOATS[text]
    if text[0] not in "+-.0123456789" or len(text) > _MOST_DIGITS:
        return ScalarType.STR, text
    if _TIMESTAMP.match(text):
        return ScalarType.TIMESTAMP, text
    return _number(text.replace("_", "")) or (ScalarType.STR, text)


def _number(text: str) -> tuple[ScalarType, Value] | None:
    integer = _INTEGER.match(text)
    if integer is not None:
        sign, digits = integer.groups()
        base = {"x": 16, "b": 2, "o": 8}.get(digits[1:2].lower(), 8 if digits[0] == "0" else 10)
        value = int(digits, base) if base in (8, 10) and digits[1:2].lower() != "o" else int(digits, 0)
        if -(2**63) <= (-value if sign == "-" else value) < 2**64:
            return ScalarType.INT, -value if sign == "-" else value
    if _FLOAT.match(text):
        return ScalarType.FLOAT, float(text)
    return None


def _from_base64(node: ScalarNode) -> str:
    import base64
    import binascii

    try:
        return base64.b64decode("".join(node.value.split()), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise YamlError("yaml: !!binary value contains invalid base64 data", node.line) from error
