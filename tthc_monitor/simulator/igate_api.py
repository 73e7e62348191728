"""Answers of the simulated iGate in the shape of the real search, its quirks included.

Dates in two forms, a name as a text or as a list by language, a current task as a list or as one object, appointments
that are a day written as an instant. Numbers of statuses and codes of desks are invented. Personal fields are present
with plainly fake values, so that whoever reads them can prove that none is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tthc_monitor.simulator.catalogue import STEPS
from tthc_monitor.simulator.office_hours import ZONE
from tthc_monitor.simulator.scripts import Dossier

STATUS_NUMBERS: Final[Mapping[str, int]] = {
    "receiving": 1,
    "processing": 2,
    "waiting": 3,
    "releasing": 4,
    "done": 5,
    "denied": 6,
    "unresolved": 7,
    "cancelled": 8,
    "paying": 20,
    "posting": 21,
}
"""The number of each status of the simulated province; another iGate has others."""

PROVINCE: Final = {"code": "H99", "name": "UBND tỉnh Mẫu"}


@dataclass(frozen=True)
class IgateWriting:
    """How instants are written: ``shift`` is added to what the offset beside it would make right."""

    shift: timedelta = timedelta(0)

    def instant(self, moment: datetime | None, utc: bool) -> str | None:
        """An instant with its offset, without a colon in it; in UTC or in local time."""
        if moment is None:
            return None
        local = (moment + self.shift).astimezone(UTC if utc else ZONE)
        return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def code_of(dossier: Dossier) -> str:
    """The dossier's number, given when it comes and never changed."""
    script = dossier.script
    return f"{script.unit.code}-{script.created_at.astimezone(ZONE):%y%m%d}-{script.dossier_id}"


def promised_day(dossier: Dossier) -> bool:
    """Whether the appointment of a dossier is a day, without time."""
    return dossier.script.dossier_id % 11 == 0


def promise(dossier: Dossier) -> datetime | None:
    """The appointment in force: the last one given, if it is later than the first."""
    moments = [moment for moment in (dossier.due_at, dossier.extended_to) if moment is not None]
    return max(moments, default=None) if dossier.due_at is not None else None


def at_desk(dossier: Dossier) -> bool:
    """Whether the agency of a dossier is the one-stop desk, and the unit that resolves it stands above."""
    return dossier.script.dossier_id % 3 == 0


