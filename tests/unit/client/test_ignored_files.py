"""What is left out of an upload."""

from pathlib import Path

import pytest

from outspread.client.ignored_files import ignored_files
from outspread.errors import UserError


def test_patterns_are_those_of_gitignore(tmp_path: Path) -> None:
    (tmp_path / ".outspreadignore").write_text("*.o\n# no\n/build/\n!keep.o\n")
    for directory in (".git", "build", "src/build", "cache"):
        (tmp_path / directory).mkdir(parents=True)
    is_ignored = ignored_files(tmp_path, ["cache/"])
    left_out = [path for path in (".git", "build", "src/build", "cache", "a.o", "src/a.o", "keep.o", "a.c") if is_ignored(path)]
    assert left_out == [".git", "build", "cache", "a.o", "src/a.o"]


@pytest.mark.parametrize("excluded", [[], ["*.o"]])
def test_repositories_and_what_was_fetched_are_left_out_anyway(tmp_path: Path, excluded: list[str]) -> None:
    is_ignored = ignored_files(tmp_path, excluded)
    paths = (".git", "modules/a/.git", ".github", "a.git", "outspread-results", "a/outspread-results")
    assert [path for path in paths if is_ignored(path)] == [".git", "modules/a/.git", "outspread-results"]


def test_the_repository_can_be_wanted_after_all(tmp_path: Path) -> None:
    assert not ignored_files(tmp_path, ["!.git"])(".git")


@pytest.mark.parametrize("content", [b"\xff", b"x" * 1024**2 + b"x"])
def test_a_file_that_is_none_of_patterns_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".outspreadignore").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read .*\.outspreadignore"):
        ignored_files(tmp_path, [])
