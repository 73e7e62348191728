"""Every exported metric: name, type, labels, meaning, and a query to begin with.

``docs/metrics.md`` is written from this table; tests hold the page, the collector, dashboards and alert rules against it.
Names and labels are public: a rename is a breaking change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tthc_monitor.outputs.metric_spec import MetricSpec
from tthc_monitor.outputs.metric_table_dossiers import names, of_procedures, of_sectors, of_units
from tthc_monitor.outputs.metric_table_operation import of_jobs, of_mails, of_sources, of_the_monitor

UNKNOWN: Final = "unknown"
"""Label value of a dossier that names no unit, procedure or sector; an empty label would be no label to Prometheus."""

AGES: Final = ("0-2", "3-9", "10-29", "30+")
"""Values of the label ``age``: whole working days of 8 hours by which a dossier is overdue."""

AGE_BOUNDS: Final = (3, 10, 30)
"""Working days of 8 hours at which the second and each further of :data:`AGES` begins."""

CAUSES: Final = ("payment", "consultation")
OUTCOMES: Final = ("ok", "failed")

SECTIONS: Final[Mapping[str, tuple[MetricSpec, ...]]] = {
    "Units": of_units(),
    "Units and procedures": of_procedures(),
    "Sectors": of_sectors(),
    "Names": names(),
    "Sources": of_sources(),
    "Jobs": of_jobs(),
    "Mails": of_mails(),
    "The monitor itself": of_the_monitor(),
}

METRICS: Final[tuple[MetricSpec, ...]] = tuple(spec for specs in SECTIONS.values() for spec in specs)
"""Every exported metric."""

SPECS: Final[Mapping[str, MetricSpec]] = {spec.name: spec for spec in METRICS}
