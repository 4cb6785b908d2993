"""The files of a directory that jobs are made of."""

from collections.abc import Callable
from pathlib import Path

import pytest

from outspread.client.matching_files import matching_files
from outspread.errors import UserError


def nothing(path: str) -> bool:
    return False


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("tests/test_b.py", "tests/test_a.py", "tests/deep/er/test_c.py", "tests/data.txt", "build/test_d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "tests/test_dir.py").mkdir()
    (tmp_path / "link").symlink_to("tests")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "is_ignored", "found"),
    [
        ("tests/test_*.py", nothing, ["tests/test_a.py", "tests/test_b.py"]),
        ("tests/**/test_*.py", nothing, ["tests/deep/er/test_c.py", "tests/test_a.py", "tests/test_b.py"]),
        ("**/test_*.py", "build".__eq__, ["tests/deep/er/test_c.py", "tests/test_a.py", "tests/test_b.py"]),
        ("build", nothing, ["build/test_d.py"]),
    ],
)
def test_paths_are_sorted_and_those_of_what_is_uploaded(
    tree: Path, pattern: str, is_ignored: Callable[[str], bool], found: list[str]
) -> None:
    assert matching_files(tree, pattern, is_ignored) == found


@pytest.mark.parametrize("pattern", ["nothing", "link/*.py", "/tests/*", "../*"])
def test_a_pattern_that_leads_nowhere_is_refused(tree: Path, pattern: str) -> None:
    with pytest.raises(UserError):
        matching_files(tree, pattern, nothing)


def test_a_name_that_cannot_be_shown_is_refused(tree: Path) -> None:
    (tree / "tests/test_\x1b.py").write_text("")
    with pytest.raises(UserError, match=r"test_\\x1b\.py"):
        matching_files(tree, "tests/*", nothing)
