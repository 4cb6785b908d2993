import pytest
import yaml

from outspread.project import yaml_document
from outspread.project.yaml_document import MappingNode, Node, ScalarNode, SequenceNode, YamlError, parse_document


def plain(node: Node | None) -> object:
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [plain(item) for item in node.items]
        case MappingNode():
            return [(plain(key), plain(value)) for key, value in zip(node.items[::2], node.items[1::2], strict=True)]
    return None


def test_keeps_spelling_order_and_lines() -> None:
    node = parse_document(b"b: 1.50\na: [yes, '0x10']\n")
    assert plain(node) == [("b", "1.50"), ("a", ["yes", "0x10"])]
    assert isinstance(node, MappingNode)
    assert [item.line for item in node.items] == [1, 1, 2, 2]
    (sequence,) = [item for item in node.items if isinstance(item, SequenceNode)]
    assert [item.plain for item in sequence.items if isinstance(item, ScalarNode)] == [True, False]


def test_only_the_first_document_counts() -> None:
    assert plain(parse_document(b"a: 1\n---\nb: [\n")) == [("a", "1")]
    assert parse_document(b"") is None
    assert parse_document(b"# nothing\n") is None


def test_aliases() -> None:
    assert plain(parse_document(b"a: &x [1]\nb: *x\n")) == [("a", ["1"]), ("b", ["1"])]


@pytest.mark.parametrize(
    ("data", "text", "line"),
    [
        (b"a: b: c", "yaml: mapping values are not allowed in this context", 1),
        (b"a: 1\nb: b: c", "yaml: line 2: mapping values are not allowed in this context", 2),
        (b"a:\n  b: s\n\tfoo: bar\n", "yaml: line 3: found a tab character that violates indentation", 3),
        (b"a: *x", "yaml: unknown anchor 'x' referenced", 1),
        (b"a: &x [*x]", "yaml: anchor 'x' value contains itself", 1),
        (b"a: \xff", "yaml: invalid leading UTF-8 octet", 1),
        (b"a: b\nc: \x00", "yaml: control characters are not allowed", 2),
    ],
)
def test_syntax_errors_in_the_words_of_spread(data: bytes, text: str, line: int) -> None:
    with pytest.raises(YamlError) as caught:
        parse_document(data)
    assert (caught.value.text, caught.value.line) == (text, line)


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? ", "&a [", "[[], "])
def test_any_depth_is_an_error_and_no_crash(piece: str) -> None:
    with pytest.raises(YamlError):
        parse_document(b"x:\n  " + piece.encode() * 100_000)


def test_works_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "_Parser", yaml.SafeLoader)
    assert plain(parse_document(b"b: &x 1.50\na: [yes, *x]\n--- [")) == [("b", "1.50"), ("a", ["yes", "1.50"])]
    for data in (b"a: b: c", b"[" * 1500, b"a: \xff", b"a: \0"):
        with pytest.raises(YamlError):
            parse_document(data)


def test_a_large_scalar_is_read() -> None:
    node = parse_document(b"a: " + b"x y " * 2_500_000)
    assert isinstance(node, MappingNode)
    assert len(node.items) == 2
