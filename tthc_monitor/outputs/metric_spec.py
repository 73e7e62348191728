"""What is told of a metric: name, type, meaning, labels and an example query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

MetricType = Literal["gauge", "counter", "histogram"]
Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One exported metric: its name as scraped, type, help text, labels, and an example in PromQL."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...]
    query: str

    def family(self) -> Family:
        """An empty family of this metric; samples are added to it."""
        make = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily, "histogram": HistogramMetricFamily}
        family: Family = make[self.type](self.name, self.help, labels=self.labels)
        return family


def gauge(name: str, help_: str, labels: tuple[str, ...] = (), query: str = "") -> MetricSpec:
    """A gauge; its example takes one of the replicas."""
    by = f" by ({', '.join(labels)})" if labels else ""
    return MetricSpec(name, "gauge", help_, labels, query or f"max{by} ({name})")


def counter(name: str, help_: str, labels: tuple[str, ...], window: str = "1d") -> MetricSpec:
    """A counter; its example is the increase within a window."""
    return MetricSpec(name, "counter", help_, labels, f"max by ({', '.join(labels)}) (increase({name}[{window}]))")


def histogram(name: str, help_: str, labels: tuple[str, ...]) -> MetricSpec:
    """A histogram; its example is the 90th percentile of a month."""
    buckets = f"max by ({', '.join((*labels, 'le'))}) (increase({name}_bucket[30d]))"
    return MetricSpec(name, "histogram", help_, labels, f"histogram_quantile(0.9, {buckets})")
