"""The simulated province as a pure function of seed and time.

The dossiers of a working day are drawn from the seed and the date alone, so two worlds of one seed agree on every day
they share. A dossier's number holds the day of its reception and its place among the receptions of its unit that day
(TT 03/2025/TT-VPCP Art. 13.3); so that it is known once the dossier exists, days are drawn ahead. With a ``pace`` something also happens every few seconds after ``origin``, at any hour, for a demo that
visibly moves.
"""

from __future__ import annotations

import random
import threading
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from tthc_monitor.simulator.catalogue import UNITS, procedures_of
from tthc_monitor.simulator.office_hours import DAY_MINUTES, ZONE, OfficeTime, is_working
from tthc_monitor.simulator.scripts import PLOTS, Dossier, Event, Facts, Script, draw, state_at

HISTORY_DAYS: Final = 120
HORIZON_DAYS: Final = 800
LIVE_TICKS: Final = 5_000
"""A paced world returns to office hours after so many events."""

_BEFORE: Final = timedelta(days=60)
"""Dossiers filed so long before the history may be received in it: the longest a repeat filing waits, and holidays."""
_AHEAD: Final = timedelta(days=21)
"""What exists is received within so many days, holidays included."""

_FIRST_ID_DAY: Final = date(2020, 1, 1)
_ENDED: Final = frozenset({"135", "300", "310", "400", "405", "410"})


