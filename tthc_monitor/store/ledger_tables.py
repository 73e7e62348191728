"""The tables of the ledger out to frames and in from them, whole and with their numbers as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.store.copy import copy_in, copy_out

PART: Final = 100_000
"""Rows of a part at most."""

_INTEGERS: Final = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class Table:
    """A table that goes with the ledger.

    ``key``
        the number by which it is read in parts; None: it is small, and read at once.
    ``left_out``
        columns that stay behind.
    """

    name: str
    key: str | None = None
    left_out: tuple[str, ...] = ()


TABLES: Final = (
    # Where a pull goes on from is known to the server that pulls; another one asks for everything anew.
    Table("sources", left_out=("cursor", "scope")),
    Table("pull_runs", "run_id"),
    Table("sectors"),
    Table("units"),
    Table("procedures"),
    Table("observation_batches", "batch_id"),
    Table("observations", "observation_id"),
    Table("ledger_events", "batch_id"),
    # What retention has erased must not come back as new; a database without retention has none of these.
    Table("erasures"),
    Table("erased", "dossier_id"),
)
"""What the ledger is, and what it cannot be read without, in an order in which each refers to earlier ones only."""

_MUST_BE_EMPTY: Final = ("sources", "pull_runs", "observation_batches", "observations", "ledger_events", "dossiers")
_NUMBERED: Final = (("sources", "source_id"), ("pull_runs", "run_id"), ("observation_batches", "batch_id"))


def columns(connection: Connection, table: Table) -> Mapping[str, pl.DataType]:
    """Columns of a table that go with it, in their order; what is neither number nor instant is text."""
    rows = connection.execute(
        text(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'tthc' AND table_name = :table ORDER BY ordinal_position"
        ),
        {"table": table.name},
    )
    return {name: _type(kind) for name, kind in rows if name not in table.left_out}


def _type(kind: str) -> pl.DataType:
    if kind in _INTEGERS:
        return pl.Int64()
    return pl.Datetime("us", "UTC") if kind == "timestamp with time zone" else pl.String()


def parts(connection: Connection, table: Table) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of a table in parts, each with the month (UTC) that all its rows were seen in, where it has one."""
    schema = columns(connection, table)
    if not schema:
        return
    select = f"SELECT {', '.join(schema)} FROM tthc.{table.name}"
    if table.key is None:
        yield "", copy_out(connection, select, schema, exact=True)
        return
    for month, among, first, last in _ranges(connection, table):
        for low in range(first, last + 1, PART):
            within = f"{table.key} BETWEEN {low} AND {min(low + PART - 1, last)}"
            rows = copy_out(connection, f"{select} WHERE {within} AND {among}", schema, exact=True)
            if rows.height:
                yield month, rows.sort(table.key)


def _ranges(connection: Connection, table: Table) -> list[tuple[str, str, int, int]]:
    """By month where the table has months: a condition, and the first and the last number."""
    if table.name != "observations":
        bounds = connection.execute(text(f"SELECT min({table.key}), max({table.key}) FROM tthc.{table.name}")).one()
        return [] if bounds[0] is None else [("", "true", bounds[0], bounds[1])]
    found = connection.execute(
        text(
            "SELECT date_trunc('month', seen_at AT TIME ZONE 'UTC') AS month, min(first_observation_id), "
            "max(last_observation_id) FROM tthc.observation_batches WHERE kind = 'observations' GROUP BY 1 ORDER BY 1"
        )
    )
    ranges = []
    for month, first, last in found:
        after = (month + timedelta(days=31)).replace(day=1)
        among = f"seen_at >= '{month:%Y-%m-%d}+00' AND seen_at < '{after:%Y-%m-%d}+00'"
        ranges.append((f"{month:%Y-%m}", among, first, last))
    return ranges


def held(connection: Connection) -> list[str]:
    """Tables that must be empty before a ledger can be brought in, and are not."""
    return [name for name in _MUST_BE_EMPTY if connection.scalar(text(f"SELECT EXISTS (SELECT FROM tthc.{name})"))]


def bring_in(connection: Connection, table: Table, rows: pl.DataFrame) -> None:
    """Append rows to a table, with the numbers that they have."""
    if table.name in ("units", "sectors", "procedures"):
        # A catalogue may have been imported before.
        names = ", ".join(rows.columns)
        connection.execute(
            text(f"CREATE TEMP TABLE brought ON COMMIT DROP AS SELECT {names} FROM tthc.{table.name} LIMIT 0")
        )
        copy_in(connection, "brought", rows)
        connection.execute(
            text(f"INSERT INTO tthc.{table.name} ({names}) SELECT {names} FROM brought ON CONFLICT DO NOTHING")
        )
        connection.execute(text("DROP TABLE brought"))
        return
    if table.name == "observations":
        for seen_at in _months(rows):
            connection.execute(text("SELECT tthc.make_observations_month(:seen)"), {"seen": seen_at})
    copy_in(connection, f"tthc.{table.name}", rows)


def _months(rows: pl.DataFrame) -> list[datetime]:
    return rows["seen_at"].dt.truncate("1mo").unique().sort().to_list()


def settle_numbers(connection: Connection) -> None:
    """Let numbers go on after those that were brought in, and renew what the planner knows."""
    for table, column in _NUMBERED:
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('tthc.{table}', '{column}'), max({column})) "
                f"FROM tthc.{table} HAVING max({column}) IS NOT NULL"
            )
        )
    for sequence, column in (("observation_ids", "observation_id"), ("dossier_ids", "dossier_id")):
        connection.execute(
            text(
                f"SELECT setval('tthc.{sequence}', max({column})) FROM tthc.observations HAVING max({column}) IS NOT NULL"
            )
        )
    months = connection.execute(
        text(
            "SELECT min(seen_at) FROM tthc.observation_batches WHERE kind = 'observations' "
            "GROUP BY date_trunc('month', seen_at AT TIME ZONE 'UTC')"
        )
    ).scalars()
    for seen_at in months.all():
        connection.execute(text("SELECT tthc.observations_loaded(:seen)"), {"seen": seen_at})
