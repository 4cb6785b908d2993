import math

import pytest

from outspread.project.yaml_document import ScalarNode, YamlError
from outspread.project.yaml_scalars import scalar_text, scalar_type

PREFIX = "tag:yaml.org,2002:"


def node(text: str, *, plain: bool = True, tag: str | None = None) -> ScalarNode:
    return ScalarNode(text, plain, PREFIX + tag if tag and not tag.startswith("!") else tag, 7)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("", "!!null", None),
        ("~", "!!null", None),
        ("NULL", "!!null", None),
        ("nULL", "!!str", "nULL"),
        ("y", "!!bool", True),
        ("Off", "!!bool", False),
        ("oFF", "!!str", "oFF"),
        ("0", "!!int", 0),
        ("-12", "!!int", -12),
        ("+1_000", "!!int", 1000),
        ("0x1F", "!!int", 31),
        ("-0x10", "!!int", -16),
        ("0b101", "!!int", 5),
        ("010", "!!int", 8),
        ("0o17", "!!int", 15),
        ("09", "!!float", 9.0),
        ("1.50", "!!float", 1.5),
        ("1.", "!!float", 1.0),
        (".5", "!!float", 0.5),
        ("1e+3", "!!float", 1000.0),
        ("1e3", "!!str", "1e3"),
        ("99999999999999999999", "!!float", 1e20),
        ("-.inf", "!!float", -math.inf),
        ("1.2.3", "!!str", "1.2.3"),
        ("2001-01-01", "!!timestamp", "2001-01-01"),
        ("1" * 5000, "!!str", "1" * 5000),
        ("text", "!!str", "text"),
    ],
)
def test_plain_scalars(text: str, kind: str, value: object) -> None:
    assert scalar_type(node(text)) == (kind, value)


def test_quoted_scalars_are_text() -> None:
    assert scalar_type(node("yes", plain=False)) == ("!!str", "yes")
    assert scalar_text(node("", plain=False)) == ""
    assert scalar_text(node("~", plain=False)) == "~"


def test_text_keeps_its_spelling() -> None:
    assert [scalar_text(node(text)) for text in ("1.50", "0x10", "yes", "~", "2001-01-01")] == [
        "1.50",
        "0x10",
        "yes",
        "",
        "2001-01-01",
    ]


def test_tags() -> None:
    assert scalar_type(node("5", plain=False, tag="int")) == ("!!int", 5)
    assert scalar_type(node("5", tag="str")) == ("!!str", "5")
    assert scalar_type(node("5", tag="float")) == ("!!float", 5.0)
    assert scalar_type(node("5", tag="!mine")) == ("!mine", "5")
    assert scalar_text(node("aGk=", tag="binary")) == "hi"
    assert scalar_text(node("~", tag="null")) == ""


@pytest.mark.parametrize(("text", "tag"), [("x", "int"), ("x", "bool"), ("1.5", "int"), ("x", "binary")])
def test_tags_that_do_not_fit(text: str, tag: str) -> None:
    with pytest.raises(YamlError) as caught:
        scalar_type(node(text, tag=tag))
    assert caught.value.line == 7
