"""Lists of dossiers, from SQL: never more than a screen can take, worst first."""

from __future__ import annotations

from typing import Any, Final

from tests.grafana_dashboards.panels import DATE, GREY, ORANGE, RED, column

LIMIT: Final = 200

OF_UNIT: Final = "(d.unit_code = ${unit:sqlstring} OR (${unit:sqlstring} = 'unknown' AND d.unit_code IS NULL))"
OF_SECTOR: Final = "coalesce(d.sector_code, '') ~ '^(?:${sector:regex})$'"
OF_UNITS: Final = "coalesce(d.unit_code, 'unknown') ~ '^(?:${unit:regex})$'"
OF_PROCEDURE: Final = "d.procedure_code = ${procedure:sqlstring}"

Columns = dict[str, list[dict[str, Any]]]

CODE: Final[Columns] = {"code": column("Mã hồ sơ", width=190)}
PROCEDURE: Final[Columns] = {"procedure": column("Thủ tục")}
STEP: Final[Columns] = {"step": column("Bước đang xử lý", width=190)}
RECEIVED: Final[Columns] = {"received_at": column("Tiếp nhận", width=150, unit=DATE)}
DUE: Final[Columns] = {"due_at": column("Hẹn trả", width=150, unit=DATE)}
DAYS_LATE: Final[Columns] = {
    "days_late": column("Quá hạn (ngày làm việc)", width=190, steps=((None, ORANGE), (10, RED)))
}
APOLOGY: Final[Columns] = {"apology_at": column("Văn bản xin lỗi", width=150, unit=DATE)}
UNIT: Final[Columns] = {"unit": column("Đơn vị", width=240)}
HOURS_LEFT: Final[Columns] = {
    "hours_left": column("Còn lại (giờ làm việc)", width=170, decimals=1, steps=((None, RED), (4, ORANGE), (8, GREY)))
}


def overdue(*conditions: str) -> str:
    """Dossiers overdue now; days are counted as mails and reports count them."""
    return f"""
WITH found AS (
    SELECT d.dossier_id, d.code, d.source_key, d.procedure_code, d.procedure_name, d.unit_code, d.unit_name, d.step_name,
           d.received_at, d.due_current, d.apology_at, min((f.evidence ->> 'due_at')::timestamptz) AS late_since
    FROM dossiers d JOIN flags_in_force f USING (dossier_id)
    WHERE f.verdict = 'open_overdue' AND f.starts_at <= now() AND f.ends_at > now()
      AND d.kind = 'dossier' AND {" AND ".join(conditions)}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ORDER BY late_since
    LIMIT {LIMIT}
)
SELECT coalesce(code, source_key) AS code, coalesce(unit_name, unit_code, 'Chưa rõ đơn vị') AS unit,
       coalesce(procedure_name, procedure_code) AS procedure, step_name AS step, received_at, due_current AS due_at,
       working_days(calendar_now(), late_since, now(), unit_code) AS days_late, apology_at
FROM found
ORDER BY late_since, code
"""


def due_soon(*conditions: str) -> str:
    """Dossiers that fall due within the hours of the rule, the next one first."""
    return f"""
SELECT coalesce(d.code, d.source_key) AS code, coalesce(d.unit_name, d.unit_code, 'Chưa rõ đơn vị') AS unit,
       coalesce(d.procedure_name, d.procedure_code) AS procedure, d.step_name AS step, d.received_at,
       min(f.ends_at) AS due_at,
       round(working_time(calendar_now(), now(), min(f.ends_at), d.unit_code) / 3600, 1) AS hours_left
FROM dossiers d JOIN flags_in_force f USING (dossier_id)
WHERE f.rule_code = 'due_soon' AND f.starts_at <= now() AND f.ends_at > now()
  AND d.kind = 'dossier' AND {" AND ".join(conditions)}
GROUP BY 1, 2, 3, 4, 5, d.unit_code
ORDER BY due_at, code
LIMIT {LIMIT}
"""


def with_finding(rule_code: str, *conditions: str) -> str:
    """Open dossiers of which a finding of a rule stands, since when, the latest first."""
    return f"""
SELECT coalesce(d.code, d.source_key) AS code, coalesce(d.procedure_name, d.procedure_code) AS procedure,
       d.received_at, d.due_current AS due_at, f.starts_at AS since, d.apology_at
FROM dossiers d JOIN flags_in_force f USING (dossier_id)
WHERE f.rule_code = '{rule_code}' AND f.starts_at <= now() AND f.ends_at > now() AND d.ended_at IS NULL
  AND d.kind = 'dossier' AND {" AND ".join(conditions)}
ORDER BY f.starts_at DESC, 1
LIMIT {LIMIT}
"""


def returned(*conditions: str) -> str:
    """Dossiers that were refused, stopped or withdrawn within the time range."""
    return f"""
SELECT coalesce(d.code, d.source_key) AS code, coalesce(d.procedure_name, d.procedure_code) AS procedure,
       d.status_name AS status, d.received_at, d.due_current AS due_at, f.starts_at AS since
FROM dossiers d JOIN flags_in_force f USING (dossier_id)
WHERE f.rule_code = 'returned' AND $__timeFilter(f.starts_at) AND f.starts_at <= now()
  AND d.kind = 'dossier' AND {" AND ".join(conditions)}
ORDER BY f.starts_at DESC, 1
LIMIT {LIMIT}
"""
