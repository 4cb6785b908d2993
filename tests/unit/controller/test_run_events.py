import asyncio
import gc

import pytest

from outspread.controller.run_events import RunEvents
from outspread.controller.values import AttemptFinished, ContentPacked, Outcome, Report, RunFinished, RunStarted
from outspread.errors import InfrastructureError

START = RunStarted(0.0, "r", 1, False, 5, "p")
END = RunFinished(9.0, "r", True, 9.0)


def packed(number: int) -> ContentPacked:
    return ContentPacked(float(number), number)


def test_watchers_before_and_soon_after_the_beginning_see_everything() -> None:
    async def scenario() -> None:
        events = RunEvents()
        early = events.watch()
        events.publish(START)
        events.publish(packed(1))
        later = events.watch()
        events.publish(END)
        after = events.watch()
        for watcher in (early, later, after):
            assert [event async for event in watcher] == [START, packed(1), END]

    asyncio.run(scenario())


def test_a_watcher_waits_for_what_comes() -> None:
    async def scenario() -> None:
        events = RunEvents()
        watcher = events.watch()

        async def collect() -> list[Report]:
            return [event async for event in watcher]

        async with asyncio.TaskGroup() as group:
            seen = group.create_task(collect())
            for event in (START, packed(1), END):
                await asyncio.sleep(0)
                events.publish(event)
        assert seen.result() == [START, packed(1), END]

    asyncio.run(scenario())


def test_a_late_watcher_of_a_long_run_gets_the_start_and_the_rest() -> None:
    async def scenario() -> None:
        events = RunEvents()
        events.publish(START)
        for number in range(1_500):
            events.publish(packed(number))
        watcher = events.watch()
        events.publish(packed(-1))
        events.publish(END)
        assert [event async for event in watcher] == [START, packed(-1), END]
        assert [event async for event in events.watch()] == [START, END]

    asyncio.run(scenario())


def test_outputs_are_not_kept_for_watchers_to_come() -> None:
    async def scenario() -> None:
        events = RunEvents()
        events.publish(START)
        for number in range(20):
            events.publish(AttemptFinished(1.0, "s", 1, "j", number, Outcome.PASSED, 1.0, log="x" * 1_000_000))
        events.publish(END)
        assert [event async for event in events.watch()] == [START, END]

    asyncio.run(scenario())


def test_a_watcher_that_reads_on_frees_the_run() -> None:
    async def scenario() -> None:
        events = RunEvents()
        watcher = events.watch()
        for number in range(2_001):
            events.publish(packed(number))
        async with asyncio.TaskGroup() as group:
            held = group.create_task(events.room())
            await asyncio.sleep(0)
            assert not held.done()
            await anext(watcher)
        await events.room()

    asyncio.run(scenario())


def test_a_watcher_that_does_not_read_is_cut_off() -> None:
    async def scenario() -> None:
        events = RunEvents(patience_s=0.01)
        watcher = events.watch()
        for number in range(2_001):
            events.publish(packed(number))
        await events.room()
        await events.room()  # held back no more
        events.publish(END)
        with pytest.raises(InfrastructureError, match="not read in time"):
            await anext(watcher)
        assert [event async for event in watcher] == []

    asyncio.run(scenario())


def test_an_abandoned_watcher_holds_nothing_back() -> None:
    async def scenario() -> None:
        events = RunEvents(patience_s=1e9)
        watcher = events.watch()
        for number in range(2_001):
            events.publish(packed(number))
        assert watcher.full
        del watcher
        gc.collect()
        await events.room()

    asyncio.run(scenario())
