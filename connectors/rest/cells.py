"""From the records of an answer to a table of texts that holds the mapped expressions and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from connectors.raw_table import RawTable, clean_header
from connectors.rest.expressions import ExpressionError, NotOneValueError, cell_text, reader
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.records import Reject


class Cells:
    """The expressions of a mapping, made ready.

    ``silent`` names expressions that are not evaluated: their cells stay empty.
    """

    def __init__(self, expressions: Sequence[str], silent: frozenset[str] = frozenset()) -> None:
        self._readers = {name: reader(name) for name in dict.fromkeys(expressions) if name not in silent}
        self._empty = [clean_header(name) for name in expressions if name in silent]

    def table(self, records: Sequence[Any], location: str) -> RawTable:
        """The records as rows, counted from 1; those from which no row can be made are ``broken``.

        An :class:`ExpressionError` in the place of a record is what was found when it was made ready.
        """
        broken: list[Reject] = []
        kept: Sequence[int] = range(len(records))
        try:
            columns = self._columns(records)
        except (ExpressionError, NotOneValueError):
            rows: dict[int, dict[str, str | None]] = {}
            for index, record in enumerate(records):
                found = self._row(record, location, index + 1)
                if isinstance(found, Reject):
                    broken.append(found)
                else:
                    rows[index] = found
            kept = list(rows)
            columns = {name: [row[name] for row in rows.values()] for name in self._readers}
        nothing: list[str | None] = [None] * len(kept)
        series = [pl.Series(clean_header(name), values, dtype=pl.String) for name, values in columns.items()]
        series += [pl.Series(name, nothing, dtype=pl.String) for name in self._empty]
        numbers = np.asarray(kept, dtype=np.int64) + 1 if broken else None
        return RawTable(location, pl.DataFrame(series), rows=numbers, broken=tuple(broken))

    def _columns(self, records: Sequence[Any]) -> Mapping[str, list[str | None]]:
        if any(not isinstance(record, dict | list) for record in records):
            raise NotOneValueError
        return {name: [cell_text(read(record)) for record in records] for name, read in self._readers.items()}

    def _row(self, record: Any, location: str, number: int) -> dict[str, str | None] | Reject:
        if isinstance(record, ExpressionError):
            return Reject(location, number, None, str(record))
        if not isinstance(record, dict | list):
            return Reject(location, number, None, "is not a record; correct 'records' in the source's options")
        cells: dict[str, str | None] = {}
        for name, read in self._readers.items():
            try:
                cells[name] = cell_text(read(record))
            except NotOneValueError as error:
                reason = f"{error}, not one value; choose one in the mapping, for example by {name}[0] or a field of it"
                return Reject(location, number, name, reason)
            except ExpressionError as error:
                return Reject(location, number, name, str(error))
        return cells


def joined(tables: Sequence[RawTable]) -> RawTable:
    """Tables of one list one behind the other; rows are counted from the first row of the first."""
    if len(tables) == 1:
        return tables[0]
    rows: list[npt.NDArray[np.int64]] = []
    broken: list[Reject] = []
    before = 0
    location = f"{tables[0].location} to {tables[-1].location.rpartition(' ')[2]}"
    for table in tables:
        own = np.arange(1, table.frame.height + 1, dtype=np.int64) if table.rows is None else table.rows
        rows.append(own + before)
        broken += [replace(item, location=location, row=(item.row or 0) + before) for item in table.broken]
        before += table.frame.height + len(table.broken)
    return RawTable(
        location, pl.concat([table.frame for table in tables]), rows=np.concatenate(rows), broken=tuple(broken)
    )


def same_content(one: RawTable, other: RawTable) -> bool:
    """Whether two answers hold the same rows, as far as a mapping looks at them."""
    return one.frame.equals(other.frame) and [(item.row, item.column) for item in one.broken] == [
        (item.row, item.column) for item in other.broken
    ]


def record_list(found: Any, expression: str) -> list[Any]:
    """What the expression of the records found, when it is a list.

    Raises:
        PermanentSourceError: it is none.
    """
    if isinstance(found, list):
        return found
    what = "one object" if isinstance(found, dict) else "nothing" if found is None else "one value"
    hint = f"[{expression}]" if isinstance(found, dict) else f"{expression} || `[]`"
    raise PermanentSourceError(
        f"'records' ({expression}) finds {what} in the answer where a list should be; correct the expression, or write "
        f'"{hint}" if the source means that'
    )
