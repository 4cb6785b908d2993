"""Twenty thousand steps of simulated farms, small and large, with the same dice each time."""

import pytest
from tests.simulation.virtual_time import run_virtually
from tests.simulation.world import Weather, World


@pytest.mark.parametrize(
    ("seed", "workers", "steps"), [(1, 1, 3000), (2, 3, 4000), (3, 10, 4000), (4, 10, 4000), (5, 100, 5000), (7, 2000, 4000)]
)
def test_every_promise_is_kept(seed: int, workers: int, steps: int) -> None:
    world = World(seed, workers=workers, steps=steps, weather=Weather())
    run_virtually(world.live())
    assert world.steps >= steps
    assert world.delivered
    assert world.crashes or workers not in {10, 100}


def test_bugs_that_were_found_stay_found() -> None:
    # Attempts that a worker gave up by its own clock, while its controller was started again, went on for ever.
    run_virtually(World(4, workers=10, steps=5000, weather=Weather()).live())
