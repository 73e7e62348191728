"""Which units a report is about: the ones named, those below them, as they were then or by who answers for them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo

import pandas as pd

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from sqlalchemy import Connection

UnitsAs = Literal["then", "now"]
"""``then``: units as they stood at the end of the period; ``now``: who answers for their dossiers today."""

_UNKNOWN: Final = """
SELECT c AS unit_code FROM unnest(%(units)s::text[]) c
WHERE NOT EXISTS (SELECT FROM audit.units u WHERE u.unit_code = c)
  AND NOT EXISTS (SELECT FROM audit.unit_versions v WHERE v.unit_code = c AND v.known_to IS NULL)
"""
# A unit lies below the one that it answers to on the day; one that has ended, below the last it answered to.
_TREE: Final = """
WITH RECURSIVE parent AS (
    SELECT DISTINCT ON (v.unit_code) v.unit_code, v.parent_code FROM audit.unit_versions v
    WHERE v.known_to IS NULL AND coalesce(v.valid_from, '-infinity') <= %(day)s::date
    ORDER BY v.unit_code, v.valid_from DESC NULLS LAST
), below (top, unit_code) AS (
    SELECT c, c FROM unnest(%(units)s::text[]) c
    UNION SELECT b.top, p.unit_code FROM parent p JOIN below b ON p.parent_code = b.unit_code
)
SELECT b.top, b.unit_code, audit.unit_name(b.top, %(day)s::date) AS name FROM below b
"""
_REGISTERED: Final = "SELECT count(*) AS units FROM audit.unit_versions WHERE known_to IS NULL"
_KNOWN: Final = """
SELECT u.unit_code FROM audit.units u
WHERE (%(units)s::text[] IS NULL OR u.unit_code = ANY(%(units)s::text[]))
  AND (EXISTS (SELECT FROM audit.unit_versions v WHERE v.unit_code = u.unit_code AND v.known_to IS NULL
               AND coalesce(v.valid_from <= %(day)s::date, true) AND coalesce(v.valid_to > %(since)s::date, true))
       OR NOT EXISTS (SELECT FROM audit.unit_versions v WHERE v.unit_code = u.unit_code AND v.known_to IS NULL))
"""
_NAMES: Final = """
SELECT c AS unit_code, audit.unit_name(c, %(day)s::date) AS unit_name FROM unnest(%(units)s::text[]) c
"""
# Those that the units of a scope took over as a whole, and those of the scope that nobody took over.
_BEFORE: Final = """
SELECT c AS unit_code FROM unnest(%(units)s::text[]) c
WHERE NOT EXISTS (SELECT FROM audit.unit_successions_now s WHERE s.unit_code = c AND s.sector_code = '' AND s.procedure_code = ''
                  AND %(named_on)s::date >= s.named_from AND %(named_on)s::date < s.named_to
                  AND %(day)s::date >= s.at_from AND %(day)s::date < s.at_to AND s.successor_code <> ALL (%(units)s::text[]))
UNION
SELECT s.unit_code FROM audit.unit_successions_now s
WHERE s.sector_code = '' AND s.procedure_code = '' AND s.successor_code = ANY(%(units)s::text[])
  AND %(named_on)s::date >= s.named_from AND %(named_on)s::date < s.named_to
  AND %(day)s::date >= s.at_from AND %(day)s::date < s.at_to
"""
_ROLLED: Final = """
SELECT t.place::int AS place, coalesce(s.successor_code, t.unit_code) AS rolled
FROM unnest(%(codes)s::text[], %(sectors)s::text[], %(procedures)s::text[]) WITH ORDINALITY
     AS t (unit_code, sector_code, procedure_code, place)
