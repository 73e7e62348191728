"""Observations read back by ranges, each with its content hash computed from its columns.

The server writes each row as the very text that is hashed (:mod:`tthc_monitor.store.canonical`), and
:mod:`tthc_monitor.store.verify_hashing` hashes it while the server writes the next. A thread of its own would wait for
the interpreter's lock at every row.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Final

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.store.canonical import DETAILS, FIELD, RECORD, canonical_columns
from tthc_monitor.store.chain import micros
from tthc_monitor.store.copy import copy_out
from tthc_monitor.store.database import raw_cursor
from tthc_monitor.store.verify_hashing import Reader, Rows

CHUNK: Final = 100_000
"""Observations that are read at a time."""


def read_rows(connection: Connection, first: int, last: int, version: int, seed: int) -> Rows:
    """The observations numbered ``first`` to ``last``, hashed as links of a version hash them."""
    reader = Reader(version, seed)
    statement = f"{_select(version)} WHERE o.observation_id BETWEEN {int(first)} AND {int(last)}"
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(f"COPY ({statement}) TO STDOUT (FORMAT text, DELIMITER '{FIELD}', NULL '')", reader)
    return reader.rows()


@cache
def _select(version: int) -> str:
    def value(name: str) -> str:
        return micros(f"o.{name}") if isinstance(OBSERVED_SCHEMA[name], pl.Datetime) else f"o.{name}"

    def by_name(name: str) -> str:
        # A text that holds what separates here comes out escaped, and is refused.
        text_of = f"translate(o.{name}, '{RECORD}', '{FIELD}')" if OBSERVED_SCHEMA[name] == pl.String() else value(name)
        return f"'{name}=' || ({text_of})"

    fixed, named = canonical_columns(version)
    border = [f"'{RECORD}'"]
    columns = [
        *("o.observation_id", "o.dossier_id", "encode(o.content_hash, 'hex')", "encode(o.details_hash, 'hex')"),
        *("o.source_id", micros("o.seen_at")),
        *border, *(f"o.{name}" for name in DETAILS),
        *border, *map(value, fixed),
        *border, f"concat_ws('{RECORD}', {', '.join(by_name(name) for name in named)})",
    ]  # fmt: skip
    return f"SELECT {', '.join(columns)} FROM tthc.observations o"


def label(connection: Connection, number: int) -> str:
    """An observation with its dossier, as people look for it."""
    found = connection.execute(
        text(
            "SELECT coalesce(code, nullif(source_key, ''), dossier_id::text) FROM tthc.observations "
            "WHERE observation_id = :number LIMIT 1"
        ),
        {"number": number},
    ).scalar_one_or_none()
    return f"observation {number}" if found is None else f"observation {number} (dossier {found})"


def count_observations(connection: Connection) -> int:
    """How many there are."""
    counted: int = connection.execute(text("SELECT count(*) FROM tthc.observations")).scalar_one()
    return counted


def strays(connection: Connection, first: int, last: int) -> tuple[int, int | None]:
    """How many observations have a number in a range where none should be, and the first."""
    found = connection.execute(
        text(
            "SELECT count(*), min(observation_id) FROM tthc.observations WHERE observation_id BETWEEN :first AND :last"
        ),
        {"first": first, "last": last},
    ).one()
    return found[0], found[1]


def events_between(connection: Connection, after: int, until: int) -> pl.DataFrame:
    """Events under links numbered from beyond ``after`` to ``until``, by link, dossier and event."""
    query = (
        "SELECT batch_id, dossier_id, event FROM tthc.ledger_events "
        f"WHERE batch_id > {int(after)} AND batch_id <= {int(until)}"
    )
    schema = {"batch_id": pl.Int64(), "dossier_id": pl.Int64(), "event": pl.String()}
    return copy_out(connection, query, schema).sort("batch_id", "dossier_id", "event")


def erased_by(connection: Connection, dossiers: Collection[int]) -> dict[int, int]:
    """The newest link that tells of each dossier that its details were erased."""
    found = connection.execute(
        text(
            "SELECT dossier_id, max(batch_id) FROM tthc.ledger_events "
            "WHERE event = 'erased' AND dossier_id = ANY(:dossiers) GROUP BY 1"
        ),
        {"dossiers": sorted(set(dossiers))},
    )
    return {row[0]: row[1] for row in found}
