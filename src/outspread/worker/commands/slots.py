"""The slots of a worker: opened in an executor when they are first needed, and again when one is gone."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from outspread.worker.commands.command_executor import CommandExecutor, SlotChannel
from outspread.worker.commands.executor.frames import Message


class Slots:
    """Slots by number. ``heard`` is called with a number and what that slot said; with nothing, when it is gone."""

    def __init__(self, environment: Mapping[str, str], heard: Callable[[int, Sequence[Message]], None]) -> None:
        self._environment = environment
        self._heard = heard
        self._executor: CommandExecutor | None = None
        self._over: list[CommandExecutor] = []
        self._channels: dict[int, SlotChannel] = {}

    def send(self, number: int, messages: list[Message]) -> None:
        """Send messages to a slot, which is opened if need be. Raises InfrastructureError when it cannot be."""
        channel = self._channels.get(number)
        if channel is None:
            channel = self._channels[number] = self._open(number)
        channel.send(messages)

    def tell_open(self, numbers: Iterable[int], message: Message) -> None:
        """Send a message to those of these slots that are open."""
        for number in numbers:
            if number in self._channels:
                self._channels[number].send([message])

    async def close(self) -> None:
        """End all that runs, and return when it has ended."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
        for executor in (*self._over, *filter(None, (self._executor,))):
            await executor.close()

    def _open(self, number: int) -> SlotChannel:
        if self._executor is not None and self._executor.ended.done():
            self._over.append(self._executor)
            self._executor = None
        if self._executor is None:
            self._executor = CommandExecutor(self._environment)
        return self._executor.open_slot(number, lambda messages: self._hear(number, messages))

    def _hear(self, number: int, messages: Sequence[Message]) -> None:
        if not messages:
            self._channels.pop(number, None)
        self._heard(number, messages)
