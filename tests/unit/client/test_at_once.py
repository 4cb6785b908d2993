"""Answers come in order, however many are asked for at a time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from outspread.client.at_once import answers


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def test_the_order_is_that_of_the_items_and_only_so_many_are_asked_at_a_time() -> None:
    asked: list[int] = []
    most = 0

    async def ask(number: int) -> int:
        nonlocal most
        asked.append(number)
        most = max(most, len(asked))
        for _ in range(10 - number):  # later ones are answered sooner
            await asyncio.sleep(0)
        asked.remove(number)
        return number * number

    async def scenario() -> list[tuple[int, int]]:
        return [pair async for pair in answers(numbers(10), ask, at_once=3)]

    assert asyncio.run(scenario()) == [(number, number * number) for number in range(10)]
    assert most == 3


def test_an_error_ends_it_and_leaves_nothing_running() -> None:
    async def ask(number: int) -> int:
        if number:
            await asyncio.sleep(3600)
        raise ValueError(number)

    async def scenario() -> int:
        with pytest.raises(ValueError, match="0"):
            async for _ in answers(numbers(5), ask, at_once=3):
                pass
        return len(asyncio.all_tasks())

    assert asyncio.run(scenario()) == 1
