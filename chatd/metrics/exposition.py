"""The numbers as Prometheus reads them (text format 0.0.4, or OpenMetrics if asked for)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from chatd.metrics.families import Sample

if TYPE_CHECKING:
    from prometheus_client import Metric


def render(samples: Sequence[Sample], accept: str) -> tuple[bytes, str]:
    """Return the body and its content type, for an Accept header.

    Takes a few ms, and 0.1 s the first time: meant for another thread. The process's own CPU time,
    memory and open files are read here.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector

    class Given(Collector):
        """Hands on what was sampled."""

        def collect(self) -> Iterator[Metric]:
            """Yield a family after the other."""
            return map(_metric, samples)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Given())
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _metric(sample: Sample) -> Metric:
    from prometheus_client import core

    if sample.kind == "histogram":
        histogram = core.HistogramMetricFamily(sample.name, sample.help, labels=sample.labels)
        bounds = [*(f"{bound:g}" for bound in sample.bounds), "+Inf"]
        for labels, (*counts, total) in sample.rows.items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            histogram.add_metric(labels, buckets, total)
        return histogram
    kind = core.CounterMetricFamily if sample.kind == "counter" else core.GaugeMetricFamily
    family = kind(sample.name, sample.help, labels=sample.labels)
    for labels, value in sample.values.items():
        family.add_metric(labels, value)
    return family
