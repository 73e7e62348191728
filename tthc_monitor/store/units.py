"""The register of units in the database: read as of any instant, changed by imports that keep what was known before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.unit_successors import rows_now
from tthc_monitor.domain.units import Succession, UnitRegister, UnitVersion
from tthc_monitor.store.copy import copy_in

_BELIEVED = "known_from <= coalesce(:at, 'infinity'::timestamptz) AND (known_to IS NULL OR known_to > :at)"
_VERSION_SCHEMA = {
    "unit_code": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
    "parent_code": pl.String(),
    "valid_from": pl.Date(),
    "valid_to": pl.Date(),
    "known_from": pl.String(),
}
_SUCCESSION_SCHEMA = {
    "from_code": pl.String(),
    "to_code": pl.String(),
    "succeeds_on": pl.Date(),
    "share": pl.Float64(),
    "sector_codes": pl.String(),
    "procedure_codes": pl.String(),
    "document": pl.String(),
    "known_from": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """How many entries an import opened, and how many it closed since they are known better now."""

    versions_opened: int
    versions_closed: int
    successions_opened: int
    successions_closed: int

    @property
    def nothing(self) -> bool:
        """Whether all was known already."""
        return not (self.versions_opened or self.versions_closed or self.successions_opened or self.successions_closed)


def read_register(connection: Connection, known_at: datetime | None = None) -> UnitRegister:
    """What is known of units, or was known at an instant."""
    versions = connection.execute(
        text(
            "SELECT unit_code, name, kind, parent_code, valid_from, valid_to FROM tthc.unit_versions "
            f"WHERE {_BELIEVED} ORDER BY unit_code, valid_from NULLS FIRST"
        ),
        {"at": known_at},
    )
    successions = connection.execute(
        text(
            "SELECT from_code, to_code, succeeds_on, document, share, sector_codes, procedure_codes "
            f"FROM tthc.unit_successions WHERE {_BELIEVED} ORDER BY from_code, succeeds_on, to_code"
        ),
        {"at": known_at},
    )
    return UnitRegister(
        [UnitVersion(*row) for row in versions],
        [
            Succession(
                one.from_code, one.to_code, one.succeeds_on, one.document, one.share, tuple(one[5]), tuple(one[6])
            )
            for one in successions
        ],
    )


def lock_register(connection: Connection) -> None:
    """Let no other import begin before this transaction ends; readers do not wait."""
    connection.execute(text("SELECT tthc.lock_for_import('unit_versions')"))


def difference(known: UnitRegister, wanted: UnitRegister) -> Imported:
    """What an import would open and close."""
    old, new = set(known.versions), set(wanted.versions)
    left, right = set(known.successions), set(wanted.successions)
    return Imported(len(new - old), len(old - new), len(right - left), len(left - right))


def save_register(
    connection: Connection,
    known: UnitRegister,
    wanted: UnitRegister,
    *,
    file: str,
    content: bytes,
    by: str,
    now: datetime,
) -> Imported:
    """Make ``wanted`` what is known from ``now`` on, in the caller's transaction; what is not in it is closed, not lost.

    Args:
        known: what :func:`read_register` gave in this transaction, after :func:`lock_register`.
        wanted: a sound register.
        file, content: where it comes from; the content's hash is kept.
        by: who imports it.
    """
    done = difference(known, wanted)
    if done.nothing:
        return done
    _close_versions(connection, set(known.versions) - set(wanted.versions), now)
    _close_successions(connection, set(known.successions) - set(wanted.successions), now)
    _open_versions(connection, set(wanted.versions) - set(known.versions), now)
    _open_successions(connection, set(wanted.successions) - set(known.successions), now)
    _store_answers(connection, wanted)
    connection.execute(
        text(
            "INSERT INTO tthc.unit_imports (imported_at, imported_by, file, file_hash, versions_opened, versions_closed, "
            "successions_opened, successions_closed) VALUES (:now, :by, :file, :hash, :vo, :vc, :so, :sc)"
        ),
        {
            "now": now,
            "by": by,
            "file": file,
            "hash": sha256(content).digest(),
            "vo": done.versions_opened,
            "vc": done.versions_closed,
            "so": done.successions_opened,
            "sc": done.successions_closed,
        },
    )
    return done


def undescribed_units(connection: Connection, register: UnitRegister) -> Sequence[str]:
    """Codes that sources name and the register does not know."""
    seen = connection.scalars(text("SELECT unit_code FROM audit.units ORDER BY unit_code"))
    return [code for code in seen if not register.versions_of(code)]


def _close_versions(connection: Connection, gone: Collection[UnitVersion], now: datetime) -> None:
    connection.execute(
        text(
            "UPDATE tthc.unit_versions v SET known_to = :now "
            "FROM unnest(CAST(:codes AS text[]), CAST(:days AS date[])) g (code, day) "
            "WHERE v.known_to IS NULL AND v.unit_code = g.code AND v.valid_from IS NOT DISTINCT FROM g.day"
        ),
        {"now": now, "codes": [one.unit_code for one in gone], "days": [one.valid_from for one in gone]},
    )


def _close_successions(connection: Connection, gone: Collection[Succession], now: datetime) -> None:
    # Array elements of a row type cannot travel as parameters; one text tells apart what one day's pair may have twice.
    connection.execute(
        text(
            "UPDATE tthc.unit_successions s SET known_to = :now "
            "FROM unnest(CAST(:froms AS text[]), CAST(:tos AS text[]), CAST(:days AS date[]), CAST(:documents AS text[]), "
            "CAST(:shares AS double precision[]), CAST(:sectors AS text[]), CAST(:procedures AS text[])) "
            "g (from_code, to_code, day, document, share, sectors, procedures) "
            "WHERE s.known_to IS NULL AND s.from_code = g.from_code AND s.to_code = g.to_code AND s.succeeds_on = g.day "
            "AND s.document = g.document AND s.share IS NOT DISTINCT FROM g.share "
            "AND s.sector_codes = CAST(g.sectors AS text[]) AND s.procedure_codes = CAST(g.procedures AS text[])"
        ),
        {
            "now": now,
            "froms": [one.from_code for one in gone],
            "tos": [one.to_code for one in gone],
            "days": [one.on for one in gone],
            "documents": [one.document for one in gone],
            "shares": [one.share for one in gone],
            "sectors": [_array(one.sectors) for one in gone],
            "procedures": [_array(one.procedures) for one in gone],
        },
    )


def _open_versions(connection: Connection, new: Iterable[UnitVersion], now: datetime) -> None:
    rows: list[tuple[Any, ...]] = [
        (one.unit_code, one.name, one.kind, one.parent_code, one.valid_from, one.valid_to, now.isoformat())
        for one in new
    ]
    copy_in(connection, "tthc.unit_versions", pl.DataFrame(rows, schema=_VERSION_SCHEMA, orient="row"))


def _open_successions(connection: Connection, new: Iterable[Succession], now: datetime) -> None:
    rows: list[tuple[Any, ...]] = [
        (
            *(one.from_code, one.to_code, one.on, one.share),
            *(_array(one.sectors), _array(one.procedures), one.document, now.isoformat()),
        )
        for one in new
    ]
    copy_in(connection, "tthc.unit_successions", pl.DataFrame(rows, schema=_SUCCESSION_SCHEMA, orient="row"))


def _array(codes: Sequence[str]) -> str:
    """Codes as PostgreSQL writes an array of text."""
    quoted = (code.replace("\\", "\\\\").replace('"', '\\"') for code in codes)
    return "{" + ",".join(f'"{code}"' for code in quoted) + "}"


def _store_answers(connection: Connection, register: UnitRegister) -> None:
    connection.execute(text("DELETE FROM tthc.unit_successions_now"))
    rows: list[tuple[Any, ...]] = [
        (
            *(one.unit_code, one.sector_code, one.procedure_code),
            *(_day(one.named_from), _day(one.named_to), _day(one.at_from), _day(one.at_to)),
            *(one.answer.successor_code, one.answer.ambiguous),
        )
        for one in rows_now(register)
    ]
    names = ("unit_code", "sector_code", "procedure_code", "named_from", "named_to", "at_from", "at_to")
    schema = {**dict.fromkeys(names, pl.String()), "successor_code": pl.String(), "ambiguous": pl.Boolean()}
    copy_in(connection, "tthc.unit_successions_now", pl.DataFrame(rows, schema=schema, orient="row"))


def _day(day: date) -> str:
    return "-infinity" if day == date.min else "infinity" if day == date.max else day.isoformat()


def dissolved_units(connection: Connection, day: date) -> list[str]:
    """Units that the register knows, none of whose versions holds on that day: they are no more, or not yet."""
    query = text(
        "SELECT unit_code FROM tthc.unit_versions WHERE known_to IS NULL GROUP BY 1 "
        "HAVING NOT bool_or((valid_from IS NULL OR valid_from <= :day) AND (valid_to IS NULL OR valid_to > :day))"
    )
    return list(connection.execute(query, {"day": day}).scalars())
