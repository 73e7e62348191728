"""Frames in and out by COPY: the only bulk road to and from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import polars as pl
from sqlalchemy import Connection

from tthc_monitor.store.database import raw_cursor

_INSTANT_FORMAT = "%Y-%m-%d %H:%M:%S%.6f+00"
_BUFFER = 1 << 20
_EXACT_SECONDS = 2**53 / 1_000_000
"""Until so many seconds from 1970 a double tells every microsecond."""

_END_OF_TIME = 253_402_300_799_999_999
"""The last microsecond of the year 9999, which sources write for "never"."""


def encoded(frame: pl.DataFrame) -> BytesIO:
    """A frame as COPY wants it: null as nothing, an empty text as an empty text."""
    buffer = BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format=_INSTANT_FORMAT)
    buffer.seek(0)
    return buffer


def copy_encoded(connection: Connection, table: str, columns: Sequence[str], rows: BytesIO) -> None:
    """Append what :func:`encoded` made, with its columns named in order."""
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)", rows, size=_BUFFER)


def copy_by_detour(connection: Connection, table: str, columns: Sequence[str], rows: BytesIO) -> None:
    """As :func:`copy_encoded`, into a table with row-level security.

    PostgreSQL copies into such a one for its owner only, whatever the policies; so for the service the rows land in a
    temporary table, and one statement moves them on in their order.
    """
    names = ", ".join(columns)
    with raw_cursor(connection) as cursor:
        cursor.execute(f"CREATE TEMP TABLE landing ON COMMIT DROP AS SELECT {names} FROM {table} WITH NO DATA")
        copy_encoded(connection, "landing", columns, rows)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM landing; DROP TABLE landing")


def copy_in(connection: Connection, table: str, frame: pl.DataFrame, *, detour: bool = False) -> None:
    """Append a frame to a table, columns by name.

    Args:
        detour: the table has row-level security; see :func:`copy_by_detour`.
    """
    if frame.height:
        (copy_by_detour if detour else copy_encoded)(connection, table, frame.columns, encoded(frame))


def copy_out(
    connection: Connection, query: str, schema: Mapping[str, pl.DataType], *, exact: bool = False
) -> pl.DataFrame:
    """Result of a SELECT as a frame, columns by position, instants as UTC microseconds.

    Args:
        exact: to the microsecond also beyond the year 2255; by default later instants are rounded by up to 31 of them,
            but never into the year 10000, which nothing else could read.
    """
    instants = [name for name, dtype in schema.items() if isinstance(dtype, pl.Datetime)]
    # Seconds since 1970 as a double hold every microsecond until the year 2255, and read ten times as fast as a date.
    wire = {name: f"date_part('epoch', {name})" for name in instants}
    types: dict[str, pl.DataType] = dict.fromkeys(instants, pl.Float64())
    frame = _read_csv(connection, query, schema, wire, types)
    micros = {
        name: (pl.col(name) * 1_000_000).round().cast(pl.Int64()).clip(upper_bound=_END_OF_TIME) for name in instants
    }
    if exact and any(_beyond_doubles(frame[name]) for name in instants):
        wire = {name: f"(extract(epoch FROM {name}) * 1000000)::bigint" for name in instants}
        frame = _read_csv(connection, query, schema, wire, dict.fromkeys(instants, pl.Int64()))
        micros = {name: pl.col(name) for name in instants}
    return frame.with_columns(column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for column in micros.values())


def _beyond_doubles(seconds: pl.Series) -> bool:
    return bool((seconds.abs() > _EXACT_SECONDS).any())


def _read_csv(
    connection: Connection,
    query: str,
    schema: Mapping[str, pl.DataType],
    wire: Mapping[str, str],
    types: Mapping[str, pl.DataType],
) -> pl.DataFrame:
    columns = ", ".join(wire.get(name, name) for name in schema)
    buffer = BytesIO()
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(
            f"COPY (SELECT {columns} FROM ({query}) q ({', '.join(schema)})) TO STDOUT (FORMAT csv)", buffer
        )
    read = {name: types.get(name, dtype) for name, dtype in schema.items()}
    if buffer.tell() == 0:
        return pl.DataFrame(schema=read)
    buffer.seek(0)
    return pl.read_csv(buffer, has_header=False, new_columns=list(read), schema=read)
