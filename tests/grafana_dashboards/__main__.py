"""``python -m tests.grafana_dashboards`` writes every dashboard anew."""

from __future__ import annotations

from tests.grafana_dashboards import overview, pipeline, procedure, unit
from tests.grafana_dashboards.model import FOLDER, Dashboard, text_of

ALL: tuple[Dashboard, ...] = (overview.DASHBOARD, unit.DASHBOARD, procedure.DASHBOARD, pipeline.DASHBOARD)

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for each in ALL:
        (FOLDER / f"{each['uid']}.json").write_text(text_of(each), encoding="utf-8")
