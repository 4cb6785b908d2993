"""How long things took, in classes."""

import math

from outspread.controller.farm.latencies import Latencies


def test_shares_of_what_was_counted() -> None:
    latencies = Latencies()
    assert latencies.figures().at_most_s(0.5) is None
    for milliseconds in range(1, 101):
        latencies.note(milliseconds / 1000)
    figures = latencies.figures()
    assert (figures.at_most_s(0.5), figures.at_most_s(0.99), figures.at_most_s(0.1)) == (0.05, 0.1, 0.01)
    assert round(figures.total_s, 3) == 5.05
    latencies.note(60)
    newest = latencies.figures().since(figures)
    assert sum(newest.counts) == 1
    assert newest.at_most_s(0.5) == math.inf
