import asyncio
import os
from pathlib import Path

from outspread.worker.commands.work_directories import WorkDirectories


def names_in(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_what_dead_processes_have_left_is_swept(tmp_path: Path) -> None:
    for name in ("4194304-1", f"{os.getpid()}-1", "notes"):
        (tmp_path / name / "7" / "tree").mkdir(parents=True)

    async def main() -> None:
        directories = WorkDirectories(tmp_path)
        sweeping = asyncio.create_task(directories.serve())
        async with asyncio.timeout(10):
            while len(names_in(tmp_path)) > 2:
                await asyncio.sleep(0.001)
        assert names_in(tmp_path) == sorted(["notes", directories.path.name])
        sweeping.cancel()
        await directories.close()

    asyncio.run(main())
    assert names_in(tmp_path) == ["notes"]
