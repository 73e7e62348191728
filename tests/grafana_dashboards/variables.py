"""What is chosen at the head of a dashboard; hidden ones are set by whoever runs Grafana."""

from __future__ import annotations

from typing import Any, Final

from tests.grafana_dashboards.queries import POSTGRES, PROMETHEUS

Variable = dict[str, Any]

_HIDDEN: Final = 2


def _datasource(kind: str, uid: str) -> Variable:
    """Found by its uid as provisioned; where an installation has another one, that is taken."""
    return {
        "current": {"selected": False, "text": uid, "value": uid},
        "hide": _HIDDEN,
        "includeAll": False,
        "label": f"{kind.title()} data source",
        "multi": False,
        "name": f"{kind}_datasource",
        "options": [],
        "query": kind,
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def _query(name: str, label: str, source: dict[str, str], query: str, everything: str | None) -> Variable:
    chosen = {"selected": True, "text": "Tất cả", "value": "$__all"} if everything else {}
    return {
        "allValue": everything,
        "current": chosen,
        "datasource": source,
        "definition": query,
        "hide": 0,
        "includeAll": everything is not None,
        "label": label,
        "multi": False,
        "name": name,
        "options": [],
        "query": query,
        # When the time range changes too: what is there to choose may have changed.
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 0,
        "type": "query",
    }


def _job(hide: int) -> Variable:
    query = "label_values(tthc_database_up, job)"
    found = {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    chosen = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return _query("job", "Job", PROMETHEUS, query, ".+") | {
        "multi": True,
        "hide": hide,
        "query": found,
        "current": chosen,
    }


SOURCES: Final = (_datasource("prometheus", "tthc-prometheus"), _datasource("postgres", "tthc-postgres"))
JOB: Final = _job(0)
JOB_HIDDEN: Final = _job(_HIDDEN)

# A dossier that names no unit is one of "unknown", as in the metrics.
_UNITS: Final = """
SELECT coalesce(nullif(name, ''), unit_code) AS __text, unit_code AS __value FROM audit.units
UNION ALL
SELECT 'Chưa rõ đơn vị', 'unknown'
ORDER BY 1
"""
UNIT: Final = _query("unit", "Đơn vị", POSTGRES, _UNITS.strip(), None)
ANY_UNIT: Final = _query("unit", "Đơn vị", POSTGRES, _UNITS.strip(), ".*")

_SECTORS: Final = """
SELECT coalesce(nullif(name, ''), sector_code) AS __text, sector_code AS __value FROM audit.sectors
ORDER BY 1
"""
ANY_SECTOR: Final = _query("sector", "Lĩnh vực", POSTGRES, _SECTORS.strip(), ".*")

_PROCEDURES: Final = """
SELECT coalesce(nullif(name, ''), procedure_code) || ' (' || procedure_code || ')' AS __text, procedure_code AS __value
FROM audit.procedures
WHERE coalesce(sector_code, '') ~ '^(?:${sector:regex})$'
ORDER BY 1
"""
PROCEDURE: Final = _query("procedure", "Thủ tục", POSTGRES, _PROCEDURES.strip(), None)

# Newest first: the month that has begun is what is shown at first.
_MONTHS: Final = """
SELECT 'Tháng ' || to_char(month, 'MM/YYYY') AS __text, to_char(month, 'YYYY-MM-DD') AS __value
FROM generate_series(0, 12) AS ago,
     LATERAL (SELECT date_trunc('month', now() AT TIME ZONE 'Asia/Ho_Chi_Minh') - ago * interval '1 month' AS month) m
ORDER BY month DESC
"""
MONTH: Final = _query("month", "Tháng báo cáo", POSTGRES, _MONTHS.strip(), None)
