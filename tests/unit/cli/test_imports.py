"""What a command does not need is not imported: the promise of a quick start, held without a clock."""

import subprocess
import sys
from pathlib import Path

import pytest

_SHOW = """
import sys
from outspread.cli.{module} import main
sys.argv = {arguments!r}
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(name for name in sys.modules if "." not in name), file=sys.stderr)
"""

SPREAD_YAML = """\
project: demo
path: /home/demo
backends:
    sandbox:
        systems: [this-host]
suites:
    tests/:
        summary: All
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests/one").mkdir(parents=True)
    (tmp_path / "spread.yaml").write_text(SPREAD_YAML)
    (tmp_path / "tests/one/task.yaml").write_text("summary: One\nexecute: 'true'\n")
    return tmp_path


def imported_by(module: str, *arguments: str, cwd: Path) -> set[str]:
    script = _SHOW.format(module=module, arguments=[module, *arguments])
    ended = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=True)
    return set(ended.stderr.splitlines()[-1].split())


HEAVY = {"asyncio", "rich", "sqlalchemy", "alembic", "sqlite3", "importlib_metadata", "email"}


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in ("run", "submit", "watch", "history", "workers"))]
)
def test_help_needs_nothing_but_click(arguments: list[str], tmp_path: Path) -> None:
    imported = imported_by("main", *arguments, cwd=tmp_path)
    assert "click" in imported
    assert not imported & (HEAVY | {"msgspec", "yaml"})


def test_list_needs_no_run(project: Path) -> None:
    assert not imported_by("main", "list", cwd=project) & HEAVY


def test_spread_list_does_not_even_need_click(project: Path) -> None:
    assert not imported_by("spread_main", "-list", cwd=project) & (HEAVY | {"click"})


def test_spread_says_little_with_less(tmp_path: Path) -> None:
    assert not imported_by("spread_main", "-h", cwd=tmp_path) & (HEAVY | {"click", "msgspec", "yaml"})
