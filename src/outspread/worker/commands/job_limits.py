"""What a command may use of its worker: as its job asks, and never more than the worker gives. Pure."""

from typing import Final

from msgspec import Struct

from outspread.controller.command_values import CommandJob
from outspread.worker.commands.sizes_in_words import size_in_words

#: Enough for any build, and what a machine with little memory can still bear of a fork bomb.
USUAL_PROCESSES: Final = 4096


class JobLimits(Struct, frozen=True):
    """The limits of one command; 0: none. ``processes`` counts threads, too."""

    memory_bytes: int = 0
    processes: int = 0
    disk_bytes: int = 0

    def of(self, job: CommandJob) -> "JobLimits":
        """Return the limits of a job on a worker that gives no more than these."""
        return JobLimits(
            memory_bytes=_lower(self.memory_bytes, job.memory_bytes),
            processes=_lower(self.processes, job.processes),
            disk_bytes=_lower(self.disk_bytes, job.disk_bytes),
        )

    def met_memory(self) -> str:
        """Return what is said of a command that was killed for want of memory."""
        if not self.memory_bytes:
            return "out of memory: the kernel killed a process of it"
        return f"out of memory: limit of {size_in_words(self.memory_bytes)} reached"

    def met_processes(self) -> str:
        return f"process limit of {self.processes} reached"

    def met_disk(self) -> str:
        return f"disk limit of {size_in_words(self.disk_bytes)} reached"


def _lower(given: int, asked: int) -> int:
    return min(given, asked) if given and asked else given or asked
