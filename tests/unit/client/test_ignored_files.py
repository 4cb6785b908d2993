"""What is left out of an upload."""

from pathlib import Path

from outspread.client.ignored_files import ignored_files


def test_patterns_are_those_of_gitignore(tmp_path: Path) -> None:
    (tmp_path / ".outspreadignore").write_text("*.o\n# no\n/build/\n!keep.o\n")
    for directory in (".git", "build", "src/build", "cache"):
        (tmp_path / directory).mkdir(parents=True)
    is_ignored = ignored_files(tmp_path, ["cache/"])
    left_out = [path for path in (".git", "build", "src/build", "cache", "a.o", "src/a.o", "keep.o", "a.c") if is_ignored(path)]
    assert left_out == [".git", "build", "cache", "a.o", "src/a.o"]


def test_without_a_file_only_the_repository_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    is_ignored = ignored_files(tmp_path, [])
    assert is_ignored(".git")
    assert not is_ignored(".github")