def record(dossier: Dossier, writing: IgateWriting) -> dict[str, Any]:
    """One dossier as the search gives it."""
    script = dossier.script
    number = script.dossier_id
    utc = number % 2 == 0
    due = promise(dossier)
    if due is not None and promised_day(dossier):
        due = due.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        utc = True
    step = STEPS[dossier.step][1]
    task = {"id": f"{number}-{dossier.step}", "name": _named(step, number), "assignee": {"fullname": "Cán Bộ GIẢ 7"}}
    return {
        "id": f"{number:024x}",
        "code": code_of(dossier),
        "nationCode": None if number % 5 else code_of(dossier),
        "dossierStatus": {"id": STATUS_NUMBERS[dossier.status], "name": _named(step, number + 1)},
        "dossierTaskStatus": {"id": dossier.step, "name": _named(step, number)},
        "procedure": {
            "code": script.procedure.code,
            "name": _named(script.procedure.name, number // 2),
            "sector": {"code": script.procedure.sector_code, "name": _named(script.procedure.sector_name, number)},
        },
        "agency": _agency(dossier),
        "appliedDate": writing.instant(script.submitted_at, utc),
        "acceptedDate": writing.instant(dossier.received_at, utc),
        "appointmentDate": writing.instant(due, utc),
        "dueDate": writing.instant(dossier.due_at, utc),
        "completedDate": writing.instant(dossier.released_at, utc),
        "returnedDate": writing.instant(dossier.finished_at, utc),
        "processingTime": script.procedure.days,
        "processingTimeUnit": "d",
        "timesheet": {"name": "Ngày làm việc"},
        "currentTask": task if number % 4 else [task],
        "applicant": _person(script.applicant),
        "note": f"Ghi chú GIẢ về công dân {script.applicant}",
    }


def _agency(dossier: Dossier) -> dict[str, Any]:
    unit = dossier.script.unit
    own = {"code": unit.code, "name": _named(unit.name, dossier.script.dossier_id), "parent": PROVINCE}
    if not at_desk(dossier):
        return own | {"ancestors": [PROVINCE]}
    desk = {"code": f"MC-{unit.code}", "name": f"Bộ phận một cửa {unit.name}"}
    return desk | {"parent": own, "ancestors": [own, PROVINCE]}


def _named(text: str, number: int) -> Any:
    """A name in one of its two forms."""
    if number % 2:
        return text
    return [{"languageId": 46, "name": f"(en) {text}"}, {"languageId": 228, "name": text}]


def _person(number: int) -> dict[str, Any]:
    identity = f"0888888{number:05d}" if number % 2 else f"888888{number:04d}"
    return {
        "userId": f"gia-dinh-{number}",
        "data": {
            "fullname": f"CÔNG DÂN GIẢ {number}",
            "identityNumber": identity,
            "phoneNumber": f"0977777{number:04d}",
            "email": f"nguoi-gia-dinh-{number}@example.invalid",
            "address": f"Số {number} đường Không Có Thật",
        },
    }


_SORTS: Final[Mapping[str, Callable[[Dossier], datetime | None]]] = {
    "appliedDate": lambda one: one.script.submitted_at,
    "acceptedDate": lambda one: one.received_at,
    "appointmentDate": promise,
    "completedDate": lambda one: one.released_at,
}


def select(dossiers: list[Dossier], query: Mapping[str, str], skew: timedelta = timedelta(0)) -> list[Dossier]:
    """The dossiers that a question finds, in the order it wants; what has no such date comes first.

    ``skew`` is how far ahead the clock was that wrote their instants.

    Raises:
        ValueError: a filter or the order cannot be read.
    """
    found = dossiers
    if "dossier-status" in query:
        wanted = {int(number) for number in query["dossier-status"].split(",")}
        found = [one for one in found if STATUS_NUMBERS[one.status] in wanted]
    if "accepted-from" in query:
        first = _moment(query["accepted-from"]) - skew
        found = [one for one in found if one.received_at is not None and one.received_at >= first]
    if "accepted-to" in query:
        last = _moment(query["accepted-to"]) - skew
        found = [one for one in found if one.received_at is not None and one.received_at <= last]
    if "sort" in query:
        name, _, direction = query["sort"].partition(",")
        if name not in _SORTS or direction not in ("asc", "desc"):
            raise ValueError("unknown order")
        read = _SORTS[name]
        never = datetime.min.replace(tzinfo=UTC)
        found = sorted(found, key=lambda one: read(one) or never, reverse=direction == "desc")
    return found


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def answer(
    found: list[Dossier], query: Mapping[str, str], writing: IgateWriting, *, window: int, repeat_rows: bool
) -> dict[str, Any]:
    """A page of what was found, as Spring writes pages and slices; nothing behind ``window`` is ever listed.

    Raises:
        ValueError: page, size or spec cannot be read.
    """
    number, size, spec = int(query.get("page", "0")), int(query.get("size", "20")), query.get("spec", "slice")
    if number < 0 or not 1 <= size <= 1_000 or spec not in ("page", "slice"):
        raise ValueError("unknown page")
    listed = found[:window]
    start = max(0, number * size - (1 if repeat_rows and number else 0))
    page = listed[start : (number + 1) * size]
    last = (number + 1) * size >= len(listed)
    told: dict[str, Any] = {
        "content": [record(one, writing) for one in page],
        "pageable": {"pageNumber": number, "pageSize": size},
        "first": number == 0,
        "last": last,
        "number": number,
        "size": size,
        "numberOfElements": len(page),
        "empty": not page,
    }
    if spec == "page":
        told |= {"totalElements": len(found), "totalPages": -(-len(found) // size)}
    return told
