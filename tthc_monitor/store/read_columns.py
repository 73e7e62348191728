"""Columns of a query: how their values travel by COPY, and what they are in a frame.

Instants without end (``infinity``) become :data:`LAST_INSTANT`, those without beginning :data:`FIRST_INSTANT`; days
likewise. What has no type of its own in a file (JSON, arrays, ranges, intervals) comes as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Final, Literal

import polars as pl

Kind = Literal["truth", "whole", "number", "text", "json", "day", "instant", "wall_clock"]

FIRST_INSTANT: Final = datetime(1, 1, 1, tzinfo=UTC)
LAST_INSTANT: Final = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
FIRST_DAY: Final = date(1, 1, 1)
LAST_DAY: Final = date(9999, 12, 31)

_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds from 1970 to :data:`FIRST_INSTANT` and :data:`LAST_INSTANT`."""
_EPOCH_DAY: Final = date(1970, 1, 1)
_KINDS: Final[dict[int, Kind]] = {
    16: "truth",
    20: "whole", 21: "whole", 23: "whole", 26: "whole",
    700: "number", 701: "number", 1700: "number",
    114: "json", 3802: "json",
    1082: "day", 1184: "instant", 1114: "wall_clock",
}  # fmt: skip
_BYTEA: Final = 17
_MICROSECONDS: Final = pl.Datetime("us")
_DTYPES: Final[dict[Kind, pl.DataType]] = {
    "truth": pl.Boolean(),
    "whole": pl.Int64(),
    "number": pl.Float64(),
    "text": pl.String(),
    "json": pl.String(),
    "day": pl.Date(),
    "instant": pl.Datetime("us", "UTC"),
    "wall_clock": _MICROSECONDS,
}


@dataclass(frozen=True)
class ReadColumn:
    """One column of a query: what the server calls its type, and what its values are here."""

    name: str
    server_type: str
    kind: Kind
    wire: str

    @property
    def dtype(self) -> pl.DataType:
        """Its type in the frames."""
        return _DTYPES[self.kind]


def read_as(oid: int, server_type: str, is_array: bool, column: str) -> tuple[str, Kind, str]:
    """What a column of a type is here, and how its values travel."""
    if is_array:
        return server_type, "json", f"to_json({column})::text"
    if oid == _BYTEA:
        return server_type, "text", f"encode({column}, 'hex')"
    kind = _KINDS.get(oid, "text")
    wire = {
        "truth": f"{column}::int",
        "instant": f"date_part('epoch', {column})",
        "wall_clock": f"date_part('epoch', {column})",
        "day": f"CASE WHEN isfinite({column}) THEN least({column} - date '1970-01-01', {(LAST_DAY - _EPOCH_DAY).days}) "
        f"WHEN {column} > date '1970-01-01' THEN {(LAST_DAY - _EPOCH_DAY).days} "
        f"WHEN {column} IS NOT NULL THEN {(FIRST_DAY - _EPOCH_DAY).days} END",
    }
    return server_type, kind, wire.get(kind, f"{column}::text")


def empty_frame(columns: Sequence[ReadColumn]) -> pl.DataFrame:
    """A frame of these columns without rows."""
    return pl.DataFrame(schema={column.name: column.dtype for column in columns})


_ON_THE_WIRE: Final[dict[Kind, pl.DataType]] = {
    "truth": pl.Int8(),
    "whole": pl.Int64(),
    "day": pl.Int32(),
    "instant": pl.Float64(),
    "wall_clock": pl.Float64(),
}


def decoded(content: BytesIO, columns: Sequence[ReadColumn]) -> pl.DataFrame:
    """Rows as COPY wrote them, with a leading column to be dropped, as a frame."""
    # Names of the query may be anything; on the way they are numbers.
    wire = {"0": pl.Int8()} | {
        str(number): _ON_THE_WIRE.get(column.kind, pl.String()) for number, column in enumerate(columns, start=1)
    }
    frame = pl.read_csv(content, has_header=False, new_columns=list(wire), schema=wire)
    return frame.select(_typed(str(number), column) for number, column in enumerate(columns, start=1))


def _typed(number: str, column: ReadColumn) -> pl.Expr:
    sent = pl.col(number)
    match column.kind:
        case "truth":
            value = sent == 1
        case "number":
            value = sent.cast(pl.Float64)
        case "day":
            value = sent.cast(pl.Date)
        case "instant" | "wall_clock":
            micros = (sent * 1_000_000).round().cast(pl.Int64, strict=False).clip(_EARLIEST, _LATEST)
            ends = pl.when(sent.is_infinite() & (sent > 0)).then(_LATEST).when(sent.is_infinite()).then(_EARLIEST)
            value = ends.otherwise(micros).cast(_MICROSECONDS)
            if column.kind == "instant":
                value = value.dt.replace_time_zone("UTC")
        case _:
            value = sent
    return value.alias(column.name)
