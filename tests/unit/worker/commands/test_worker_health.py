from pathlib import Path

from outspread.worker.commands.worker_health import HealthLimits, look

PLENTY = 10**18


def test_a_fit_machine_has_no_hold(tmp_path: Path) -> None:
    health = look(tmp_path, HealthLimits(0, 0), held=False)
    assert health.hold == ""
    assert health.disk_free_bytes > 0
    assert health.memory_available_bytes > 0


def test_want_of_memory_is_told(tmp_path: Path) -> None:
    assert look(tmp_path, HealthLimits(0, PLENTY), held=False).hold.startswith("too little memory: ")


def test_a_held_machine_needs_a_quarter_more(tmp_path: Path) -> None:
    limit = look(tmp_path, HealthLimits(0, 0), held=False).memory_available_bytes * 9 // 10
    assert look(tmp_path, HealthLimits(0, limit), held=False).hold == ""
    assert look(tmp_path, HealthLimits(0, limit), held=True).hold != ""
