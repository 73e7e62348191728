"""What alerts and dashboards hold the figures against."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tthc_monitor.source_settings import Part


class MonitoringSettings(Part):
    """What alerts and dashboards hold the figures against: they read it from the metrics.

    ``on_time_objective`` is the share of finished dossiers that are to end on time; ``overdue_limit_days`` the working
    days (of 8 hours) from which a dossier is overdue for long.
    """

    on_time_objective: Annotated[float, Field(gt=0, lt=1)] = 0.98
    overdue_limit_days: Annotated[int, Field(ge=1)] = 10
