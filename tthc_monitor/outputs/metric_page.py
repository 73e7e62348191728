"""The table of metrics as a page for those who write queries, alerts and dashboards."""

from __future__ import annotations

from collections.abc import Iterator

from tthc_monitor.outputs.metric_spec import MetricSpec
from tthc_monitor.outputs.metric_table import AGES, CAUSES, OUTCOMES, SECTIONS

_HEAD = f"""# Metrics

What `/metrics` tells, in the Prometheus text format. `tthc-monitor metrics show` prints it once; this page is what
`tthc-monitor metrics list --page` prints, from the table that the collector itself uses. Names and labels are public: a rename is
a breaking change and stands in the CHANGELOG.

- All figures come from the database, so every replica tells the same. A query first takes `max by (…)` over replicas, of a
  counter after `increase` or `rate`, and sums only then, as the examples do.
- Figures about dossiers are those of the last snapshot: one a minute, and one after each evaluation
  (`tthc_snapshot_timestamp_seconds`). They are the figures of the audit views at that instant.
- When the database does not answer, a scrape has `tthc_database_up 0` and no figure of the data.
- Prometheus is for trends and alarms. A figure that names a unit in a report comes from the audit views.
- Age is one of {", ".join(f"`{age}`" for age in AGES)}; cause of waiting {" or ".join(f"`{cause}`" for cause in CAUSES)}; outcome
  {" or ".join(f"`{outcome}`" for outcome in OUTCOMES)}. `unknown` stands for no unit, procedure or sector. A unit that the register says is
  no more, and that has no open dossier, has no series.
- Counters go on from what was held when the database was upgraded to them; histograms begin there.
"""


def metric_page() -> str:
    """Markdown: a part for each metric, with type, labels, meaning and an example query."""
    return "\n".join([_HEAD, *(line for title, specs in SECTIONS.items() for line in _section(title, specs))])


def _section(title: str, specs: tuple[MetricSpec, ...]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    for spec in specs:
        yield f"### `{spec.name}`"
        yield ""
        labels = ", ".join(f"`{label}`" for label in spec.labels) or "none"
        yield f"{spec.type}, labels: {labels}. {spec.help}"
        yield ""
        yield "```promql"
        yield spec.query
        yield "```"
        yield ""
