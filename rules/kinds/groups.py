"""Signs that only dossiers beside one another show: closed in bulk, closed and filed again, gaps in the numbers.

As in :mod:`rules.kinds.integrity`, a finding is a sign to be checked, never an accusation. Each function gets whole
groups, named by the column ``group``; what it says of a dossier depends on its group alone, in whatever order.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds.deadlines import Days, end_of_workday, instants_of, local_clock
from rules.kinds.intervals import answerable, findings, first_known, later, utc
from rules.kinds.kind import Kind
from rules.kinds.seen import ended, for_good
from rules.model import Rule
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.worktime import WorkCalendar

_Ints = np.ndarray[Any, np.dtype[np.int64]]
_Bools = np.ndarray[Any, np.dtype[np.bool_]]
_DAY = np.timedelta64(1, "D")


class BulkClosing(Rule):
    """One unit ended many dossiers at once: ``min_count`` or more within ``within_minutes``, and ``times_expected`` times
    what its endings of that day, spread evenly over the hours worked, would bring. Flagged from the end, for good.

    ``only_period_end``: only on the last working day of a reporting period or later in it; ``period_ends`` are the 14th
    (NĐ 09/2019/NĐ-CP Art. 12) and the end of the calendar month. An end claimed as a day without a time does not count.
    """

    kind: Literal["bulk_closing"]
    min_count: Annotated[int, Field(ge=2, le=100_000)] = 20
    within_minutes: Annotated[float, Field(gt=0, le=120)] = 10
    times_expected: Annotated[float, Field(ge=1, le=1_000)] = 3
    only_period_end: bool = True
    period_ends: Annotated[tuple[Literal["day_14", "month"], ...], Field(min_length=1)] = ("day_14", "month")


class Refiled(Rule):
    """Closed without a result, and the same applicant filed for the same procedure again within ``within_working_days``:
    the closed one is flagged from the new filing, for good. Who filed more than ``max_filings`` times in all files
    regularly, and one more filing says nothing.
    """

    kind: Literal["refiled"]
    statuses: Annotated[tuple[Annotated[int, Field(ge=1, le=10)], ...], Field(min_length=1)] = (3, 7, 8)
    within_working_days: Annotated[int, Field(ge=0, le=400)] = 5
    max_filings: Annotated[int, Field(ge=2, le=100_000)] = 12


class NumberGap(Rule):
    """Serial numbers of a day are missing before this one: ``min_missing`` or more since the number before it, or since
    the first one. Flagged from the end of the ``settle_working_days``-th working day after that day, for good.

    More than ``max_missing`` are another way of numbering, and no gap. Only of days that we watched from the start (some
    dossier of the day was seen by the end of the next working day), and of which we have more numbers than are missing:
    else they are missing with us, not with the office. Dossiers out of the rule's scope have their numbers too.
    """

    kind: Literal["number_gap"]
    min_missing: Annotated[int, Field(ge=1, le=1_000_000)] = 3
    max_missing: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    settle_working_days: Annotated[int, Field(ge=0, le=400)] = 2


def bulk_closing(facts: pd.DataFrame, calendar: WorkCalendar, rule: BulkClosing) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 5: results entered to be counted in a period, not when the work was done."""
    place = np.flatnonzero(answerable(facts["ended_at"]))
    clock = local_clock(facts["ended_at"].iloc[place], calendar.zone)
    days = clock.astype("datetime64[D]")
    timed = clock != days
    if rule.only_period_end:
        timed &= _at_period_end(days, calendar, rule)
    place, days = place[timed], days[timed]
    ends, group = utc(facts["ended_at"].iloc[place]), facts["group"].to_numpy(np.int64)[place]
    order = np.lexsort((ends, group))
    place, days, ends, group = place[order], days[order], ends[order], group[order]

    _, number, size = _runs(_begins(group))
    worked = _worked_on(days, calendar)
    expected = np.divide(size * rule.within_minutes * 60, worked, out=np.zeros(len(place)), where=worked > 0)
    needed = np.maximum(rule.min_count, np.ceil(rule.times_expected * expected)).astype(np.int64)
    # A window begins at every dossier and holds as many as are needed; it counts when it is short enough.
    begin = np.flatnonzero(number + needed <= size)
    end = begin + needed[begin] - 1
    short = ends[end] - ends[begin] <= np.timedelta64(round(rule.within_minutes * 60_000_000), "us")
    with_next = _linked(begin[short], end[short], len(place))
    with_previous = np.roll(with_next, 1)
    burst_first, _, burst_size = _runs(~with_previous)
    flagged = with_next | with_previous
    some = facts.iloc[place[flagged]]
    from_place = burst_first[flagged]
    return findings(
        some,
        some["ended_at"].notna(),
        some["ended_at"],
        for_good(some),
        unit=some["unit_code"],
        burst_count=burst_size[flagged],
        burst_from=_instants(ends[from_place], some),
        burst_to=_instants(ends[from_place + burst_size[flagged] - 1], some),
        ended_that_day=size[flagged],
        due_at=some["due_current"],
    )


