"""``python -m tests.simulation [--steps N] [--seed S] [--workers W]``: simulate a farm; the seed of a failure repeats it."""

import argparse
import random
import time

from tests.simulation.virtual_time import run_virtually
from tests.simulation.world import Weather, World

_STEPS_A_WORLD = 20_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=0)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    seed = arguments.seed if arguments.seed is not None else dice.randrange(10**9)
    done, begun = 0, time.monotonic()
    while done < arguments.steps:
        workers = arguments.workers or random.Random(seed).choice([1, 3, 10, 100, 2000])
        print(f"seed {seed}, {workers} workers:", end=" ", flush=True)
        world = World(seed, workers=workers, steps=min(_STEPS_A_WORLD, arguments.steps - done), weather=Weather())
        run_virtually(world.live())
        done += world.steps
        print(f"{world.steps} steps, {len(world.accepted)} runs, {len(world.delivered)} attempts, {world.crashes} crashes: kept")
        seed += 1
    print(f"{done} steps in {time.monotonic() - begun:.0f} s, every promise kept")


if __name__ == "__main__":
    main()
