"""When the clock of a dossier starts: the event the law names, moved into working time as the policy says.

NĐ 61/2018/NĐ-CP Art. 19.4 and NĐ 118/2025/NĐ-CP (the dossier is complete and valid); since 05/08/2026 NĐ 118/2025 Art.
17.3 as amended by NĐ 309/2026 (a dossier received away counts from the moment the competent agency has it).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.time_limits import ClockPolicy, ClockStart
from tthc_monitor.domain.wall_clock import Spans, bounds, closing, opening, wall, workday_after
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_arrays import Bools, Times


def checked(starts: Sequence[ClockStart]) -> tuple[ClockStart, ...]:
    """Clock-start rules in the order they came into force.

    Raises:
        ConfigError: two from the same day, or none for the receptions before the first.
    """
    ordered = sorted(starts, key=lambda rule: (rule.valid_from is not None, rule.valid_from))
    days = [rule.valid_from for rule in ordered]
    for earlier, later in pairwise(ordered):
        if earlier.valid_from == later.valid_from:
            since = later.valid_from or "the beginning"
            raise ConfigError(
                f"two clock starts hold since {since} ('{earlier.title}', '{later.title}'); remove one, or give it a day"
            )
    if days and days[0] is not None:
        raise ConfigError(f"no clock start holds before {days[0]}; add one without valid_from")
    return tuple(ordered)


def rule_of(starts: Sequence[ClockStart], days: Times) -> npt.NDArray[np.int64]:
    """Position of the rule in force on each day of reception, among rules in order."""
    since = np.array([rule.valid_from for rule in starts[1:]], dtype="datetime64[D]")
    return np.searchsorted(since, days, side="right")


def event(starts: Sequence[ClockStart], received: Times, competent: Times, zone: str) -> Times:
    """The instant the time counts from by the rule in force on the day of reception; NaT without reception.

    Where the competent agency claims to have had the dossier before it was received, the reception stands.
    """
    if not starts:
        return received
    days, _ = wall(received, zone)
    away = np.array([rule.instant == "competent_received_at" for rule in starts])[rule_of(starts, days)]
    return np.where(away & (competent > received), competent, received)


def started(calendar: WorkCalendar, policy: ClockPolicy, events: Times) -> Times:
    """The working instant at which the clock starts; NaT beyond the calendar.

    Within hours it is the event itself. Outside hours (a closing is outside): the next opening, or the opening of the
    next working day. From the cut-off on: the opening of the next working day (NĐ 63/2024 Art. 7: after 15:00; NĐ
    297/2025 Art. 6: within the last hour before the office closes). It is never before the event; nor earlier for a
    later event, save that ``next_day`` puts an event in a break after those in the hours that follow.
    """
    known = bounds(calendar).within(events)
    days, clock = wall(known, calendar.zone)
    tomorrow = _late(calendar, policy, known, days, clock)
    if policy.outside_hours == "next_day":
        tomorrow |= ~calendar.is_working(known)
    out = calendar.next_working(np.where(tomorrow, np.datetime64("NaT"), known))
    if tomorrow.any():
        out[tomorrow] = opening(
            calendar, workday_after(calendar, days[tomorrow], np.ones(int(tomorrow.sum()), np.int64))
        )
    return out


def _late(
    calendar: WorkCalendar,
    policy: ClockPolicy,
    events: Times,
    days: Times,
    clock: Spans,
) -> Bools:
    """Which events come at or after the cut-off of their day."""
    if policy.cutoff is None:
        return np.zeros(events.shape, dtype=np.bool_)
    if policy.cutoff != "last_hour":
        hours, minutes = policy.cutoff.split(":")
        return np.asarray(clock >= np.timedelta64(int(hours) * 60 + int(minutes), "m"))
    worked = calendar.is_workday(days)
    out = np.zeros(events.shape, dtype=np.bool_)
    if worked.any():
        closes = closing(calendar, days[worked])
        out[worked] = events[worked] >= closes - np.timedelta64(1, "h")
    return out
