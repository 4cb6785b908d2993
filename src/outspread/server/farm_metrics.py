"""A farm's figures as Prometheus takes them."""

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from outspread.controller.farm_figures import LATENCY_CLASSES_S, FarmFigures, LatencyFigures


class FarmMetrics(Collector):
    """Asks for the figures whenever somebody looks at them."""

    def __init__(self, figures: Callable[[], FarmFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Return the figures of this moment."""
        figures = self._figures()
        waiting = GaugeMetricFamily("outspread_jobs_waiting", "Jobs that wait for a worker", labels=["requires"])
        oldest = GaugeMetricFamily(
            "outspread_queue_age_seconds", "How long ago the first of those that wait was submitted", labels=["requires"]
        )
        for lane in figures.lanes:
            waiting.add_metric([lane.requires], lane.waiting)
            oldest.add_metric([lane.requires], lane.oldest_s)
        yield waiting
        yield oldest
        ended = CounterMetricFamily("outspread_attempts", "Attempts that ended", labels=["outcome"])
        for outcome, count in figures.attempts.items():
            ended.add_metric([outcome], count)
        yield ended
        yield GaugeMetricFamily("outspread_jobs_running", "Jobs that workers have in hand", value=figures.running)
        yield GaugeMetricFamily("outspread_runs", "Runs that are not over", value=figures.runs)
        yield GaugeMetricFamily("outspread_workers_connected", "Workers that are there", value=figures.workers_connected)
        yield GaugeMetricFamily("outspread_workers_held", "Workers that are held", value=figures.workers_held)
        yield GaugeMetricFamily("outspread_slots", "Slots of the workers that are there", value=figures.slots)
        yield CounterMetricFamily("outspread_claims", "Jobs handed out", value=figures.claims)
        yield CounterMetricFamily(
            "outspread_leases_lost", "Attempts taken from workers that said nothing", value=figures.leases_lost
        )
        yield CounterMetricFamily("outspread_commits", "Commits to the record", value=figures.commits)
        yield _histogram("outspread_commit_seconds", "How long a commit to the record takes", figures.commit)
        yield _histogram(
            "outspread_exchange_seconds", "How long a worker's call takes until what it reports is durable", figures.exchange
        )

    def describe(self) -> Iterator[Metric]:
        """Return nothing: what there is cannot be known before it is asked for."""
        return iter(())


def _histogram(name: str, about: str, figures: LatencyFigures) -> HistogramMetricFamily:
    ends = [*(str(end_s) for end_s in LATENCY_CLASSES_S), "+Inf"]
    buckets = list(zip(ends, accumulate(figures.counts), strict=True))
    return HistogramMetricFamily(name, about, buckets=buckets, sum_value=figures.total_s)
