"""Frames in and out by COPY: the only bulk road to and from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import polars as pl
from sqlalchemy import Connection

from tthc_monitor.store.database import raw_cursor

_INSTANT_FORMAT = "%Y-%m-%d %H:%M:%S%.6f+00"
_BUFFER = 1 << 20
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


def copy_in(connection: Connection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table, columns by name."""
    if frame.height:
        copy_encoded(connection, table, frame.columns, encoded(frame))


def copy_out(connection: Connection, query: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Result of a SELECT as a frame, columns by position, instants as UTC microseconds."""
    instants = [name for name, dtype in schema.items() if isinstance(dtype, pl.Datetime)]
    # Seconds since 1970 as a double hold every microsecond until the year 2255, and read ten times as fast as a date.
    # Later ones are rounded by up to 31 microseconds, but never into the year 10000, which nothing else could read.
    wire = ", ".join(f"date_part('epoch', {name})" if name in instants else name for name in schema)
    buffer = BytesIO()
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(
            f"COPY (SELECT {wire} FROM ({query}) q ({', '.join(schema)})) TO STDOUT (FORMAT csv)", buffer
        )
    if buffer.tell() == 0:
        return pl.DataFrame(schema=dict(schema))
    buffer.seek(0)
    types = {name: pl.Float64() if name in instants else dtype for name, dtype in schema.items()}
    frame = pl.read_csv(buffer, has_header=False, new_columns=list(types), schema=types)
    micros = ((pl.col(name) * 1_000_000).round().cast(pl.Int64()).clip(upper_bound=_END_OF_TIME) for name in instants)
    return frame.with_columns(column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for column in micros)
