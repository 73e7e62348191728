"""Rows of a query as a table of texts, exact: no number is rounded, no date is guessed, what cannot be read is a reject."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from connectors.raw_table import RawTable
from connectors.sql.flavour import CELL_CHARACTERS, Kind
from connectors.sql.statements import Column
from tthc_monitor.domain.records import Reject

_NAIVE: Final = pl.Datetime("us")
_ZEROS: Final = "0000-00-00"
"""What MySQL keeps where an application had no date."""


class _Unreadable(ValueError):
    """A cell that cannot be read; the message says why and ends with what to do."""


def table_of(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[tuple[str, Column]],
    *,
    location: str,
    first_row: int,
    zone: ZoneInfo,
    null_values: Collection[str],
) -> RawTable:
    """The first cells of each row as a table: those of ``columns``, under the names that the mapping has for them.

    Instants with offset are told as the clocks of ``zone`` show them.
    A value of ``null_values`` in a date column is no date, as it is no text in others.
    """
    broken: dict[int, tuple[str, str]] = {}
    texts: dict[str, pl.Series] = {}
    typed: dict[str, pl.Series] = {}
    for place, (name, item) in enumerate(columns):
        values: list[str | None] = []
        for index, row in enumerate(rows):
            try:
                values.append(_text(row[place]))
            except _Unreadable as error:
                values.append(None)
                broken.setdefault(index, (item.name, str(error)))
        if item.kind.is_date:
            nothing = {*null_values, ""}
            values = [
                None if value is None or value.startswith(_ZEROS) or value in nothing else value for value in values
            ]
        texts[name] = pl.Series(name, values, dtype=pl.String)
        if item.kind.is_date:
            typed[name] = _instants(texts[name], item.kind, zone)
    frame, instants = pl.DataFrame(texts), pl.DataFrame(typed)
    numbers = np.arange(first_row, first_row + len(rows))
    if broken:
        whole = np.ones(len(rows), dtype=bool)
        whole[list(broken)] = False
        frame, numbers = frame.filter(whole), numbers[whole]
        instants = instants.filter(whole) if typed else instants
    rejects = tuple(
        Reject(location, first_row + index, column, reason) for index, (column, reason) in sorted(broken.items())
    )
    return RawTable(location, frame, rows=numbers, typed=instants if typed else None, broken=rejects)


def _text(value: Any) -> str | None:
    """A value as text, the same whatever the driver.

    Raises:
        _Unreadable: bytes that are no UTF-8, or more than a cell may hold.
    """
    if value is None:
        return None
    if isinstance(value, str):
        found = value
    elif isinstance(value, (bytes, bytearray, memoryview)):
        try:
            found = bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            raise _Unreadable(
                "holds bytes that are no UTF-8 text; convert them in the query (HEX of a number in bytes, CONVERT of "
                "a text in another encoding)"
            ) from None
    elif isinstance(value, bool):
        found = "true" if value else "false"
    elif isinstance(value, Decimal):
        found = format(value, "f")
    elif isinstance(value, datetime):
        found = _in_utc(value).isoformat(sep=" ")
    elif isinstance(value, date):
        found = value.isoformat()
    else:
        found = str(value)
    if len(found) > CELL_CHARACTERS:
        raise _Unreadable(
            f"is longer than {CELL_CHARACTERS} characters; take the piece that is needed out of it in the query"
        )
    return found


def _in_utc(value: datetime) -> datetime:
    try:
        return value if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:  # the first and the last day there is, which stand for none
        return value


def _instants(texts: pl.Series, kind: Kind, zone: ZoneInfo) -> pl.Series:
    """Instants as the clocks of ``zone`` show them; null where the text is none (infinity, a year before Christ)."""
    plain = pl.col("text")
    if kind is Kind.INSTANT_UTC:
        plain = plain.str.strip_suffix("+00:00").str.strip_suffix("+00")
    read = pl.coalesce(
        plain.str.strptime(_NAIVE, "%Y-%m-%d %H:%M:%S%.f", strict=False),
        plain.str.strptime(_NAIVE, "%Y-%m-%d", strict=False),
    )
    if kind is Kind.INSTANT_UTC:
        read = read.dt.replace_time_zone("UTC").dt.convert_time_zone(zone.key).dt.replace_time_zone(None)
    return texts.to_frame("text").select(read.alias(texts.name))[texts.name]
