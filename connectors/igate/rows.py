"""From a record of the search to the few fields that are kept of it. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors.cell_instants import BEYOND, EARLIEST
from connectors.rest.expressions import ExpressionError, Reads

VIETNAMESE: Final = 228
"""The languageId of a name in Vietnamese."""

DATES: Final = ("appliedDate", "acceptedDate", "appointmentDate", "dueDate", "completedDate", "returnedDate")


def flat(record: Any, known: Mapping[str, int], unit_codes: re.Pattern[str] | None, applicant: Reads | None) -> Any:
    """The kept fields under plain names; what is no record stays as it is, to be rejected.

    A record that the expression of the applicant does not fit becomes its :class:`ExpressionError`, a reject too.

    ``status`` is the number when it is in ``known`` (keys in lower case), else the name when that is, else the number.
    """
    if not isinstance(record, dict):
        return record
    procedure, status = _part(record.get("procedure")), _part(record.get("dossierStatus"))
    sector, agency = _part(procedure.get("sector")), _part(record.get("agency"))
    unit = _unit(agency, unit_codes)
    number, label = _text(status.get("id")), name_of(status)
    candidates = [item for item in (number, label) if item is not None]
    found: dict[str, Any] = {
        "code": record.get("code"),
        "procedure_code": procedure.get("code"),
        "procedure_name": name_of(procedure),
        "sector_code": sector.get("code"),
        "sector_name": name_of(sector),
        "unit_code": unit.get("code"),
        "unit_name": name_of(unit),
        "receiving_unit_code": agency.get("code"),
        "step_name": name_of(_task(record.get("currentTask"))),
        "status": next((item for item in candidates if item.lower() in known), next(iter(candidates), None)),
        "source_status": " ".join(candidates) or None,
    }
    found |= {name: record.get(name) for name in DATES}
    if applicant is not None:
        try:
            found["applicant"] = applicant(record)
        except ExpressionError as error:
            return error
    return found


def name_of(part: Mapping[str, Any]) -> str | None:
    """A ``name``: a text, or the Vietnamese one of a list of names by language, or the first of them."""
    name = part.get("name")
    if not isinstance(name, list):
        return _text(name)
    named = [item for item in name if isinstance(item, dict) and _text(item.get("name")) is not None]
    ours = [item for item in named if _text(item.get("languageId")) == str(VIETNAMESE)]
    return next((_text(item["name"]) for item in (*ours, *named)), None)


def instant_of(value: Any) -> datetime | None:
    """An instant as iGate writes it, in UTC; None when it is none, or of a year that no record may have."""
    try:
        found = datetime.fromisoformat(value)
        utc = found.astimezone(UTC) if found.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None
    return utc if utc is not None and EARLIEST <= utc.replace(tzinfo=None) < BEYOND else None


def _unit(agency: Mapping[str, Any], unit_codes: re.Pattern[str] | None) -> Mapping[str, Any]:
    if unit_codes is None:
        return agency
    line = _line(agency)
    return next((item for item in line if unit_codes.search(_text(item.get("code")) or "")), agency)


def _line(agency: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The agency, then what stands above it, as far as the record tells."""
    yield agency
    above = _part(agency.get("parent"))
    while above:
        yield above
        above = _part(above.get("parent"))
    ancestors = agency.get("ancestors")
    yield from (_part(item) for item in (ancestors if isinstance(ancestors, list) else [ancestors]))


def _task(value: Any) -> Mapping[str, Any]:
    """The current task: one object, or the first of a list."""
    return _part(value[0] if isinstance(value, list) and value else value)


def _part(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None
