"""The shape of a dashboard: panels with what every one of ours must have, laid out from left to right, row by row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.grafana_dashboards.variables import SOURCES, Variable

FOLDER: Final = Path(__file__).resolve().parents[2] / "tthc_monitor" / "monitoring" / "grafana" / "dashboards"
"""Where the JSON lies."""

Dashboard = dict[str, Any]
Panel = dict[str, Any]
Row = tuple[str, Sequence[Panel]]
"""A heading and the panels below it."""

UIDS: Final = {
    "tthc-overview": "Tổng quan",
    "tthc-unit": "Đơn vị",
    "tthc-procedure": "Thủ tục",
    "tthc-pipeline": "Sức khoẻ hệ thống",
}
_COLUMNS: Final = 24
# Grafana 10.4; newer ones migrate it as they read it.
_SCHEMA: Final = 39


def text_of(dashboard: Dashboard) -> str:
    """The JSON as it is kept under version control."""
    return json.dumps(dashboard, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def dashboard(
    uid: str, description: str, variables: Sequence[Variable], rows: Sequence[Row], *, since: str, refresh: str
) -> Dashboard:
    """A whole dashboard.

    Args:
        uid: one of :data:`UIDS`.
        since: start of the time range at first, such as ``now-7d``.
        refresh: how often it is asked anew; SQL over a whole province wants minutes.
    """
    return {
        "annotations": {"list": []},
        "description": description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [_link(other) for other in UIDS if other != uid],
        "panels": _laid_out(rows),
        "refresh": refresh,
        "schemaVersion": _SCHEMA,
        "tags": ["tthc"],
        "templating": {"list": [*SOURCES, *variables]},
        "time": {"from": since, "to": "now"},
        "timepicker": {"refresh_intervals": ["1m", "5m", "15m", "1h"]},
        "timezone": "Asia/Ho_Chi_Minh",
        "title": f"TTHC – {UIDS[uid]}",
        "uid": uid,
        "version": 1,
        "weekStart": "monday",
    }


def _link(uid: str) -> dict[str, Any]:
    return {
        "asDropdown": False,
        "icon": "dashboard",
        "includeVars": True,
        "keepTime": True,
        "tags": [],
        "targetBlank": False,
        "title": UIDS[uid],
        "tooltip": "",
        "type": "link",
        "url": f"/d/{uid}",
    }


def _laid_out(rows: Sequence[Row]) -> list[Panel]:
    """Panels with their places and ids: beside one another while there is room, then below the highest of them."""
    placed: list[Panel] = []
    top = 0
    for title, panels in rows:
        heading = {"collapsed": False, "panels": [], "title": title, "type": "row"}
        placed.append({**heading, "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": top}})
        top, left, height = top + 1, 0, 0
        for panel in panels:
            size = panel["gridPos"]
            if left + size["w"] > _COLUMNS:
                top, left, height = top + height, 0, 0
            placed.append({**panel, "gridPos": {**size, "x": left, "y": top}})
            left, height = left + size["w"], max(height, size["h"])
        top += height
    return [{**panel, "id": number} for number, panel in enumerate(placed, start=1)]
