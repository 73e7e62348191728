"""The illustration register: at least one dossier for every rule, as an invented second one-stop system tells of them.

The register is a table that changes: :func:`stage` gives it as it stands at each instant at which it is looked at, so
that what only history tells comes about as it does in life. Pure, and the same for the same stories.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tthc_monitor.domain.procedure_catalogue import SourcedLimit
from tthc_monitor.domain.records import INSTANT_COLUMNS, RECORD_SCHEMA, SOURCE_VERDICTS
from tthc_monitor.domain.statuses import ENDED, Status
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.simulator.office_hours import ZONE
from tthc_monitor.simulator.stories import OTHER_UNIT, Member, Story, local

COLUMNS: Final = tuple(name for name in RECORD_SCHEMA if name not in ("kind", "source_status"))
"""Columns of the register: those of a record."""
UNMAPPED_STATUS: Final = "Chờ liên thông"
"""A status of the register that nobody mapped to a national one."""
SECTOR: Final = ("MH", "Minh họa")

_TWICE: Final = 2
_BETWEEN_MOVES: Final = timedelta(days=7)
_MONDAY: Final = 0
_LOOKED_AT_HOUR: Final = 7
_TEXTS: Final = ("channel",)
_OTHER_UNITS: Final = ("step_unit_code", "consulted_unit_code", "receiving_unit_code")
_AT_END: Final = frozenset({"finished_at", "result_at", "first_step_at", "last_step_at"})
Row = Mapping[str, str]


@dataclass(frozen=True)
class Scene:
    """The register as it stands at an instant: rows of dossiers, and rows of petitions."""

    at: datetime
    dossiers: Sequence[Row]
    petitions: Sequence[Row]


@dataclass(frozen=True)
class Stage:
    """All scenes in order, and the rules whose story was not over yet."""

    scenes: Sequence[Scene]
    left_out: Sequence[str]


def stage(stories: Sequence[Story], until: datetime) -> Stage:
    """The register at every instant at which it is looked at.

    Args:
        until: the present; a story with anything after it is left out whole, for nothing may be seen in the future.
    """
    told = [story for story in stories if _complete_at(story) <= until]
    members = [member for story in told for member in story.members()]
    looks = _looks(members, until)
    gone = {member.source_key: _gone_from(member, looks) for member in members}
    scenes = []
    for at in looks:
        listed = [
            member
            for member in members
            if member.shown_from <= at and not ((since := gone[member.source_key]) is not None and at >= since)
        ]
        dossiers, petitions = ([row(one, at) for one in listed if one.kind == kind] for kind in ("dossier", "petition"))
        scenes.append(Scene(at, dossiers, petitions))
    return Stage(scenes, [story.rule for story in stories if story not in told])


def row(member: Member, at: datetime) -> Row:
    """A dossier's row at an instant, an empty text for what the register does not tell."""
    story = member.story
    told = {
        "source_key": member.source_key,
        "code": member.code,
        "procedure_code": story.procedure_code,
        "procedure_name": story.procedure_name,
        "sector_code": SECTOR[0],
        "sector_name": SECTOR[1],
        "unit_code": story.unit_code,
        "unit_name": story.unit_name,
        "status": _status(member, at),
        **{name: str(member.facts[name]) for name in _TEXTS if name in member.facts},
        **{name: other_unit(member.facts[name]) for name in _OTHER_UNITS if name in member.facts},
        **_numbers(member, at),
        **{name: f"{instant.astimezone(ZONE).isoformat()}" for name, instant in _instants(member, at).items()},
    }
    if member.facts.get("source_verdict") and _over(member, at):
        told["source_verdict"] = SOURCE_VERDICTS[member.facts["source_verdict"] - 1]
    if story.groups == "filing":
        told["applicant_hash"] = f"minh-hoa-{story.number}"
    return {name: told.get(name, "") for name in COLUMNS}


def other_unit(code: str) -> str:
    """The invented unit in the place of one that a story names beside the resolving one."""
    return OTHER_UNIT.format(code[-1])


