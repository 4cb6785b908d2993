"""What Spread takes, measured elsewhere (adhoc, sshd in namespaces on loopback), and how to compare with it here.

Spread is not here to be measured. Each figure of it comes with a yardstick that was taken on the same machine, of the same
kind of work: what the yardstick takes here says how much of the figure belongs to the machine.
"""

from msgspec import Struct


class Yardstick(Struct, frozen=True):
    """Something that every program pays for, and what it took where Spread was measured."""

    name: str
    there: float  # in the unit of what is measured here


class PeerFigure(Struct, frozen=True):
    """A figure of Spread, and the yardstick of the work that it mostly consists of."""

    value: float
    unit: str
    yardstick: Yardstick

    def scaled(self, here: float) -> float:
        """Return what Spread would take here, where the yardstick takes ``here``."""
        return self.value * here / self.yardstick.there

    def source(self, here: float) -> str:
        """Say where a bound comes from."""
        return (
            f"Spread {self.value:g} {self.unit}, here {self.scaled(here):.2f}"
            f" by {self.yardstick.name} ({here:.3g} : {self.yardstick.there:g})"
        )


EXEC_MS = Yardstick("exec of bash over SSH", 3.65)
SPAWN_MS = Yardstick("spawn of bash", 1.34)
SHA256_S_PER_GIB = Yardstick("SHA-256", 1024 / 1300)

#: (T200 - T20) / 180 of trivial tasks, on 1 and on 4 machines. One channel and one bash each.
SLOPE = PeerFigure(4.5, "ms", EXEC_MS)
SLOPE_OF_FOUR = PeerFigure(3.56, "ms", EXEC_MS)
#: One task on one machine, all of the process.
ONE_TASK = PeerFigure(0.21, "s", SPAWN_MS)
#: Content of 200 MB that cannot be packed: most of it is gzip.
LARGE_CONTENT = PeerFigure(8.8, "s", SHA256_S_PER_GIB)
#: Content of 20,000 files of 500 bytes.
MANY_FILES = PeerFigure(0.8, "s", SPAWN_MS)
