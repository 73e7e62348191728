"""The instant by which the law wants a dossier decided: from procedure, reception, calendar and waits.

:class:`Limits` is the catalogue made ready; :func:`lawful_due` applies it to facts. Both know no clock, and a row's result
depends on that row alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.clock_start import checked, event, started
from tthc_monitor.domain.limit_counting import Count, due, lengthened
from tthc_monitor.domain.limit_match import LimitIndex
from tthc_monitor.domain.limit_waits import NONE, Rows, Supplements, Waits, obligations, supplements, utc
from tthc_monitor.domain.time_limits import ClockPolicy, ClockStart, LimitUnit, TimeLimit
from tthc_monitor.domain.wall_clock import bounds, wall
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_arrays import Times

NAT: Final = np.datetime64("NaT")


class Limits:
    """The catalogue of time limits with the policies and clock starts they are counted by.

    Args:
        limits: in any order; results name a limit by its position here.
        default_policy: of limits without one of their own.
        clock_starts: from when a dossier's time counts, dated; none: from its reception.

    Raises:
        ConfigError: limits that overlap, or clock starts that leave a gap or hold from the same day; both are named.
    """

    def __init__(
        self, limits: Sequence[TimeLimit], default_policy: ClockPolicy, clock_starts: Sequence[ClockStart] = ()
    ) -> None:
        self.limits = tuple(limits)
        self.default_policy = default_policy
        self.clock_starts = checked(clock_starts)
        self._index = LimitIndex(self.limits, [self.policy(number).honour_postmark for number in range(len(limits))])

    def policy(self, limit: int) -> ClockPolicy:
        """How the limit at a position is counted; -1 (none) as by default."""
        own = self.limits[limit].policy if limit >= 0 else None
        return own or self.default_policy

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that results depend on, whatever the order of the limits."""
        parts = [*sorted(limit.fingerprint() for limit in self.limits), *self._common]
        return sha256("".join(parts).encode()).hexdigest()

    def procedures_differing(self, other: Limits) -> set[str] | None:
        """Codes of the procedures whose dossiers may come out differently under the other catalogue; None: any may."""
        if self._common != other._common:
            return None
        mine, theirs = self._by_procedure, other._by_procedure
        return {code for code in mine.keys() | theirs.keys() if mine.get(code) != theirs.get(code)}

    @cached_property
    def _common(self) -> list[str]:
        models = (self.default_policy, *self.clock_starts)
        return [json.dumps(model.model_dump(mode="json"), sort_keys=True) for model in models]

    @cached_property
    def _by_procedure(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for limit in self.limits:
            found.setdefault(limit.procedure_code, []).append(limit.fingerprint())
        return {code: sorted(prints) for code, prints in found.items()}

    def match(self, facts: pd.DataFrame, zone: str) -> npt.NDArray[np.int32]:
        """Position of each dossier's limit by its reception or postmark in a zone; -1 for none."""
        received, _ = wall(utc(facts["received_at"]), zone)
        postmarked, _ = wall(utc(facts["postmarked_at"]), zone)
        return self._index.match(facts, received, postmarked)

    @cached_property
    def _groups(self) -> tuple[npt.NDArray[np.int64], list[tuple[ClockPolicy, LimitUnit | None]]]:
        """A group number per limit (the last: no limit), and policy and unit of each group."""
        keys = [(self.policy(number), limit.unit) for number, limit in enumerate(self.limits)]
        keys.append((self.default_policy, None))
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return np.array([numbers[key] for key in keys], dtype=np.int64), list(numbers)

    def groups(self, limit: npt.NDArray[np.int32]) -> Iterator[tuple[ClockPolicy, LimitUnit | None, Rows]]:
        """Rows that are counted alike: policy, unit (None: no limit runs) and positions."""
        of_limit, keys = self._groups
        group = of_limit[limit]  # -1 is the last
        for number in np.unique(group):
            yield *keys[number], np.flatnonzero(group == number)

    @cached_property
    def amounts(self) -> npt.NDArray[np.float64]:
        """Amount of each limit, 0 where there is none."""
        return np.array([limit.amount or 0 for limit in self.limits], dtype=np.float64)

    @cached_property
    def extras(self) -> npt.NDArray[np.float64]:
        """Extra working days of each limit."""
        return np.array([limit.extra_working_days for limit in self.limits], dtype=np.float64)


def lawful_due(facts: pd.DataFrame, calendar: WorkCalendar, limits: Limits) -> pd.DataFrame:
    """When the law wants each dossier decided at the latest.

    Returns:
        a frame indexed like ``facts``: ``clock_started_at`` (when the clock first started; NaT without reception),
        ``due_lawful`` (NaT: no limit, an abolished procedure, the applicant is awaited, a wait is not known, or beyond the
        calendar) and ``limit`` (position in ``limits.limits``, -1: none).
    """
    limit = limits.match(facts, calendar.zone)
    events = event(limits.clock_starts, utc(facts["received_at"]), utc(facts["competent_received_at"]), calendar.zone)
    known, obliged = supplements(facts), obligations(facts)
    start, dues = (np.full(len(facts), NAT, dtype="datetime64[us]") for _ in range(2))
    for policy, unit, rows in limits.groups(limit):
        start[rows] = started(calendar, policy, events[rows])
        if unit is not None:
            count = Count(calendar, policy, unit, limits.amounts[limit[rows]], limits.extras[limit[rows]])
            stops = obliged.of(rows, len(facts)) if "financial_obligation" in policy.pauses else NONE
            if "supplement" in policy.pauses:
                mine = Supplements(
                    known.waits.of(rows, len(facts)), known.requested_before[rows], known.incomplete[rows]
                )
                dues[rows] = _MODELS[policy.clock_model](count, start[rows], stops, mine)
            else:
                dues[rows] = due(count, start[rows], stops)
    columns = {"clock_started_at": _column(start), "due_lawful": _column(dues), "limit": limit}
    return pd.DataFrame(columns, index=facts.index)


def _column(instants: Times) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(instants).tz_localize("UTC")


def _paused(count: Count, start: Times, stops: Waits, asked: Supplements) -> Times:
    """PAUSE: the waits are subtracted (index 766, item 2.1). A wait of unknown length leaves no instant."""
    dues = due(count, start, stops.with_others(asked.waits))
    return np.where(asked.requested_before | asked.incomplete, NAT, dues)


def _restarted(count: Count, start: Times, stops: Waits, asked: Supplements) -> Times:
    """RESTART: the whole limit runs anew from the completion (NĐ 61/2018 Art. 19.4); while waiting there is no instant.

    A request that comes at or after the due instant restarts nothing: the limit has run out by then.
    """
    dues = due(count, start, stops)
    anew = np.zeros(start.shape, dtype=np.bool_)
    for rows, requested, completed in asked.waits.ranks():
        counts = requested < dues[rows]
        anew[rows] = counts
        row = rows[counts]
        again = np.maximum(started(count.calendar, count.policy, completed[counts]), start[row])
        dues[row] = due(count.of(row), again, stops.of(row, start.size))
    # Whatever else was asked before it, the completion of the latest request settles the matter.
    return np.where((asked.requested_before | asked.incomplete) & ~anew, NAT, dues)


def _legacy(count: Count, start: Times, stops: Waits, asked: Supplements) -> Times:
    """LEGACY: the due instant moves on by each wait less one day; with a limit in hours the 8 hours of that day come back.

    So one provincial system computes ("old due + elapsed waiting − 1 day (+8 h)"); the reading of the bracket is ours.
    """
    dues = due(count, start, stops)
    day = 0.0 if count.unit == "working_hour" else count.policy.hours_per_day * 3600
    for rows, requested, completed in asked.waits.ranks():
        counts = requested < dues[rows]
        row = rows[counts]
        begun = np.maximum(requested[counts], start[row])
        ended = np.maximum(completed[counts], begun)
        within = bounds(count.calendar)
        waited = count.calendar.elapsed(within.within(begun), within.within(ended)) - day
        days = wall(ended, count.calendar.zone)[0] - wall(begun, count.calendar.zone)[0]
        over = np.maximum(np.where(np.isnat(days), 0, days.astype(np.int64)) - 1, 0)
        moved = lengthened(count.of(row), dues[row], np.maximum(np.nan_to_num(waited), 0), over)
        dues[row] = np.where(np.isnan(waited), NAT, moved)
    return np.where(asked.requested_before | asked.incomplete, NAT, dues)


_MODELS: Final = {"restart": _restarted, "pause": _paused, "legacy": _legacy}
