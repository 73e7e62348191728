"""What superiors are told: overdue dossiers about which nothing happened for some working days.

A dossier crosses the threshold on the N-th working day, by the calendar of its unit, after it became overdue or anything
about it changed last, whichever was later; not before the day by which its recipient promised to be done. However often is promised, the superior is told
:data:`PATIENCE` days after the first promise that was made since it stood still. Only days are compared, so that how late in the day a mail goes out decides nothing; and with the day of the last mail that was sent, so
that a day without mail loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.calendar_variants import Calendars
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.outputs.digest_places import UNKNOWN, step_told
from tthc_monitor.outputs.frames import local_days, read_frame
from tthc_monitor.outputs.sealed import LedgerHead, read_ledger_head

if TYPE_CHECKING:
    from sqlalchemy import Connection

Days = npt.NDArray[np.datetime64]
Counts = npt.NDArray[np.int64]

KIND: Final = "escalation"
"""What such mails are called among the deliveries."""

PATIENCE: Final = 30
"""Days for which promises about one standstill keep its superior from being told, counted from the first of them."""

_NEVER: Final = np.datetime64("NaT", "D")

# The verdict is that of all outputs; to which dossiers it is put, findings tell: else every dossier there ever was is asked.
_OVERDUE: Final = """
SELECT d.dossier_id, coalesce(d.unit_code, '') AS unit_code, d.unit_name, d.sector_code,
       coalesce(d.code, d.source_key) AS code, coalesce(d.procedure_name, d.procedure_code) AS procedure,
       d.step_name AS step, d.status_name AS status, coalesce(v.late_since, d.due_current, d.changed_at) AS late_since, d.changed_at
FROM audit.verdicts_as_of(%(now)s) v JOIN audit.dossiers d USING (dossier_id)
WHERE v.verdict = 'open_overdue' AND d.kind = 'dossier' AND v.dossier_id = ANY (ARRAY(
    SELECT f.dossier_id FROM audit.flags_in_force f
    WHERE f.verdict = 'open_overdue' AND f.starts_at <= %(now)s AND f.ends_at > %(now)s))
"""
# A promise that was replaced held until then.
_PROMISES: Final = """
SELECT recipient, acknowledged_at, done_before,
       least(done_before, (replaced_at AT TIME ZONE %(zone)s)::date + 1) AS held_until
FROM audit.acknowledgements WHERE done_before IS NOT NULL AND recipient = ANY (%(recipients)s)
ORDER BY acknowledgement_id
"""
_LAST_SENT: Final = """
SELECT recipient, max(local_date) FROM tthc.deliveries WHERE kind = %(kind)s AND sent_at IS NOT NULL GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Answerable:
    """Somebody whose superior is told.

    Attributes:
        recipient: his address in small letters.
        audience: what he is answerable for.
        superior: address of who is told, in small letters.
        after_days: working days without change.
        name: how what he is answerable for is called.
        opted_out_at: since when he wants no digests; None: he gets them.
    """

    recipient: str
    audience: Audience
    superior: str
    after_days: int
    name: str
    opted_out_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One dossier that a superior is told of.

    Attributes:
        days_late: working days since it was due.
        changed_on: the local day on which anything about it changed last.
        idle_days: working days in which, being overdue, nothing about it changed.
        promised: the day before which somebody promised to be done with it, in vain; None: nobody did.
        is_new: it crossed the threshold since the superior was told last.
        promises: how often somebody promised a later day than before, the first time included.
    """

    code: str
    procedure: str
    step: str
    days_late: int
    changed_on: date
    idle_days: int
    promised: date | None
    is_new: bool
    promises: int = 0


@dataclass(frozen=True, slots=True)
class UnitCases:
    """The dossiers of one unit, the worst first."""

    name: str
    new: int
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Escalation:
    """All that one superior is told on a day.

    Attributes:
        since: the day of the last mail to him; None: he never got one.
        thresholds: working days without change after which he is told, ascending.
        units: the worst first.
        silent: what those who want no digests are answerable for, and since when they want none.
    """

    superior: str
    now: datetime
    zone: str
    since: date | None
    thresholds: tuple[int, ...]
    units: tuple[UnitCases, ...]
    silent: tuple[tuple[str, date], ...]
    ledger_head: LedgerHead | None

    @property
    def local_date(self) -> date:
        """The day on which he is told."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def total(self) -> int:
        """Dossiers in all."""
        return sum(len(unit.cases) for unit in self.units)

    @property
    def new(self) -> int:
        """Dossiers that crossed the threshold since he was told last."""
        return sum(unit.new for unit in self.units)


def read_escalations(
    connection: Connection, now: datetime, calendars: Calendars, answerable: Sequence[Answerable]
) -> list[Escalation]:
    """What superiors are to be told now: one for each of whom there is anything new to say, by their addresses.

    Raises:
        CalendarError: ``now`` lies outside the calendars' horizon.
    """
    if not answerable:
        return []
    overdue = read_frame(connection, _OVERDUE, {"now": now}, instants=("late_since", "changed_at"))
    if overdue.empty:
        return []
    standstill = _Standstill(overdue, now, calendars)
    values = {"zone": calendars.zone, "recipients": [one.recipient for one in answerable]}
    promises = connection.exec_driver_sql(_PROMISES, values).all()
    last_sent = {row[0]: row[1] for row in connection.exec_driver_sql(_LAST_SENT, {"kind": KIND})}
    head = read_ledger_head(connection, calendars.zone)
    found = []
    for superior in sorted({one.superior for one in answerable}):
        people = [one for one in answerable if one.superior == superior]
        last = last_sent.get(superior)
        units = standstill.told(people, promises, last)
        if any(unit.new for unit in units):
            zone = ZoneInfo(calendars.zone)
            silent = {one.name: one.opted_out_at.astimezone(zone).date() for one in people if one.opted_out_at}
            thresholds = tuple(sorted({one.after_days for one in people}))
            found.append(
                Escalation(superior, now, calendars.zone, last, thresholds, units, tuple(silent.items()), head)
            )
    return found


