"""Whether a path lies below another is never decided by how its text begins: ``/a/bc`` does not lie below ``/a/b``, nor what a
link leads to."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src/outspread"


def prefix_checks_of_paths(source: str) -> Iterator[int]:
    """Yield the lines that call ``startswith`` on, or with, a path turned into text, and those that use ``commonprefix``."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr="commonprefix"):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="startswith", value=text), args=args) if any(
                map(_is_path_as_text, (text, *args))
            ):
                yield node.lineno


def _is_path_as_text(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="str")):
            return True
        case ast.Call(func=ast.Attribute(attr=method)):
            return method in {"fspath", "fsencode", "as_posix", "realpath", "abspath"}
    return False


def test_no_source_does() -> None:
    found = [
        f"{path.relative_to(SOURCES)}:{line}"
        for path in SOURCES.rglob("*.py")
        for line in prefix_checks_of_paths(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_they_would_be_found() -> None:
    wrong = "a = str(path).startswith(root)\nb = name.startswith(os.fspath(root))\nc = os.path.commonprefix([a, b])\n"
    assert sorted(prefix_checks_of_paths(wrong)) == [1, 2, 3]
