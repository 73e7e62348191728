"""Made-up dossiers that look like a province's: what the rules of all packs have to do with.

Each unit receives nine dossiers on each of 370 working days, numbered by unit and day, so a million are of 301 units;
2,000 procedures have limits. About 95 % have ended, 7 % late; 10 % were sent back for supplements. Every second page is of
a source that fills the optional columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from connectors.base import ConnectorOptions, Cursor, Page
from rules.clock_rules import load_clock_starts
from rules.grounds import Grounds
from rules.loader import load_packs
from rules.model import Rule
from tests.benchmarks.bench_store import NOW, PAGE
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.records import OBSERVED_SCHEMA, OPTIONAL_COLUMNS, Batch, conform
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.settings import RulesSettings, TimeLimitSettings, shipped_calendar

DAYS = 370
A_DAY = 9
PROCEDURES = 2_000
HOUR = 3_600_000_000
WORKDAY = 7.5 * 3600

Array = np.ndarray[Any, np.dtype[Any]]


@cache
def spec() -> CalendarSpec:
    return validate(CalendarSpec, shipped_calendar("vn"))


@cache
def calendar() -> WorkCalendar:
    return spec().compile()


@cache
def limits() -> Limits:
    """One limit a procedure: most in working days, some in calendar days or working hours."""
    found = [
        TimeLimit(procedure_code=_procedure(n), amount=_days(n), unit="working_day", legal_basis="made up")
        if n % 5
        else TimeLimit(procedure_code=_procedure(n), amount=2 * _days(n), unit="calendar_day", legal_basis="made up")
        for n in range(PROCEDURES)
    ]
    return Limits(found, ClockPolicy(), load_clock_starts(TimeLimitSettings().clock_starts, Path()))


@cache
def rules() -> tuple[Rule, ...]:
    return load_packs(RulesSettings().packs, Path())


def grounds(**changes: Any) -> Grounds:
    """All packs shipped, the calendar shipped, and the limits above."""
    held = {"rules": rules(), "calendar": spec(), "limits": limits()}
    return Grounds(**{**held, **changes})


def unit(number: int) -> str:
    return f"H99.{number + 1:04d}"


def units(total: int) -> int:
    """How many units so many dossiers are of: a store grows by units and years, not by the work of one day."""
    return -(-total // (DAYS * A_DAY))


def _days(procedure: Any) -> Any:
    """Working days that a procedure is promised in; a calendar limit is longer by a margin."""
    return 1 + procedure % 20


def _procedure(number: int) -> str:
    return f"1.{number + 10_000:06d}"


@cache
def _workdays() -> Array:
    """The working days before today, oldest first."""
    days = np.arange(np.datetime64(NOW.date() - timedelta(days=700)), np.datetime64(NOW.date()))
    return np.asarray(days[calendar().is_workday(days)][-DAYS:])


def page(first: int, rows: int, total: int, *, rich: bool) -> pl.DataFrame:
    """Records ``first`` to ``first + rows`` of ``total``."""
    rng = np.random.default_rng(first)
    number = np.arange(first, first + rows)
    count = units(total)
    day = DAYS - 1 - (total - 1 - number) // (count * A_DAY)
    whose, serial = number // A_DAY % count, number % A_DAY + 1
    serial += np.where(serial == A_DAY, rng.choice([0, 4], rows, p=[0.97, 0.03]), 0)
    # A tenth are filed by few applicants, each for one procedure.
    regular = rng.random(rows) < 0.1
    applicant = np.where(regular, rng.integers(0, max(1, total // 40), rows), rng.integers(10**7, 10**9, rows))
    procedure = np.where(regular, applicant * 7_919 % PROCEDURES, rng.integers(0, PROCEDURES, rows))
    times = _Times(rng, _workdays()[day], _days(procedure))
    columns: dict[str, Any] = {
        "source_key": pl.Series(number).cast(pl.String),
        "code": pl.DataFrame({"u": whose, "d": _workdays()[day].astype("datetime64[us]"), "s": serial}).select(
            pl.format(
                "H99.{}-{}-{}",
                (pl.col("u") + 1).cast(pl.String).str.zfill(4),
                pl.col("d").dt.to_string("%y%m%d"),
                pl.col("s").cast(pl.String).str.zfill(4),
            )
        ).to_series(),
        "kind": np.where(rng.random(rows) < 0.03, "petition", "dossier"),
        "procedure_code": _named(_procedure, procedure, PROCEDURES),
        "sector_code": _named(lambda n: f"L{n:02d}", procedure % 40, 40),
        "unit_code": _named(unit, whose, count),
        "receiving_unit_code": _named(lambda n: f"H99.{n:02d}.MC", whose % 60, 60),
        "channel": rng.choice(["online", "direct", "postal", "kiosk"], rows, p=[0.55, 0.4, 0.03, 0.02]),
        **times.claimed(),
        "source_status": "as the source says",
        "supplement_count": np.where(times.asked, 1 + (rng.random(rows) < 0.05), 0),
        "source_verdict": np.where(times.late ^ (rng.random(rows) < 0.02), "late", "on_time"),
    }  # fmt: skip
    if rich:
        columns |= {"applicant_hash": pl.Series(applicant).hash().cast(pl.String), **times.optional(),
            "step_unit_code": columns["unit_code"],
            "steps_done": rng.integers(1, 8, rows),
            "reappointment_count": (rng.random(rows) < 0.02).astype(np.int16),
            "consulted_unit_code": _named(unit, (whose + 7) % count, count, rng.random(rows) < 0.05)
        }  # fmt: skip
    frame = pl.DataFrame({name: _series(values) for name, values in columns.items() if np.ndim(values)})
    others = [pl.lit(value).alias(name) for name, value in columns.items() if not np.ndim(value)]
    return conform(frame.with_columns(others).select(name for name in OBSERVED_SCHEMA if name in columns))


class _Times:
    """The instants of dossiers received on given days, in the order of life; NaT where there is none."""

    def __init__(self, rng: np.random.Generator, days: Array, promised_days: Array) -> None:
        self.rng, rows = rng, len(days)
        opening = calendar().next_working(days.astype("datetime64[us]") - np.timedelta64(7, "h"))
        self.received = calendar().add(opening, rng.integers(1, 27_000, rows).astype(np.float64))
        promised = (promised_days + (rng.random(rows) < 0.02)) * WORKDAY
        used = promised * np.where(rng.random(rows) < 0.07, rng.uniform(1, 1.6, rows), rng.beta(2, 3, rows))
        self.asked = rng.random(rows) < 0.1
        self.requested = self._some(self.asked, self._later(self.received, 0.3 * used))
        waited = np.where(self.asked, rng.integers(1, 10, rows) * WORKDAY, 0.0)
        self.answered = self._some(self.asked, self._later(self.received, 0.3 * used + waited))
        self.due = self._later(self.received, promised + waited)
        ended = self._later(self.received, used + waited)
        now = np.datetime64(NOW.replace(tzinfo=None), "us")
        self.open = (ended > now) | (rng.random(rows) < 0.03)
        self.ended = self._some(~self.open, ended)
        self.answered[self.open & (self.answered > now)] = "NaT"
        self.requested[self.requested > now] = "NaT"
        self.late = self.ended > self.due

    def _later(self, since: Array, seconds: Array) -> Array:
        return calendar().add(since, np.round(seconds))

    def _some(self, where: Array, instants: Array) -> Array:
        return np.where(where, instants, np.datetime64("NaT"))

    def _share(self, share: float, instants: Array) -> Array:
        return self._some(self.rng.random(len(instants)) < share, instants)

    def _after(self, instants: Array, hours: float) -> Array:
        """Within so many hours after (before, when negative) the instants."""
        wait = self.rng.integers(0, round(abs(hours) * HOUR), len(instants)) * np.sign(hours)
        return np.asarray(instants + wait.astype("timedelta64[us]"))

    def claimed(self) -> dict[str, Array]:
        """What every source gives."""
        rng, rows = self.rng, len(self.received)
        waiting = self.open & ~np.isnat(self.requested) & np.isnat(self.answered)
        ended = rng.choice([10, 9, 8, 7, 3], rows, p=[0.8, 0.17, 0.01, 0.01, 0.01])
        return {
            "status": np.where(self.open, np.where(waiting, 5, 4), ended).astype(np.int16),
            "submitted_at": self._share(0.9, self._after(self.received, -9)),
            "received_at": self.received,
            "due_original": self.due,
            "due_current": self._share(0.99, self.due),
            "finished_at": self.ended,
            "delivered_at": self._after(self._share(0.8, self.ended), 70),
            "supplement_requested_at": self.requested,
            "supplement_completed_at": self.answered,
        }

    def optional(self) -> dict[str, Array]:
        """What some sources give besides."""
        handed_on = self._after(self._share(0.9, self.received), 6)
        consulted = self._share(0.05, handed_on)
        return {
            "postmarked_at": self._after(self._share(0.03, self.received), -70),
            "competent_received_at": self._after(self._share(0.05, self.received), 30),
            "transferred_at": handed_on,
            "result_at": self._after(self._share(0.9, self.ended), -20),
            "published_at": self._after(self._share(0.02, self.ended), 90),
            "stop_requested_at": self._after(self._share(0.005, self.ended), -20),
            "apology_at": self._after(self._some(self.late, self._share(0.4, self.due)), -30),
            "obligation_requested_at": self._after(self._share(0.03, handed_on), 20),
            "obligation_completed_at": self._after(self._share(0.03, self.ended), -20),
            "step_started_at": handed_on,
            "step_due_at": self._after(self.due, -24),
            "consulted_at": consulted,
            "consulted_due_at": self._after(consulted, 72),
            "consulted_answered_at": self._after(consulted, 90),
            "first_step_at": handed_on,
            "last_step_at": self._after(self.ended, -2),
        }


def _named(name: Any, numbers: Array, count: int, where: Array | None = None) -> pl.Series:
    names = pl.Series([name(number) for number in range(count)])
    series = names.gather(pl.Series(numbers))
    return series if where is None else pl.select(pl.when(pl.Series(where)).then(series)).to_series()


def _series(values: Any) -> pl.Series:
    series = values if isinstance(values, pl.Series) else pl.Series(np.asarray(values))
    if isinstance(series.dtype, pl.Datetime):
        return series.dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return series


class Plausible:
    """A connector that gives every second page of the dossiers above."""

    Options = ConnectorOptions

    def __init__(self, total: int, *, rich: bool) -> None:
        self.total, self.rich = total, rich

    @property
    def provides(self) -> frozenset[str]:
        return frozenset({*OBSERVED_SCHEMA} if self.rich else {*OBSERVED_SCHEMA} - {*OPTIONAL_COLUMNS})

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for first in range(0 if self.rich else PAGE, self.total, 2 * PAGE):
            yield Page((first, min(PAGE, self.total - first)), "made up")

    def normalise(self, given: Page) -> Batch:
        records = page(*given.content, self.total, rich=self.rich)
        return Batch(records, (), records.height)

    def check(self) -> list[str]:
        return []


class Changed(Plausible):
    """A connector that gives some dossiers of the rich source again, from all over the year, with their promise moved.

    Every pull moves it again.
    """

    def __init__(self, total: int, rows: int) -> None:
        super().__init__(total, rich=True)
        firsts = range(0, total, 2 * PAGE)
        each = -(-rows // len(firsts))
        found = [page(first, min(PAGE, total - first), total, rich=True).head(each) for first in firsts]
        self.records, self.moves = pl.concat(found).head(rows), 0

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        self.moves += 1
        yield Page(self.moves, "made up")

    def normalise(self, given: Page) -> Batch:
        moved = self.records.with_columns(pl.col("due_current") + pl.duration(hours=given.content))
        return Batch(moved, (), moved.height)