def refiled(facts: pd.DataFrame, calendar: WorkCalendar, rule: Refiled) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 11: supplements are asked for once; a new dossier has a new clock."""
    filed = first_known(facts["submitted_at"], facts["received_at"], facts["first_seen_at"])
    closed_at = first_known(facts["ended_at"], facts["end_seen_at"])
    closed = np.flatnonzero(facts["status"].isin(rule.statuses) & answerable(closed_at) & (filed < closed_at))
    filings = np.flatnonzero(filed.notna())
    # Closings and filings of a group in one order; at the same instant the closing comes first.
    place, is_filing = np.concatenate((closed, filings)), np.repeat([False, True], [len(closed), len(filings)])
    instant = np.concatenate((utc(closed_at)[closed], utc(filed)[filings]))
    group = facts["group"].to_numpy(np.int64)[place]
    order = np.lexsort((facts["dossier_id"].to_numpy(np.int64)[place], is_filing, instant, group))
    place, is_filing, instant, group = place[order], is_filing[order], instant[order], group[order]
    # The next filing after each event: from the end, the last one seen.
    coming = np.where(is_filing, np.arange(len(place)), len(place))
    coming = np.minimum.accumulate(coming[::-1])[::-1]
    closing = np.flatnonzero(~is_filing & (coming < len(place)))
    again = coming[closing]
    same = (group[again] == group[closing]) & (_filings(group, is_filing)[closing] <= rule.max_filings)
    closing, again = closing[same], again[same]

    some = facts.iloc[place[closing]]
    closed_then, again_at = _instants(instant[closing], some), _instants(instant[again], some)
    return findings(
        some,
        again_at < end_of_workday(calendar, closed_then, rule.within_working_days),
        again_at,
        for_good(some),
        closed_at=closed_then,
        status=some["status"],
        refiled_dossier_id=facts["dossier_id"].to_numpy(np.int64)[place[again]],
        refiled_at=again_at,
        due_at=some["due_current"],
    )


def number_gap(facts: pd.DataFrame, calendar: WorkCalendar, rule: NumberGap) -> pd.DataFrame:
    """TT 03/2025/TT-VPCP Art. 13.3: the serial is the number of the dossier received that day, counted from one."""
    place = np.flatnonzero((facts["number_serial"] >= 1) & facts["number_day"].notna())
    group, serial = facts["group"].to_numpy(np.int64)[place], facts["number_serial"].to_numpy(np.int64)[place]
    order = np.lexsort((serial, group))
    place, group, serial = place[order], group[order], serial[order]
    # Dossiers of one number, should there be several, follow the same one before them.
    begins = _begins(group, serial)
    numbers, whose = serial[begins], group[begins]
    before = np.where(_begins(whose), 0, np.roll(numbers, 1))
    missing = (numbers - before - 1)[np.cumsum(begins) - 1]
    gap = (missing >= rule.min_missing) & (missing <= rule.max_missing) & _dense(numbers, whose)[np.cumsum(begins) - 1]
    gap[gap] = _watched(facts.iloc[place], calendar)[gap]

    some, missing, serial = facts.iloc[place[gap]], missing[gap], serial[gap]
    settled = end_of_workday(calendar, _number_noon(some, calendar), rule.settle_working_days)
    return findings(
        some,
        settled.notna(),
        later(settled, first_known(some["received_at"], settled)),
        for_good(some),
        missing_count=missing,
        missing_from=serial - missing,
        missing_to=serial - 1,
        number_serial=serial,
        due_at=some["due_current"],
    )


def _dense(numbers: _Ints, whose: _Ints) -> _Bools:
    """Whether fewer numbers of the group are missing than are there, by its different numbers in order."""
    _, _, size = _runs(_begins(whose))
    last = np.flatnonzero(np.append(whose[1:] != whose[:-1], True))[np.cumsum(_begins(whose)) - 1]
    return np.asarray(numbers[last] - size < size)


def _watched(facts: pd.DataFrame, calendar: WorkCalendar) -> _Bools:
    """Whether some dossier of the group was seen by the end of the working day after the day of its numbers."""
    first_seen = facts.groupby("group")["first_seen_at"].transform("min")
    by = end_of_workday(calendar, _number_noon(facts, calendar), 1)
    return np.asarray(first_seen < by)


def _number_noon(facts: pd.DataFrame, calendar: WorkCalendar) -> pd.Series:
    # The day of a number is a local day, written as if it were UTC.
    noon: Any = utc(facts["number_day"]).astype("datetime64[D]") + np.timedelta64(12, "h")
    return instants_of(noon, calendar.zone, facts.index)


def _ended_without_time(facts: pd.DataFrame, calendar: WorkCalendar, rule: BulkClosing) -> pd.Series:
    """Ended on a day, and nobody says when."""
    clock = local_clock(facts["ended_at"], calendar.zone)
    return pd.Series(clock == clock.astype("datetime64[D]"), index=facts.index)


def _begins(*keys: _Ints) -> _Bools:
    """Where a run of equal keys begins, in rows put in order."""
    begins = np.zeros(len(keys[0]), dtype=np.bool_)
    begins[:1] = True
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return begins


def _runs(begins: _Bools) -> tuple[_Ints, _Ints, _Ints]:
    """Of each row: the first row of its run, its number in the run from 0, and the length of the run."""
    run = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)[run]
    return first, np.arange(len(begins)) - first, np.bincount(run)[run]


def _linked(begin: _Ints, end: _Ints, size: int) -> _Bools:
    """Which rows lie in one window together with the next row; window i goes from row begin[i] to row end[i]."""
    change = np.bincount(begin, minlength=size) - np.bincount(end, minlength=size)
    linked: _Bools = np.cumsum(change) > 0
    return linked


def _filings(group: _Ints, is_filing: _Bools) -> _Ints:
    """How many filings the group of each row has."""
    run = np.cumsum(_begins(group)) - 1
    return np.asarray(np.bincount(run, weights=is_filing)[run], dtype=np.int64)


def _at_period_end(days: Days, calendar: WorkCalendar, rule: BulkClosing) -> _Bools:
    """Which days have no working day after them in a reporting period."""
    unique, place = np.unique(days, return_inverse=True)
    months: Any = unique.astype("datetime64[M]")
    at_end = np.zeros(len(unique), dtype=np.bool_)
    for period_end in rule.period_ends:
        last = months.astype("datetime64[D]") + 13 * _DAY
        if period_end == "month":
            last = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - _DAY
        at_end |= (unique <= last) & (calendar.count_workdays(unique, last) == 0)
    return np.asarray(at_end[place])


def _worked_on(days: Days, calendar: WorkCalendar) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Working seconds of each local day."""
    unique, place = np.unique(days, return_inverse=True)
    index = pd.RangeIndex(len(unique))
    opens, closes = (instants_of(when, calendar.zone, index) for when in (unique, unique + _DAY))
    return np.asarray(calendar.elapsed(opens, closes)[place])


