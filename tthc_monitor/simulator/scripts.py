"""The script of one dossier: everything that will happen to it, drawn once, each event at its instant.

The state at an instant is what the events up to it leave behind, so the world needs no running process.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from tthc_monitor.simulator.catalogue import STEPS, Procedure, Unit
from tthc_monitor.simulator.office_hours import DAY_MINUTES


@dataclass(frozen=True)
class Event:
    """A move to a step; ``sets`` names the dates and flags of the dossier it changes."""

    at: datetime
    action: str
    step: str
    before: str
    sets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Script:
    """What never changes about a dossier, and its events in order. ``code`` is empty until it is numbered."""

    dossier_id: int
    reference: str
    code: str
    unit: Unit
    procedure: Procedure
    applicant: int
    online: bool
    postal: bool
    system_id: int
    parent_id: int
    submitted_at: datetime | None
    events: tuple[Event, ...]

    @property
    def created_at(self) -> datetime:
        """When the dossier first exists."""
        return self.events[0].at


@dataclass(frozen=True)
class Dossier:
    """A dossier at one instant: what the simulated system would answer then, and what is true."""

    script: Script
    status: str
    step: str
    last: Event
    moves: tuple[Event, ...]
    received_at: datetime | None = None
    due_at: datetime | None = None
    extended_to: datetime | None = None
    released_at: datetime | None = None
    finished_at: datetime | None = None
    lock: str = ""

    @property
    def supplement_requests(self) -> tuple[tuple[datetime, datetime | None], ...]:
        """Each request for supplements with its completion, if any."""
        found: list[tuple[datetime, datetime | None]] = []
        for move in self.moves:
            if move.step == "201":
                found.append((move.at, None))
            elif move.before == "201":
                found[-1] = (found[-1][0], move.at)
        return tuple(found)


def state_at(script: Script, instant: datetime) -> Dossier | None:
    """The dossier as of an instant, or None before it exists."""
    moves = tuple(event for event in script.events if event.at <= instant)
    if not moves:
        return None
    sets: dict[str, Any] = {}
    for move in moves:
        sets.update(move.sets)
    last = moves[-1]
    return replace(Dossier(script, STEPS[last.step][0], last.step, last, moves), **sets)


@dataclass(frozen=True)
class Facts:
    """What is drawn before the story: who, what, where, and the office minute at which it starts."""

    dossier_id: int
    unit: Unit
    procedure: Procedure
    applicant: int
    start: float
    parent_id: int = 0


PLOTS: Final[Mapping[str, float]] = {
    "on_time": 83.5,
    "late": 4.5,
    "stuck": 1.0,
    "supplement": 3.5,
    "supplement_twice": 0.8,
    "supplement_unanswered": 1.0,
    "returned": 1.7,
    "refused": 1.0,
    "withdrawn": 1.0,
    "reappointed": 1.2,
    "no_due_date": 0.4,
    "paying": 0.4,
}
"""Weights of the stories."""


def draw(facts: Facts, plot: str, rng: random.Random, instant: Callable[[float], datetime]) -> Script:
    """Write the script of a dossier along a plot; ``instant`` turns office minutes into instants."""
    online = rng.random() < 0.45 or plot == "refused"
    story = _Story(facts, rng, instant)
    submitted: float | None = facts.start
    received = facts.start
    if online:
        story.move(facts.start, "1000", "130")
        received = facts.start + rng.uniform(10, 300)
    elif rng.random() < 0.16:
        submitted = None
    if plot == "refused":
        story.move(received, "1150", "135", released_at=received, finished_at=received)
    else:
        story.unfold(plot, received)
    return Script(
        dossier_id=facts.dossier_id,
        reference=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        code="",
        unit=facts.unit,
        procedure=facts.procedure,
        applicant=facts.applicant,
        online=online,
        postal=not online and rng.random() < 0.06,
        system_id=5 if online and rng.random() < 0.5 else 0,
        parent_id=facts.parent_id,
        submitted_at=instant(submitted) if submitted is not None else None,
        events=tuple(story.events),
    )


class _Story:
    def __init__(self, facts: Facts, rng: random.Random, instant: Callable[[float], datetime]) -> None:
        self._limit = facts.procedure.days * DAY_MINUTES
        self._rng = rng
        self._instant = instant
        self._step = ""
        self.events: list[Event] = []

    def move(self, minute: float, action: str, step: str, **minutes: float | str | None) -> None:
        sets = {
            name: self._instant(value) if isinstance(value, int | float) else value for name, value in minutes.items()
        }
        self.events.append(Event(self._instant(minute), action, step, self._step, sets))
        self._step = step

    def _end_without_result(self, plot: str, received: float) -> None:
        end = received + self._limit * self._rng.uniform(0.2, 0.95)
        step, action = ("405", "1160") if plot == "returned" else ("410", "1170")
        self.move(end, action, step, released_at=end, finished_at=end)

    def unfold(self, plot: str, received: float) -> None:
        rng, limit = self._rng, self._limit
        due = received + limit
        promise = {} if plot == "no_due_date" else {"due_at": due}
        self.move(received, "1100", "200", received_at=received, **promise)
        if plot == "stuck":
            return
        if plot in ("returned", "withdrawn"):
            self._end_without_result(plot, received)
            return
        work = limit * rng.uniform(0.3, 0.97)
        paused = 0.0
        requests = {"supplement": 1, "supplement_twice": 2, "supplement_unanswered": 1}.get(plot, 0)
        for number in range(requests):
            asked = received + paused + work * (0.3 + 0.25 * number)
            self.move(asked, "1200", "201", lock="PAUSE")
            if plot == "supplement_unanswered":
                return
            gone = rng.uniform(0.5, 8) * DAY_MINUTES
            paused += gone
            due += gone
            self.move(asked + gone, "1210", "200", lock="", due_at=due)
        if plot == "paying":
            # The clock goes on: only the law of some sectors stops it for a payment.
            work, paused = work * 0.5, limit * rng.uniform(0.1, 0.5)
            asked = received + work * 0.5
            self.move(asked, "1220", "202")
            self.move(asked + paused, "1230", "200")
        end = received + paused + work
        if plot == "late":
            end = due + limit * rng.uniform(0.03, 1.2) + rng.uniform(5, 400)
        elif plot == "reappointed":
            self.move(due - limit * 0.1, "1240", "200", extended_to=due + limit * 0.6)
            end = due + limit * rng.uniform(0.1, 0.9)
        early: dict[str, float] = {"extended_to": end} if end < due - DAY_MINUTES and rng.random() < 0.1 else {}
        self.move(end, "1300", "300", released_at=end, **early)
        handed = end + rng.expovariate(1 / 300)
        if rng.random() < 0.05:
            self.move(handed, "1310", "310")
            handed += rng.uniform(1, 4) * DAY_MINUTES
        if rng.random() < 0.97:
            self.move(handed, "1400", "400", finished_at=handed)
