"""What panels ask: PromQL over all replicas at once, and SQL as an auditor."""

from __future__ import annotations

from typing import Any, Final

Target = dict[str, Any]

PROMETHEUS: Final = {"type": "prometheus", "uid": "${prometheus_datasource}"}
POSTGRES: Final = {"type": "postgres", "uid": "${postgres_datasource}"}

JOB: Final = 'job=~"$job"'


def select(metric: str, *matchers: str) -> str:
    """The series of a metric that belong to the chosen job."""
    return f"{metric}{{{', '.join((JOB, *matchers))}}}"


def newest(labels: str, metric: str, *matchers: str) -> str:
    """A metric by these labels. Every replica tells the same from one database: the maximum, never the sum, over them."""
    return f"max by ({labels}) ({select(metric, *matchers)})"


def grown(labels: str, metric: str, window: str, *matchers: str) -> str:
    """What a counter grew by within a window, by these labels; each replica counts for itself, so growth comes first."""
    return f"max by ({labels}) (increase({select(metric, *matchers)}[{window}]))"


def prom(expression: str, legend: str = "", *, ref: str = "A") -> Target:
    """A query that is drawn over time."""
    return {
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expression,
        "legendFormat": legend or "__auto",
        "range": True,
        "refId": ref,
    }


def prom_now(expression: str, legend: str = "", *, ref: str = "A") -> Target:
    """A query of the present: one value for each series."""
    return {**prom(expression, legend, ref=ref), "instant": True, "range": False}


def prom_table(*expressions: str) -> list[Target]:
    """Queries of the present that one table lays side by side, as ``Value #A``, ``Value #B`` and so on."""
    return [
        {**prom_now(expression, ref=chr(ord("A") + place)), "format": "table"}
        for place, expression in enumerate(expressions)
    ]


def prom_buckets(expression: str) -> Target:
    """The buckets of a histogram, each for itself: Grafana takes one from the next."""
    return {**prom_now(expression, "{{le}}"), "format": "heatmap"}


def sql(statement: str) -> Target:
    """A query of schema ``audit``, answered as a table."""
    return {
        "datasource": POSTGRES,
        "editorMode": "code",
        "format": "table",
        "rawQuery": True,
        "rawSql": statement.strip(),
        "refId": "A",
    }