def time_limits(stories: Sequence[Story], calendar: WorkCalendar) -> list[SourcedLimit]:
    """Limits under which the law wants the dossiers decided when their stories say (``due_lawful``)."""
    found = []
    for story in stories:
        received, lawful = (local(story.dossiers[0].get(name)) for name in ("received_at", "due_lawful"))
        if received is None or lawful is None:
            continue
        first, last = (instant.astimezone(ZONE).date() for instant in (received, lawful))
        days = calendar.count_workdays(first, last)
        closing = calendar.previous_working(lawful + timedelta(hours=6)) == lawful
        limit = TimeLimit(
            procedure_code=story.procedure_code,
            amount=days if closing else calendar.elapsed(received, lawful) / 3600,
            unit="working_day" if closing else "working_hour",
            policy=ClockPolicy(working_day="end_of_day") if closing else None,
            legal_basis="Sổ minh họa (dữ liệu mô phỏng)",
        )
        found.append(SourcedLimit(limit))
    return found


def _complete_at(story: Story) -> datetime:
    return max(member.complete_at for member in story.members())


def _looks(members: Collection[Member], until: datetime) -> list[datetime]:
    looks = {look for member in members for look in member.looks()}
    looks |= {move for member in members for move, _ in _moves(member)}
    if not looks:
        return []
    last = max(looks | {member.complete_at for member in members})
    day = min(looks).astimezone(ZONE).replace(hour=_LOOKED_AT_HOUR, minute=0, second=0, microsecond=0)
    while day < last:
        day += timedelta(days=1)
        if day.weekday() == _MONDAY and day < last:
            looks.add(day.astimezone(UTC))
    return sorted(look for look in looks | {last} if look <= until)


def _gone_from(member: Member, looks: Sequence[datetime]) -> datetime | None:
    """The look before the one at which it counts as vanished: a dossier is missed twice before that."""
    vanished = member.seen("vanished_seen_at")
    return None if vanished is None else max(look for look in looks if look < vanished)


def _moves(member: Member) -> list[tuple[datetime, str]]:
    """When the promise moved, and the fact that held it before."""
    moved, moves = member.seen("due_moved_at"), member.facts.get("due_moves", 0)
    if moved is None or not moves:
        return []
    last = (moved, "due_previous")
    return [(moved - _BETWEEN_MOVES, "due_original"), last] if moves == _TWICE else [last]


def _instants(member: Member, at: datetime) -> dict[str, datetime]:
    """What the source claims at an instant: what has happened by then, and what is promised."""
    claims = {name: instant for name, instant in member.claims.items() if name in INSTANT_COLUMNS}
    if member.ended_at is not None:
        claims["finished_at"] = member.ended_at
    shown = {}
    for name, instant in claims.items():
        since = instant
        if name in _AT_END and member.end_shown_at is not None:
            since = member.end_shown_at
        elif name.startswith("due_") or name.endswith("_due_at"):
            since = member.shown_from
        if since <= at:
            shown[name] = instant
    held = next((fact for moved, fact in _moves(member) if at < moved), None)
    if held is not None and (promise := local(member.facts[held])) is not None:
        shown["due_current"] = promise
    for name in ("supplement_requested_at", "supplement_completed_at"):
        shown.pop(name, None)
    wait = next((wait for wait in reversed(member.waits) if wait[0] <= at), None)
    if wait is not None and not member.request_unknown:
        shown["supplement_requested_at"] = wait[0]
        if wait[1] is not None and wait[1] <= at:
            shown["supplement_completed_at"] = wait[1]
    return shown


def _numbers(member: Member, at: datetime) -> dict[str, str]:
    numbers = {}
    if "supplement_count" in member.facts:
        numbers["supplement_count"] = sum(asked <= at for asked, _ in member.waits)
    if "steps_done" in member.facts:
        numbers["steps_done"] = member.facts["steps_done"] if _over(member, at) else 0
    if "reappointment_count" in member.facts:
        numbers["reappointment_count"] = member.facts["reappointment_count"]
    return {name: str(number) for name, number in numbers.items()}


def _over(member: Member, at: datetime) -> bool:
    """Whether the source shows the end; of a dossier that goes on, whether it is there at all."""
    return member.end_shown_at is None or member.end_shown_at <= at


def _status(member: Member, at: datetime) -> str:
    final = member.facts.get("status", int(Status.PROCESSING))
    if final == 0:
        return UNMAPPED_STATUS
    waiting = any(asked <= at and answered is not None and at < answered for asked, answered in member.waits)
    if waiting:
        status = Status.SUPPLEMENT_REQUESTED
    elif (
        final == Status.SUPPLEMENT_REQUESTED
        and not any(asked <= at and not answered for asked, answered in member.waits)
    ) or (final in ENDED and not _over(member, at)):
        status = Status.PROCESSING
    else:
        status = Status(final)
    return status.label
