"""Where a dossier lies: the step under way and the unit that has it, as far as rules or sources tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.digest_rules import HELD_UP_BY, RulesInForce
from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A unit that has answered since holds nothing up any more.
_HELD_UP: Final = """
SELECT f.dossier_id, f.rule_version_id, coalesce(f.evidence ->> 'unit', f.evidence ->> 'step_unit_code') AS unit_code
FROM audit.flags_in_force f
WHERE f.rule_version_id = ANY (%(versions)s::int[]) AND f.starts_at <= %(now)s AND f.ends_at > %(now)s
  AND f.evidence ->> 'consulted_answered_at' IS NULL
"""
UNKNOWN: Final = "Chưa rõ bước xử lý"
_OVER: Final = "bước đã quá hạn"


def read_places(
    connection: Connection, now: datetime, rules: RulesInForce, rows: pd.DataFrame, names: Mapping[str, str]
) -> list[str]:
    """For each row the step and the unit where the dossier lies, in words; :data:`UNKNOWN` where nothing is known. Many a
    source has the status where the step should be; that tells nothing.

    Args:
        rows: of dossiers: ``dossier_id``, ``unit_code``, ``step``, ``step_unit_code``, ``status``.
        names: of units.
    """
    found = read_frame(connection, _HELD_UP, {"now": now, "versions": rules.of(*HELD_UP_BY)})
    found = found[found["dossier_id"].isin(rows["dossier_id"])]
    held: dict[int, tuple[int, str]] = {}
    for dossier, version, unit in found.itertuples(index=False, name=None):
        rule = HELD_UP_BY.index(rules.versions[version])
        held[dossier] = min(held.get(dossier, (len(HELD_UP_BY), "")), (rule, unit or ""))
    columns = ["dossier_id", "unit_code", "step", "step_unit_code", "status"]
    return [
        _place(held.get(dossier), own, step_told(step, status), step_unit, names) or UNKNOWN
        for dossier, own, step, step_unit, status in rows[columns].itertuples(index=False, name=None)
    ]


def step_told(step: object, status: object) -> str:
    """The step under way, as a source tells it; '' where it tells none, or the status once more."""
    if not isinstance(step, str) or (isinstance(status, str) and step.strip().casefold() == status.strip().casefold()):
        return ""
    return step


def _place(held: tuple[int, str] | None, own: str, step: str, step_unit: object, names: Mapping[str, str]) -> str:
    unit = step_unit if isinstance(step_unit, str) else ""
    rule = "" if held is None else HELD_UP_BY[held[0]]
    if held is not None and held[1]:
        unit = held[1]
    where = wording.unit_label(unit, names.get(unit)) if unit and unit != own else ""
    if rule == "consulted_late":
        return f"Chờ ý kiến của {where}, đã quá hạn trả lời" if where else "Chờ ý kiến phối hợp, đã quá hạn trả lời"
    at = f"{step} (tại {where})" if step and where else step or (f"Tại {where}" if where else "")
    return f"{at}, {_OVER}" if rule and at else at or (_OVER.capitalize() if rule else "")