class World:
    """All dossiers of the province at any instant.

    ``origin``
        the instant (aware) the world is built around: its history reaches ``history_days`` days back from there.
    ``dossiers``
        about how many are received within those days.
    ``pace``
        mean seconds between live events after ``origin``; None for office hours only.
    """

    def __init__(
        self,
        seed: int,
        origin: datetime,
        *,
        dossiers: int = 1_500,
        pace: float | None = None,
        history_days: int = HISTORY_DAYS,
    ) -> None:
        if origin.tzinfo is None:
            raise ValueError("origin has no zone; give an aware instant")
        self.seed = seed
        self.origin = origin.astimezone(UTC).replace(microsecond=0)
        self.pace = pace
        today = origin.astimezone(ZONE).date()
        self._first_day = today - timedelta(days=history_days)
        first_drawn = self._first_day - _BEFORE
        self._office = OfficeTime(
            first_drawn - timedelta(days=1), (_BEFORE + _AHEAD).days + history_days + HORIZON_DAYS
        )
        self._per_day = dossiers / history_days * 7 / 5
        self._scripts: list[Script] = []
        self._timeline: list[tuple[datetime, int]] = []
        self._next_day = first_drawn
        self._position = 0
        self._states: dict[int, Dossier] = {}
        self._lock = threading.Lock()
        self._extend_to(today)
        if pace is not None:
            self._bring_to_life(pace)

    def dossiers_at(self, instant: datetime) -> list[Dossier]:
        """Every dossier that exists at an instant, oldest first; the same answer for the same instant, always."""
        with self._lock:
            self._extend_to(instant.astimezone(ZONE).date())
            position = bisect_right(self._timeline, (instant, len(self._scripts)))
            if position < self._position:
                self._position, self._states = 0, {}
            for number in {number for _, number in self._timeline[self._position : position]}:
                state = state_at(self._scripts[number], instant)
                if state is not None:
                    self._states[number] = state
            self._position = position
            return [self._states[number] for number in sorted(self._states)]

    def _extend_to(self, day: date) -> None:
        if day + _AHEAD < self._next_day:
            return
        while self._next_day <= day + _AHEAD:
            if is_working(self._next_day):
                drawn = self._draw_day(self._next_day)
                self._scripts.extend(script for script in drawn if _numbered_on(script) >= self._first_day)
            self._next_day += timedelta(days=1)
        self._index()

    def _index(self) -> None:
        self._scripts = _numbered(self._scripts)
        self._scripts.sort(key=lambda script: (script.created_at, script.dossier_id))
        self._timeline = sorted(
            (event.at, number) for number, script in enumerate(self._scripts) for event in script.events
        )
        self._position, self._states = 0, {}

    def _draw_day(self, day: date) -> list[Script]:
        rng = random.Random(f"{self.seed}/{day}")
        count = int(self._per_day) + (rng.random() < self._per_day % 1)
        start = self._office.start_of(day)
        minutes = sorted(rng.uniform(0, DAY_MINUTES - 1) for _ in range(count))
        scripts: list[Script] = []
        for number, minute in enumerate(minutes):
            script, plot = self._draw(day, number, start + minute, rng)
            scripts.append(script)
            if plot in ("returned", "withdrawn") and rng.random() < 0.4:
                scripts.append(self._file_again(script, start + minute, rng))
        return scripts

    def _file_again(self, script: Script, start: float, rng: random.Random) -> Script:
        """The same applicant asks for the same a few days after the first try ended."""
        later = start + (script.procedure.days + rng.uniform(1, 4)) * DAY_MINUTES
        facts = Facts(script.dossier_id + 500_000_000, script.unit, script.procedure, script.applicant, later)
        return draw(facts, "on_time", rng, self._office.instant)

    def _draw(self, day: date, number: int, start: float, rng: random.Random) -> tuple[Script, str]:
        unit = rng.choices(UNITS, weights=[3 if unit.level == "province" else 1 for unit in UNITS])[0]
        dossier_id = (day - _FIRST_ID_DAY).days * 10_000 + number
        facts = Facts(
            dossier_id=dossier_id,
            unit=unit,
            procedure=rng.choice(procedures_of(unit)),
            applicant=rng.randrange(4_000),
            start=start,
            parent_id=dossier_id - 1 if number and rng.random() < 0.01 else 0,
        )
        plot = rng.choices(list(PLOTS), weights=list(PLOTS.values()))[0]
        return draw(facts, plot, rng, self._office.instant), plot

    def _bring_to_life(self, pace: float) -> None:
        """Give every few seconds after the origin an event: a reception, or the end of something open."""
        rng = random.Random(f"{self.seed}/live/{int(self.origin.timestamp())}")
        waiting = [
            number
            for number, script in enumerate(self._scripts)
            if (state := state_at(script, self.origin)) is not None and state.step in ("200", "201", "202")
        ]
        rng.shuffle(waiting)
        waiting = waiting[: len(waiting) // 2]
        at = self.origin
        for tick in range(LIVE_TICKS):
            at += timedelta(seconds=max(1, round(rng.uniform(0.5, 1.5) * pace)))
            if tick % 3 == 2 and waiting:
                number = waiting.pop()
                self._scripts[number] = _ended_at(self._scripts[number], at)
            else:
                self._scripts.append(self._live(tick, at, pace, rng))
        self._index()

    def _live(self, tick: int, at: datetime, pace: float, rng: random.Random) -> Script:
        """A dossier received now and, mostly, finished within minutes; one in twelve was promised far too early."""
        day = at.astimezone(ZONE).date()
        script, _ = self._draw(day, 0, self._office.start_of(self._first_day), rng)
        serial = int(self.origin.timestamp()) % 100_000_000
        due = at + timedelta(days=script.procedure.days)
        if tick % 12 == 4:
            due = at + timedelta(seconds=max(20, 15 * pace))
        received = Event(at, "1100", "200", "", {"received_at": at, "due_at": due})
        done = at + timedelta(seconds=round(rng.uniform(30, 120) * pace))
        events = (received, Event(done, "1300", "300", "200", {"released_at": done}))
        return replace(
            script,
            dossier_id=(serial + 100_000_000) * 10_000 + tick,
            parent_id=0,
            submitted_at=at,
            events=events,
        )


def _ended_at(script: Script, at: datetime) -> Script:
    """The same dossier, released at an instant instead of whatever its script had after it."""
    kept = tuple(event for event in script.events if event.at < at)
    if kept[-1].step in _ENDED:
        return script
    return replace(script, events=(*kept, Event(at, "1300", "300", kept[-1].step, {"released_at": at, "lock": ""})))


def _numbered_on(script: Script) -> date:
    """The day whose number a dossier gets: that of its reception, of one never received that on which it came."""
    return (_received_at(script) or script.created_at).astimezone(ZONE).date()


def _received_at(script: Script) -> datetime | None:
    return next((event.at for event in script.events if "received_at" in event.sets), None)


def _numbered(scripts: list[Script]) -> list[Script]:
    """The scripts with their numbers: one series for each unit and day, in the order of reception, without gaps.

    A dossier that is never received has none.
    """
    found: list[Script] = []
    serials: Counter[tuple[str, date]] = Counter()
    for script in sorted(scripts, key=lambda one: (_received_at(one) or one.created_at, one.dossier_id)):
        if _received_at(script) is None:
            found.append(script)
            continue
        day = _numbered_on(script)
        serials[script.unit.code, day] += 1
        number = serials[script.unit.code, day]
        found.append(replace(script, code=f"{script.unit.code}-{day:%y%m%d}-{number:04d}"))
    return found
