import asyncio
import io

import pytest

from outspread.worker import sending_watch
from outspread.worker.sending_watch import SendingWatch


def test_tells_again_and_again_how_much_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_watch, "EACH_S", 0.001)
    told: list[tuple[int, int]] = []
    seconds: list[float] = []

    async def main() -> None:
        archive = io.BytesIO(b"x" * 100)
        archive.read()
        news = asyncio.Event()

        def tell(sent: int, total: int, took_s: float) -> None:
            told.append((sent, total))
            seconds.append(took_s)
            news.set()

        with SendingWatch(archive, tell):
            assert archive.tell() == 0
            for size in (10, 30):
                archive.read(size)
                news.clear()
                await asyncio.wait_for(news.wait(), 5)
        told.append((-1, -1))
        news.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(news.wait(), 0.01)

    asyncio.run(main())
    assert list(dict.fromkeys(told)) == [(10, 100), (40, 100), (-1, -1)]
    assert told[-1] == (-1, -1)
    assert seconds == sorted(seconds)


def test_what_takes_no_time_is_not_told() -> None:
    told: list[int] = []

    async def main() -> None:
        with SendingWatch(io.BytesIO(b"x"), lambda sent, _total, _took_s: told.append(sent)):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert told == []
