import os
from pathlib import Path

from outspread.worker.commands.output_collection import MARKER, OutputLimits, collect_outputs
from outspread.worker.commands.output_globs import OutputGlobs


def made(tmp_path: Path, **files: str) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, content in files.items():
        (tree / name).write_text(content)
    return tree


def test_too_much_leaves_a_marker_and_what_fits(tmp_path: Path) -> None:
    tree = made(tmp_path, a="1", b="22222", c="3")
    collected = collect_outputs(tree, OutputGlobs.parse(["*"]), tmp_path / "into", OutputLimits(files=10, bytes=4))
    assert (collected.files, collected.bytes) == (2, 2)
    assert collected.remark == "not collected: b (more than 4 bytes in all)"
    assert (tmp_path / "into" / MARKER).read_text() == "b (more than 4 bytes in all)\n"
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == [MARKER, "a", "c"]


def test_too_many_are_counted_not_listed(tmp_path: Path) -> None:
    tree = made(tmp_path, **{f"f{n:03}": "" for n in range(200)})
    collected = collect_outputs(tree, OutputGlobs.parse(["*"]), tmp_path / "into", OutputLimits(files=10))
    assert collected.files == 10
    assert collected.remark.endswith("and 187 more")
    assert (tmp_path / "into" / MARKER).read_text().endswith("and 90 more\n")


def test_a_marker_of_the_commands_own_is_not_written_through(tmp_path: Path) -> None:
    tree = made(tmp_path, **{MARKER: "own", "z": "zz"})
    collect_outputs(tree, OutputGlobs.parse(["*"]), tmp_path / "into", OutputLimits(bytes=3))
    assert (tree / MARKER).read_text() == "own"
    assert (tmp_path / "into" / MARKER).read_text() == "z (more than 3 bytes in all)\n"


def test_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    tree = made(tmp_path)
    (Path(os.fsdecode(bytes(tree) + b"/\xff"))).write_text("x")
    collected = collect_outputs(tree, OutputGlobs.parse(["*"]), tmp_path / "into", OutputLimits())
    assert collected.files == 0
    assert collected.remark.encode().endswith(b"(its name is not UTF-8)")


def test_empty_directories_are_kept_where_they_are_wanted(tmp_path: Path) -> None:
    tree = made(tmp_path)
    (tree / "logs/empty").mkdir(parents=True)
    (tree / "other").mkdir()
    collect_outputs(tree, OutputGlobs.parse(["logs"]), tmp_path / "into", OutputLimits())
    assert sorted(str(path.relative_to(tmp_path / "into")) for path in (tmp_path / "into").rglob("*")) == ["logs", "logs/empty"]
