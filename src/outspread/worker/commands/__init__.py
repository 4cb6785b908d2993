"""Command jobs: take them from a controller, get their inputs, run them, keep what they print and make, report.

Two sides. ``executor`` is a small process of its own that spawns the commands; all else is the worker, in asyncio.
"""
