"""The calendars of all units together: the office at large, and the units that work otherwise.

Verdicts about a unit's dossiers are computed on that unit's calendar. Two such sets are compared day by day, so that
after a change only the dossiers whose days changed are judged again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_segments import Hours

_BRIDGED = 7
"""Changed days at most so many days apart are told as one range: a change of every Saturday is one change."""


@dataclass(frozen=True)
class Variant:
    """Units with a calendar of their own."""

    name: str
    codes: tuple[str, ...]
    calendar: WorkCalendar


@dataclass(frozen=True)
class Change:
    """Days on which units work otherwise in one set of calendars than in another.

    The first and the last day differ; days between may be alike in both.
    """

    codes: tuple[str, ...] | None
    """The units; None: every unit except ``but``, dossiers without unit included."""
    first_day: date
    last_day: date
    days: int
    """How many days of the range differ."""
    but: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calendars:
    """The calendar of the office at large and its variants, all of one zone."""

    default: WorkCalendar
    variants: tuple[Variant, ...] = ()

    def __post_init__(self) -> None:
        codes = [code for variant in self.variants for code in variant.codes]
        if len(set(codes)) < len(codes):
            twice = next(code for code in codes if codes.count(code) > 1)
            raise CalendarError(f"unit '{twice}' has two calendars; remove it from one of the two")
        if any(variant.calendar.zone != self.zone for variant in self.variants):
            raise CalendarError(f"calendars of one office have different zones; give all of them {self.zone}")

    @property
    def zone(self) -> str:
        """IANA name of the zone of all of them."""
        return self.default.zone

    @property
    def codes(self) -> tuple[str, ...]:
        """The units that are named in a variant."""
        return tuple(sorted(self._number))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over all definitions; without variants that of the default."""
        if not self.variants:
            return self.default.fingerprint
        named = sorted((sorted(variant.codes), variant.calendar.fingerprint) for variant in self.variants)
        canonical = json.dumps([self.default.fingerprint, named], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def of_unit(self, code: str | None) -> WorkCalendar:
        """The calendar of one unit; None and units not named have that of the office at large."""
        number = self._number.get(code, 0) if code is not None else 0
        return self._numbered[number]

    def partition(self, unit_codes: pd.Series) -> list[tuple[WorkCalendar, pd.Series]]:
        """The rows of each calendar as a boolean mask over the series' index; each row is in exactly one mask.

        Calendars without rows are left out, so of no rows the list is empty.
        """
        if not len(unit_codes):
            return []
        if not self.variants:
            return [(self.default, pd.Series(True, index=unit_codes.index))]
        if isinstance(unit_codes.dtype, pd.CategoricalDtype):
            positions = np.asarray(unit_codes.cat.codes)
            categories = unit_codes.cat.categories
        else:
            positions, categories = pd.factorize(unit_codes)
        # One more at the end, where position -1 (no unit) finds it.
        numbers = np.array([*(self._number.get(code, 0) for code in categories), 0], dtype=np.int32)[positions]
        present = np.bincount(numbers, minlength=len(self._numbered))
        return [
            (calendar, pd.Series(numbers == number, index=unit_codes.index))
            for number, calendar in enumerate(self._numbered)
            if present[number]
        ]

    def changes(self, other: Calendars) -> list[Change]:
        """On which days which units work otherwise in ``other``; empty when no verdict can differ.

        Each unit named in either set is told by its code; units that change alike are told together.
        """
        named = tuple(sorted({*self.codes, *other.codes}))
        alike: dict[tuple[WorkCalendar, WorkCalendar], list[str]] = {}
        for code in named:
            alike.setdefault((self.of_unit(code), other.of_unit(code)), []).append(code)
        found = [Change(None, *range_, but=named) for range_ in _differences(self.default, other.default)]
        for (before, after), codes in alike.items():
            found += [Change(tuple(codes), *range_) for range_ in _differences(before, after)]
        return found

    @cached_property
    def _number(self) -> dict[str, int]:
        return {code: number for number, one in enumerate(self.variants, start=1) for code in one.codes}

    @cached_property
    def _numbered(self) -> tuple[WorkCalendar, ...]:
        return (self.default, *(variant.calendar for variant in self.variants))


def _differences(before: WorkCalendar, after: WorkCalendar) -> list[tuple[date, date, int]]:
    """Ranges of days with other hours: first day, last day, how many of them differ."""
    if before == after:
        return []
    first = before.horizon[0]
    if before.zone != after.zone or before.horizon != after.horizon:
        days = np.array([0, (before.horizon[1] - first).days - 1])
        return [(first, before.horizon[1] - timedelta(days=1), int(days[-1]) + 1)]
    hours: dict[Hours, int] = {(): 0}
    old, new = (_numbers(calendar, hours) for calendar in (before, after))
    return [
        (first + timedelta(days=int(run[0])), first + timedelta(days=int(run[-1])), int(run.size))
        for run in _runs(np.flatnonzero(old != new), (old != 0) | (new != 0))
    ]


def _numbers(calendar: WorkCalendar, known: dict[Hours, int]) -> npt.NDArray[np.int64]:
    """A number for the hours of each day of the horizon, the same for the same working time; 0 for none."""
    hours, which = calendar.daily_hours
    numbers = np.array([known.setdefault(_joined(one), len(known)) for one in hours], dtype=np.int64)
    return numbers[which]


def _joined(hours: Hours) -> Hours:
    """Hours with intervals that touch made one."""
    joined: list[tuple[int, int]] = []
    for opening, closing in hours:
        if joined and joined[-1][1] == opening:
            joined[-1] = (joined[-1][0], closing)
        else:
            joined.append((opening, closing))
    return tuple(joined)


def _runs(days: npt.NDArray[np.int64], worked: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.int64]]:
    """Days in groups; neighbours are a few days apart, or have nothing but rest between them."""
    if not days.size:
        return []
    until = np.concatenate([[0], np.cumsum(worked)])
    apart = (np.diff(days) > _BRIDGED) & (until[days[1:]] > until[days[:-1] + 1])
    return np.split(days, np.flatnonzero(apart) + 1)