class _Standstill:
    """All overdue dossiers, and since when nothing about each happened."""

    def __init__(self, overdue: pd.DataFrame, now: datetime, calendars: Calendars) -> None:
        self._overdue = overdue
        self._zone = calendars.zone
        self._today = np.datetime64(now.astimezone(ZoneInfo(calendars.zone)).date(), "D")
        self._parts = calendars.partition(overdue["unit_code"])
        late = local_days(overdue["late_since"], calendars.zone)
        self._changed = local_days(overdue["changed_at"], calendars.zone)
        self._idle = np.maximum(late, self._changed)
        self._days_late, self._idle_days = self._worked(late), self._worked(self._idle)
        self._crossings: dict[int, Days] = {}

    def told(self, people: Iterable[Answerable], promises: Sequence[Any], last: date | None) -> tuple[UnitCases, ...]:
        crossed, promised, times = self._crossed(people, promises)
        told = np.flatnonzero(crossed <= self._today)
        new = np.ones(len(told), bool) if last is None else crossed[told] > np.datetime64(last, "D")
        frame = self._overdue.iloc[told].assign(
            days_late=self._days_late[told],
            idle_days=self._idle_days[told],
            changed_on=self._changed[told],
            promised=promised[told],
            promises=times[told],
            is_new=new,
        )
        frame = frame.sort_values(["idle_days", "days_late", "code"], ascending=[False, False, True])
        units = [_unit(code, rows) for code, rows in frame.groupby("unit_code", sort=False)]
        return tuple(sorted(units, key=lambda unit: (-len(unit.cases), -unit.cases[0].idle_days, unit.name)))

    def _crossed(self, people: Iterable[Answerable], promises: Sequence[Any]) -> tuple[Days, Days, Counts]:
        """By dossier, the day on which it crosses the threshold (NaT: never), the last day promised, how often it was put off."""
        crossed, held, promised, limit = (np.full(len(self._overdue), _NEVER) for _ in range(4))
        times = np.zeros(len(self._overdue), np.int64)
        for one in people:
            his = self._of(one.audience)
            crossed[his] = np.fmin(crossed[his], self._crossing(one.after_days)[his])
            for promise in promises:
                if promise.recipient != one.recipient:
                    continue
                # What became overdue afterwards he did not speak of.
                meant = his & (self._overdue["late_since"] <= promise.acknowledged_at).to_numpy()
                until = np.datetime64(promise.done_before, "D")
                held[meant] = np.fmax(held[meant], np.datetime64(promise.held_until, "D"))
                made = np.datetime64(promise.acknowledged_at.astimezone(ZoneInfo(self._zone)).date(), "D")
                # One made before it changed last ends within as many days of that change anyway.
                standing = meant & (made >= self._idle)
                limit[standing] = np.fmin(limit[standing], made + PATIENCE)
                times[standing & (np.isnat(promised) | (until > promised))] += 1
                promised[meant] = until
        held = np.fmin(held, np.where(np.isnat(limit), held, limit))
        later = ~np.isnat(held) & ~np.isnat(crossed) & (held > crossed)
        return np.where(later, held, crossed), promised, times

    def _of(self, audience: Audience) -> npt.NDArray[np.bool_]:
        his = np.ones(len(self._overdue), bool)
        for column, codes in (("unit_code", audience.units), ("sector_code", audience.sectors)):
            if codes is not None:
                his &= self._overdue[column].isin(list(codes)).to_numpy()
        return his

    def _crossing(self, after_days: int) -> Days:
        if after_days not in self._crossings:
            days = np.full(len(self._overdue), _NEVER)
            for calendar, rows in self._parts:
                days[rows.to_numpy()] = calendar.add_workdays(self._idle[rows.to_numpy()], after_days)
            self._crossings[after_days] = days
        return self._crossings[after_days]

    def _worked(self, since: Days) -> npt.NDArray[np.int64]:
        """Working days after a day, up to and with today."""
        counted = np.zeros(len(since), np.int64)
        for calendar, rows in self._parts:
            mask = rows.to_numpy()
            counted[mask] = calendar.count_workdays(since[mask], self._today.item())
        return counted


def _unit(code: Any, rows: pd.DataFrame) -> UnitCases:
    cases = tuple(
        Case(
            row["code"],
            row["procedure"] if isinstance(row["procedure"], str) else "Chưa rõ thủ tục",
            step_told(row["step"], row["status"]) or UNKNOWN,
            int(row["days_late"]),
            row["changed_on"].date(),
            int(row["idle_days"]),
            None if pd.isna(row["promised"]) else row["promised"].date(),
            bool(row["is_new"]),
            int(row["promises"]),
        )
        for row in rows.to_dict("records")
    )
    name = rows["unit_name"].iloc[0]
    label = wording.unit_label(code, name if isinstance(name, str) else None)
    return UnitCases(label, sum(case.is_new for case in cases), cases)