def _instants(values: Days, facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"), index=facts.index)


KINDS = {
    "bulk_closing": Kind(
        BulkClosing,
        bulk_closing,
        lambda facts, _: ended(facts),
        lambda facts, _: facts["ended_at"].notna(),
        unsure=_ended_without_time,
        groups="closing_day",
        smallest_group=lambda rule: int(rule.min_count),
        reads=frozenset({"unit_code", "ended_at", "due_current"}),
    ),
    "refiled": Kind(
        Refiled,
        refiled,
        lambda facts, rule: facts["status"].isin(rule.statuses) & ended(facts),
        lambda facts, _: provides(facts, "applicant_hash"),
        groups="filing",
        reads=frozenset(
            {"submitted_at", "received_at", "first_seen_at", "ended_at", "end_seen_at", "status", "due_current"}
        ),
    ),
    "number_gap": Kind(
        NumberGap,
        number_gap,
        told=lambda facts, _: (
            (facts["number_serial"] >= 1) & facts[["number_day", "first_seen_at"]].notna().all(axis=1)
        ),
        groups="number_day",
        smallest_group=lambda _rule: 1,
        findings_scoped=True,
        reads=frozenset({"number_day", "number_serial", "first_seen_at", "received_at", "ended_at", "due_current"}),
    ),
}
