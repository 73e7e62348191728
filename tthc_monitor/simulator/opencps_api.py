"""Answers of the simulated system in the shape of the OpenCPS v2 interface, its quirks included.

Dates as local texts, an empty text for null, numeric-looking texts as numbers, a list of one as the thing itself, an
empty list left out, silent default filters, text searches that find too much. Personal fields are present with
plainly fake values, so that whoever reads them can prove that none is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tthc_monitor.simulator.catalogue import GROUP_ID, STEPS
from tthc_monitor.simulator.office_hours import ZONE
from tthc_monitor.simulator.scripts import Dossier, Event

FAKE_MARKS: Final = ("GIẢ", "gia-dinh", "Không Có Thật", "888888", "977777", "bí mật")
"""Every fake personal value contains one of these; none may ever be found outside the answers."""

_NUMBER: Final = re.compile(r"-?(\d+|\d+\.\d+)")
_RELATED: Final = {"cancelling": {"cancelled"}, "waiting": {"correcting"}, "processing": {"interoperating"}}


@dataclass(frozen=True)
class Writing:
    """How the server writes: its clock and zone off by so much, and JSON with its quirks or without."""

    clock_skew: timedelta = timedelta(0)
    zone_shift: timedelta = timedelta(0)
    is_plain: bool = False

    def local(self, moment: datetime) -> datetime:
        """An instant as the server's local time."""
        return moment.astimezone(ZONE) + self.clock_skew + self.zone_shift

    def text(self, moment: datetime | None) -> str:
        """A local time, an empty text for none."""
        return "" if moment is None else f"{self.local(moment):%d/%m/%Y %H:%M:%S}"

    def milliseconds(self, moment: datetime) -> int:
        """An instant of a history."""
        return int((moment + self.clock_skew).timestamp()) * 1_000

    def fields(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """An object as it is written."""
        return dict(found) if self.is_plain else {name: coerce(value) for name, value in found.items()}

    def many(self, items: list[dict[str, Any]]) -> Any:
        """A list, or of one the thing itself."""
        return items[0] if len(items) == 1 and not self.is_plain else items


AS_IT_IS: Final = Writing()


def coerce(value: Any) -> Any:
    """What the server's JSON writer makes of a value: texts that look like numbers or booleans become such."""
    if isinstance(value, str):
        if value in ("true", "false"):
            return value == "true"
        if _NUMBER.fullmatch(value):
            return float(value) if "." in value else int(value)
    return value


def listing(rows: Iterable[Mapping[str, Any]], total: int, writing: Writing = AS_IT_IS) -> dict[str, Any]:
    """The envelope of a list: ``data`` is absent when empty and an object when it holds one row."""
    data = [writing.fields(row) for row in rows]
    if not data and not writing.is_plain:
        return {"total": total}
    return {"total": total, "data": writing.many(data)}


def row(dossier: Dossier, now: datetime, writing: Writing = AS_IT_IS) -> dict[str, Any]:
    """One dossier as the list gives it."""
    script, text = dossier.script, writing.text
    found: dict[str, Any] = {
        "dossierId": script.dossier_id,
        "dossierIdCTN": str(script.dossier_id),
        "referenceUid": script.reference,
        "groupId": GROUP_ID,
        "createDate": text(script.created_at),
        "modifiedDate": "",
        "serviceCode": script.procedure.code,
        "serviceName": script.procedure.name,
        "govAgencyCode": script.unit.code,
        "govAgencyName": script.unit.name,
        "domainCode": script.procedure.sector_code,
        "domainName": script.procedure.sector_name,
        "dossierNo": "" if dossier.received_at is None else script.code,
        "submitDate": text(script.submitted_at),
        "receiveDate": text(dossier.received_at),
        "dueDate": text(dossier.due_at),
        "extendDate": text(dossier.extended_to),
        "releaseDate": text(dossier.released_at),
        "finishDate": text(dossier.finished_at),
        "cancellingDate": "",
        "correctingDate": "",
        "endorsementDate": "",
        "dossierStatus": dossier.status,
        "dossierStatusText": STEPS[dossier.step][1],
        "dossierSubStatus": "processing_1" if dossier.status == "processing" else "",
        "lockState": dossier.lock,
        "durationCount": float(script.procedure.days) if dossier.due_at else 0.0,
        "durationUnit": 0,
        "dossierOverdue": _opinion(dossier, now),
        "lastActionDate": text(dossier.last.at),
        "lastActionCode": dossier.last.action,
        "lastActionUser": f"Cán Bộ GIẢ {script.dossier_id % 40}",
        "stepCode": dossier.step,
        "stepName": STEPS[dossier.step][1],
        "online": "true" if script.online else "false",
        "originality": 2 if script.parent_id else 1 if script.online else 3,
        "originDossierId": script.parent_id,
        "systemId": script.system_id,
        "viaPostal": 2 if script.postal else 0,
        "metaData": "",
        "statusReg": 4,
    }
    if script.dossier_id % 17 == 0:
        del found["dossierIdCTN"], found["metaData"], found["cancellingDate"]
    return found | _person(script.applicant)


_NOT_IN_DETAIL: Final = ("domainCode", "domainName", "endorsementDate")


def detail(dossier: Dossier, now: datetime, writing: Writing = AS_IT_IS) -> dict[str, Any]:
    """One dossier asked for by its id: some fields of the list are missing, and its step is always late."""
    found = {name: value for name, value in row(dossier, now, writing).items() if name not in _NOT_IN_DETAIL}
    return writing.fields(found | {"stepOverdue": "true"})


def _person(number: int) -> dict[str, str]:
    identity = f"0888888{number:05d}" if number % 2 else f"888888{number:04d}"
    return {
        "applicantName": f"CÔNG DÂN GIẢ {number}",
        "applicantIdType": "citizen",
        "applicantIdNo": identity,
        "applicantIdDate": "01/01/2020 00:00:00",
        "address": f"Số {number} đường Không Có Thật",
        "contactName": f"CÔNG DÂN GIẢ {number}",
        "contactTelNo": f"0977777{number:04d}",
        "contactEmail": f"nguoi-gia-dinh-{number}@example.invalid",
        "delegateName": f"NGƯỜI ĐƯỢC ỦY QUYỀN GIẢ {number}",
        "delegateIdNo": identity,
        "delegateTelNo": f"0977777{number:04d}",
        "postalAddress": f"Số {number} đường Không Có Thật",
        "hasPassword": f"bí mật {number}",
    }


def _opinion(dossier: Dossier, now: datetime) -> str:
    """The source's own text on lateness; like the real one, not to be trusted."""
    if dossier.status in ("receiving", "denied"):
        return ""
    if dossier.lock == "PAUSE":
        return "Tạm dừng xử lý"
    if dossier.due_at is None:
        return "Sớm hạn" if dossier.released_at else ""
    if dossier.released_at is not None:
        return "Quá hạn" if dossier.released_at > dossier.due_at else "Đúng hạn"
    return "Quá 1 ngày" if now > dossier.due_at else "Còn 1 ngày"


def sequences(dossier: Dossier, writing: Writing = AS_IT_IS) -> dict[str, Any]:
    """The history of a dossier: moves grouped by the step they left, in epoch milliseconds."""
    groups: dict[str, list[Event]] = {}
    for move in dossier.moves:
        groups.setdefault(move.before or "100", []).append(move)
    data = [
        {
            "sequenceNo": step,
            "sequenceName": STEPS[step][1] if step in STEPS else "Nộp hồ sơ",
            "startDate": writing.milliseconds(moves[0].at),
            "assignUsers": {"userId": 40, "userName": "Cán Bộ GIẢ 40"},
            "actions": writing.many([_action(dossier, move, writing) for move in moves]),
        }
        for step, moves in groups.items()
    ]
    answer: dict[str, Any] = {"processNo": "QT-MAU", "durationCount": dossier.script.procedure.days, "total": len(data)}
    return answer | {"data": writing.many(data)}


def _action(dossier: Dossier, move: Event, writing: Writing) -> dict[str, Any]:
    fields = {
        "fromStepCode": move.before,
        "stepCode": move.step,
        "stepName": STEPS[move.step][1],
        "actionCode": move.action,
        "actionNote": f"Ghi chú GIẢ về công dân {dossier.script.applicant}",
        "actionUser": "Cán Bộ GIẢ 40",
        "createDate": writing.milliseconds(move.at),
        "dueDate": 0,
        "state": 0 if move is dossier.last else 1,
    }
    return writing.fields(fields)


def select(
    dossiers: list[Dossier], query: Mapping[str, str], writing: Writing = AS_IT_IS, *, strict: bool = False
) -> list[Dossier]:
    """The dossiers a question finds, by the real system's rules: day bounds, hidden defaults, soft statuses.

    ``strict`` finds only the statuses that were asked for.

    Raises:
        ValueError: a date is not dd/MM/yyyy.
    """
    systems = set(query.get("systemId", "0").split(","))
    tests: list[Callable[[Dossier], bool]] = [lambda one: str(one.script.system_id) in systems]
    if "originality" in query:
        kinds = set(query["originality"].split(","))
        tests.append(lambda one: ("2" if one.script.parent_id else "1" if one.script.online else "3") in kinds)
    else:
        tests.append(lambda one: one.script.parent_id == 0)
    if query.get("status"):
        asked = set(query["status"].split(","))
        soft = asked if strict else asked.union(*(_RELATED.get(status, set()) for status in asked))
        tests.append(lambda one: one.status in soft)
    if query.get("agency", "all") != "all":
        agencies = set(query["agency"].split(","))
        tests.append(lambda one: one.script.unit.code in agencies)
    for name, read in _DATE_FILTERS.items():
        if f"from{name}Date" in query or f"to{name}Date" in query:
            tests.append(_between(read, query.get(f"from{name}Date"), query.get(f"to{name}Date"), writing))
    if "fromFinishDate" in query:
        tests.append(lambda one: one.status == "done")
    return [one for one in dossiers if all(test(one) for test in tests)]


_DATE_FILTERS: Final[Mapping[str, Callable[[Dossier], datetime | None]]] = {
    "Receive": lambda one: one.received_at,
    "Release": lambda one: one.released_at,
    "Finish": lambda one: one.finished_at,
}


def _between(
    read: Callable[[Dossier], datetime | None], first: str | None, last: str | None, writing: Writing
) -> Callable[[Dossier], bool]:
    start = _day(first) if first else datetime.min.replace(tzinfo=ZONE)
    end = _day(last) + timedelta(days=1) if last else datetime.max.replace(tzinfo=ZONE)

    def test(one: Dossier) -> bool:
        moment = read(one)
        return moment is not None and start <= writing.local(moment) < end

    return test


def _day(value: str) -> datetime:
    return datetime.strptime(value, "%d/%m/%Y").replace(tzinfo=ZONE)