CROSS JOIN LATERAL audit.unit_as_now(t.unit_code, %(day)s::date, t.sector_code, t.procedure_code, %(named_on)s::date) s
"""
_LEADING_HERE: Final = """
WITH RECURSIVE after (first, unit_code) AS (
    SELECT c, c FROM unnest(%(codes)s::text[]) c
    UNION SELECT a.first, s.to_code FROM after a JOIN audit.unit_successions s
    ON s.from_code = a.unit_code AND s.known_to IS NULL AND s.succeeds_on <= %(day)s::date
)
SELECT DISTINCT first AS unit_code FROM after WHERE unit_code = ANY(%(units)s::text[])
"""


@dataclass(frozen=True)
class Scope:
    """Units of a report.

    Attributes:
        units: codes by which figures are shown, units below included; None means all, dossiers of no unit included.
        before: codes under which dossiers of these units stand; differs from ``units`` when they are meant as now.
        labels: what was asked for, in words; empty when all.
        units_as: see :data:`UnitsAs`.
        day: the day on which units are meant: the last of the period, or the present one.
        named_on: the day on which the unit that a dossier names is meant: the last of the period.
        since: first day on which a unit must have existed to be listed without dossiers.
        notes: what must be known of the choice, in Vietnamese.
    """

    units: list[str] | None
    before: list[str] | None
    labels: tuple[str, ...]
    units_as: UnitsAs
    day: date
    named_on: date
    since: date
    notes: tuple[str, ...]

    @property
    def values(self) -> dict[str, Any]:
        """Parameters of queries about units."""
        return {"units": self.units, "day": self.day, "named_on": self.named_on, "since": self.since}

    def holds(self, code: str) -> bool:
        """Whether figures shown under a code (empty: no unit) belong to the report."""
        return self.units is None or code in self.units


def read_scope(
    connection: Connection,
    period: Period,
    end: datetime,
    now: datetime,
    *,
    units: Sequence[str] | None,
    subtree: bool,
    units_as: UnitsAs,
) -> Scope:
    """The units of a report.

    Args:
        end: the period's, or the earlier instant to which it is clipped.
        units: codes asked for; None means all.
        subtree: the units below them too.

    Raises:
        ConfigError: neither a source nor the register of units knows a code.
    """
    zone = ZoneInfo(period.zone)
    named_on = (end - timedelta(microseconds=1)).astimezone(zone).date()
    day = named_on if units_as == "then" else now.astimezone(zone).date()
    since = period.first_day if units_as == "then" else day
    notes = [] if units_as == "then" else [_AS_NOW.format(wording.day(day))]
    if units is None:
        return Scope(None, None, (), units_as, day, named_on, since, tuple(notes))
    if unknown := sorted(read_frame(connection, _UNKNOWN, {"units": list(units)})["unit_code"]):
        raise ConfigError(
            f"no source has named a unit {', '.join(map(repr, unknown))} so far; correct the code (audit.units lists "
            "those that are known), or describe the unit with: tthc-monitor units import"
        )
    tree = read_frame(connection, _TREE, {"units": list(units), "day": day})
    if not subtree:
        tree = tree[tree["top"] == tree["unit_code"]]
    elif not int(read_frame(connection, _REGISTERED, {})["units"].iloc[0]):
        notes.append(_NO_REGISTER)
    tops = tree.groupby("top")
    labels = [f"{rows['name'].iloc[0] or top!s}{_AND_BELOW if len(rows) > 1 else ''}" for top, rows in tops]
    codes = sorted(set(tree["unit_code"]))
    scope = Scope(codes, codes, tuple(sorted(labels)), units_as, day, named_on, since, tuple(notes))
    if units_as == "then":
        return scope
    before = sorted(read_frame(connection, _BEFORE, scope.values)["unit_code"])
    return Scope(codes, before, scope.labels, units_as, day, named_on, since, scope.notes)


def shown_under(connection: Connection, scope: Scope, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that belong to a report, each under the unit that it is shown under.

    Args:
        rows: with ``unit_code`` (empty: no unit), ``sector_code`` and ``procedure_code``.
    """
    if scope.units_as == "now" and len(rows):
        keys = ["unit_code", "sector_code", "procedure_code"]
        places = rows.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
        triples = rows[keys].drop_duplicates().astype(object)
        triples = triples.where(triples.notna(), None)
        values = {
            "codes": triples["unit_code"].tolist(),
            "sectors": triples["sector_code"].tolist(),
            "procedures": triples["procedure_code"].tolist(),
        }
        rolled = read_frame(connection, _ROLLED, scope.values | values).sort_values("place")["rolled"].to_numpy()
        rows = rows.assign(unit_code=rolled[places])
    if scope.units is None:
        return rows
    return rows[rows["unit_code"].isin(scope.units)].reset_index(drop=True)


def known_units(connection: Connection, scope: Scope) -> list[str]:
    """Units of a report that sources have named, and that were there; listed even when they have nothing to count."""
    return list(read_frame(connection, _KNOWN, scope.values)["unit_code"])


def unit_names(connection: Connection, scope: Scope, codes: Sequence[str]) -> dict[str, str]:
    """What units are called on the day on which they are meant; those without a name are left out."""
    rows = read_frame(connection, _NAMES, {"units": list(codes), "day": scope.day})
    return {
        code: name for code, name in zip(rows["unit_code"], rows["unit_name"], strict=True) if isinstance(name, str)
    }


def unclear_note(connection: Connection, scope: Scope, dossiers: dict[str, int]) -> str | None:
    """Which units nobody can say the successor of, of those that may concern a report; None when there are none.

    Args:
        dossiers: of the period, by the code of such a unit.
    """
    codes = sorted(dossiers)
    if scope.units is not None:
        codes = sorted(read_frame(connection, _LEADING_HERE, scope.values | {"codes": codes})["unit_code"])
    if not codes:
        return None
    names = unit_names(connection, scope, codes)
    listed = "; ".join(f"{names.get(code, code)} ({wording.number(dossiers[code])} hồ sơ)" for code in codes)
    left_out = any(not scope.holds(code) for code in codes)
    return f"Chưa xác định được đơn vị kế thừa của: {listed}; hồ sơ để ở đơn vị cũ{_LEFT_OUT if left_out else ''}."


_AND_BELOW: Final = " và các đơn vị trực thuộc"
_LEFT_OUT: Final = ", chỉ tính vào báo cáo khi đơn vị cũ thuộc phạm vi báo cáo"
_AS_NOW: Final = (
    "Số liệu xếp theo đơn vị chịu trách nhiệm ngày {}: hồ sơ của đơn vị đã sáp nhập, giải thể, chuyển giao nhiệm vụ tính cho "
    "đơn vị kế thừa."
)
_NO_REGISTER: Final = (
    "Chưa nhập danh mục đơn vị nên không xác định được đơn vị trực thuộc; phạm vi báo cáo chỉ gồm đơn vị được nêu tên."
)
