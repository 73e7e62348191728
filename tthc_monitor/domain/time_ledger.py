"""A span of working time written out, day by day, so that a person can add it up.

The lines of a ledger cover the whole span without gap or overlap where anything is counted: what was worked, and what
would have been but for a pause. Their counted seconds add up to ``WorkCalendar.elapsed(start, end, pauses)`` exactly.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from tthc_monitor.domain.calendar_evidence import Crossing, days_crossed
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.worktime import WorkCalendar


@dataclass(frozen=True)
class Wait:
    """A span that is not counted, and what we know it from."""

    start: dt.datetime
    end: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class Line:
    """One interval of working hours, or a piece of one.

    ``kind``
        ``counted``, or ``paused``: working hours that are not counted because of ``reason``.
    """

    kind: Literal["counted", "paused"]
    start: dt.datetime
    end: dt.datetime
    reason: str | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class TimeLedger:
    """A span written out."""

    start: dt.datetime
    end: dt.datetime
    lines: tuple[Line, ...]
    special_days: tuple[Crossing, ...]

    @property
    def counted_seconds(self) -> float:
        """What all counted lines add up to."""
        return sum(line.seconds for line in self.lines if line.kind == "counted")

    @property
    def paused_seconds(self) -> float:
        """Working time that was not counted."""
        return sum(line.seconds for line in self.lines if line.kind == "paused")


def time_ledger(
    spec: CalendarSpec,
    calendar: WorkCalendar,
    unit_code: str | None,
    start: dt.datetime,
    end: dt.datetime,
    waits: Sequence[Wait] = (),
) -> TimeLedger:
    """Write out the working time of a unit in [start, end).

    Args:
        calendar: of the unit, compiled from ``spec``.
        waits: what is not counted; they may overlap (the first given is the reason told) and be open (None).

    Raises:
        CalendarError: an instant without zone, or outside the calendar's horizon.
    """
    calendar.elapsed(start, end)  # refuses what the calendar cannot answer for
    zone = ZoneInfo(spec.zone)
    lines = [
        line
        for opens, closes in _segments(calendar, start, end)
        for line in _cut(opens.astimezone(zone), closes.astimezone(zone), waits)
    ]
    return TimeLedger(
        start.astimezone(zone),
        end.astimezone(zone),
        tuple(lines),
        tuple(days_crossed(spec, unit_code, start, end)),
    )


def _segments(calendar: WorkCalendar, start: dt.datetime, end: dt.datetime) -> list[tuple[dt.datetime, dt.datetime]]:
    if end <= start:
        return []
    table = calendar.segments
    first, last = (np.datetime64(one.astimezone(dt.UTC).replace(tzinfo=None), "us") for one in (start, end))
    chosen = slice(
        int(np.searchsorted(table.closes, first, side="right")), int(np.searchsorted(table.opens, last, side="left"))
    )
    return [
        (max(first, opens).item().replace(tzinfo=dt.UTC), min(last, closes).item().replace(tzinfo=dt.UTC))
        for opens, closes in zip(table.opens[chosen], table.closes[chosen], strict=True)
    ]


def _cut(opens: dt.datetime, closes: dt.datetime, waits: Sequence[Wait]) -> list[Line]:
    """One interval of working hours, parted where a wait begins or ends."""
    edges = {opens, closes}
    for wait in waits:
        edges |= {edge for edge in (wait.start, wait.end) if edge is not None and opens < edge < closes}
    points = sorted(edge.astimezone(opens.tzinfo) for edge in edges)
    lines: list[Line] = []
    for begin, finish in pairwise(points):
        reason = next((w.reason for w in waits if w.start <= begin and (w.end is None or finish <= w.end)), None)
        if lines and lines[-1].reason == reason:
            lines[-1] = Line(lines[-1].kind, lines[-1].start, finish, reason)
        else:
            lines.append(Line("counted" if reason is None else "paused", begin, finish, reason))
    return lines
