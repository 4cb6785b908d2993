import asyncio
from pathlib import Path

import pytest

from outspread.cli import open_ledger
from outspread.controller.changes import RunEnded


def test_trouble_with_the_record_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no-directory").write_text("")
    monkeypatch.setenv("OUTSPREAD_STATE", str(tmp_path / "no-directory"))
    monkeypatch.setattr(open_ledger, "_warnings", [])

    async def record() -> None:
        ledger = open_ledger.open_ledger()
        assert open_ledger.is_recording()
        ledger.record([RunEnded("r", passed=False, cancelled=False, at=0.0)])
        await ledger.settle()
        await ledger.close()
        ledger.record([RunEnded("r", passed=False, cancelled=False, at=0.0)])

    asyncio.run(record())
    assert not open_ledger.is_recording()
    assert capsys.readouterr().err.startswith("warning: cannot record in ")
