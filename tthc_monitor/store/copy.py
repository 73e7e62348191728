"""Frames in and out by COPY: the only bulk road to and from the database."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import polars as pl
from sqlalchemy import Connection

from tthc_monitor.store.database import raw_cursor

_INSTANT_FORMAT = "%Y-%m-%d %H:%M:%S%.6f+00"


def copy_in(connection: Connection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table, columns by name. Null becomes NULL, an empty text stays an empty text."""
    if frame.height == 0:
        return
    buffer = BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format=_INSTANT_FORMAT)
    buffer.seek(0)
    columns = ", ".join(frame.columns)
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)", buffer, size=1 << 20)


def copy_out(connection: Connection, query: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Result of a SELECT as a frame with the given column types; instants come back as UTC microseconds."""
    buffer = BytesIO()
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv)", buffer, size=1 << 20)
    buffer.seek(0)
    wire = {name: pl.String() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
    if buffer.getbuffer().nbytes == 0:
        return pl.DataFrame(schema=dict(schema))
    frame = pl.read_csv(buffer, has_header=False, new_columns=list(wire), schema=wire, null_values=[""])
    instants = [name for name, dtype in schema.items() if isinstance(dtype, pl.Datetime)]
    return frame.with_columns(
        pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", time_zone="UTC") for name in instants
    )
