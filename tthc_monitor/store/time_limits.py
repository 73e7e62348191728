"""The dated catalogue of time limits: what is in force, and how an import replaces it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.procedure_catalogue import Origin, SourcedLimit, office_first
from tthc_monitor.domain.time_limits import TimeLimit
from tthc_monitor.store.copy import copy_in

_TERMS: Final = tuple(TimeLimit.model_fields)
_HELD: Final = "known_from <= :at AND (known_to IS NULL OR known_to > :at)"
_GIVEN: Final[dict[str, pl.DataType]] = {
    "procedure_code": pl.String(), "channel": pl.String(), "unit_code": pl.String(), "amount": pl.Float64(),
    "unit": pl.String(), "extra_working_days": pl.Float64(), "abolished": pl.Boolean(), "policy": pl.String(),
    "legal_basis": pl.String(), "valid_from": pl.Date(), "valid_to": pl.Date(), "fingerprint": pl.String(),
    "source_text": pl.String(),
}  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """What an import did to the versions of a catalogue."""

    added: int
    closed: int
    unchanged: int


def load_limits(connection: Connection, as_of: datetime | None = None) -> list[TimeLimit]:
    """The limits in force in the catalogue, now or as they were held at an instant.

    Past, present and future ones by ``valid_from`` and ``valid_to``; an office's own take the portal's place for the time
    that they cover (:func:`tthc_monitor.domain.procedure_catalogue.office_first`).
    """
    return [limit for _, limit in _in_force(_held(connection, as_of, "true", {}))]


def limits_edition(connection: Connection) -> tuple[int, int]:
    """Another one after every change of the catalogue: limits are added, and closed once, and that is all."""
    counted = connection.execute(text("SELECT count(*), count(known_to) FROM tthc.time_limits")).one()
    return counted[0], counted[1]


def limits_of_procedure(connection: Connection, code: str) -> list[tuple[Origin, TimeLimit]]:
    """What :func:`load_limits` gives for one procedure, each with where it comes from."""
    return _in_force(_held(connection, None, "procedure_code = :code", {"code": code}))


def _in_force(held: Iterable[tuple[Origin, SourcedLimit]]) -> list[tuple[Origin, TimeLimit]]:
    found: dict[Origin, list[TimeLimit]] = {"office": [], "portal": []}
    for origin, item in held:
        found[origin].append(item.limit)
    number = len(found["office"])
    limits = office_first(found["office"], found["portal"])
    return [("office" if index < number else "portal", limit) for index, limit in enumerate(limits)]


def held_limits(connection: Connection, origin: Origin, scope: Collection[str]) -> list[SourcedLimit]:
    """The limits of one origin that are held for some procedures."""
    where = "origin = :origin AND procedure_code = ANY(:codes)"
    return [item for _, item in _held(connection, None, where, {"origin": origin, "codes": sorted(scope)})]


def _held(
    connection: Connection, as_of: datetime | None, where: str, parameters: Mapping[str, Any]
) -> Iterable[tuple[Origin, SourcedLimit]]:
    held = "known_to IS NULL" if as_of is None else _HELD
    query = (
        f"SELECT origin, source_text, {', '.join(_TERMS)} FROM tthc.time_limits WHERE {held} AND {where} "
        "ORDER BY procedure_code, limit_id"
    )
    for row in connection.execute(text(query), {**parameters, "at": as_of}).mappings():
        limit = TimeLimit.model_validate({name: row[name] for name in _TERMS})
        yield row["origin"], SourcedLimit(limit, row["source_text"])


def replace_limits(
    connection: Connection,
    limits: Sequence[SourcedLimit],
    scope: Collection[str],
    at: datetime,
    by: str,
    origin: Origin,
) -> Changes:
    """Make the limits those of one origin for the procedures in ``scope``; other procedures and origins stay.

    Limits no longer given are closed, new ones added. Committed by the caller.
    """
    # Two imports at once would each add what the other adds.
    connection.execute(text("SELECT tthc.lock_for_import('time_limits')"))
    columns = ", ".join(_GIVEN)
    connection.execute(
        text(f"CREATE TEMP TABLE given_limits ON COMMIT DROP AS SELECT {columns} FROM tthc.time_limits WITH NO DATA")
    )
    copy_in(connection, "given_limits", pl.DataFrame(_rows(limits), schema=_GIVEN, orient="row"))
    parameters = {"origin": origin, "codes": sorted(scope), "at": at, "by": by}
    closed = connection.execute(
        text(
            "UPDATE tthc.time_limits h SET known_to = :at WHERE h.known_to IS NULL AND h.origin = :origin "
            "AND h.procedure_code = ANY(:codes) "
            "AND NOT EXISTS (SELECT FROM given_limits n WHERE n.fingerprint = h.fingerprint)"
        ),
        parameters,
    ).rowcount
    added = connection.execute(
        text(
            f"INSERT INTO tthc.time_limits ({columns}, origin, known_from, imported_by) "
            f"SELECT DISTINCT ON (fingerprint) {columns}, :origin, :at, :by FROM given_limits n WHERE NOT EXISTS "
            "(SELECT FROM tthc.time_limits h "
            "WHERE h.known_to IS NULL AND h.origin = :origin AND h.fingerprint = n.fingerprint)"
        ),
        parameters,
    ).rowcount
    unchanged = len({item.limit.fingerprint() for item in limits}) - added
    connection.execute(text("DROP TABLE given_limits"))
    return Changes(added, closed, unchanged)


def _rows(limits: Sequence[SourcedLimit]) -> list[tuple[Any, ...]]:
    rows = []
    for item in limits:
        values = {name: getattr(item.limit, name) for name in _TERMS}
        policy = item.limit.policy
        values["policy"] = None if policy is None else json.dumps(policy.model_dump(mode="json"))
        values |= {"fingerprint": item.limit.fingerprint(), "source_text": item.source_text}
        rows.append(tuple(values[name] for name in _GIVEN))
    return rows
