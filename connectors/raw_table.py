"""Rows as a file, a query or a page gave them, before any meaning is read into them: the input of the mapping engine."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.records import Reject


def clean_header(text: str) -> str:
    """A column's name as it is matched: NFC, white space (line breaks in cells too) as single spaces, ends stripped."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True)
class RawTable:
    """A piece of a table whose cells are texts, holding only the columns that a mapping asked for.

    ``frame``
        text columns under their :func:`clean_header` names; a missing cell is null or an empty text.
    ``first_row`` / ``rows``
        where the rows stand in ``location``, as a person counts them (1 is the first line, headers included): row
        ``i`` is at ``rows[i]``, or at ``first_row + i`` when ``rows`` is None.
    ``typed``
        naive instants (microseconds) of cells that the source keeps as dates, under the same names; null where the
        cell is a text.
    ``broken``
        rows that could not even be cut into cells.
    ``veiled``
        whether the applicant's columns hold keyed hashes already.
    """

    location: str
    frame: pl.DataFrame
    first_row: int = 1
    rows: npt.NDArray[np.int64] | None = None
    typed: pl.DataFrame | None = None
    broken: tuple[Reject, ...] = field(default=())
    veiled: bool = False

    def row(self, index: int) -> int:
        """Line or row number of one row of the frame."""
        return self.first_row + index if self.rows is None else int(self.rows[index])

    def row_numbers(self) -> npt.NDArray[np.int64]:
        """Line or row number of every row of the frame."""
        if self.rows is not None:
            return self.rows
        return np.arange(self.first_row, self.first_row + self.frame.height, dtype=np.int64)


def locate_columns(
    wanted: Iterable[str], header: Sequence[str], location: str, hint: str = "", *, may_be_record: bool = False
) -> dict[str, int]:
    """Positions of the wanted columns in a header, by :func:`clean_header` name, in the order of the file.

    ``may_be_record``: the header is just a row of a file. Where none of the wanted columns stands in it, it may be a
    record, and hold a person's name: the message does not show it then.

    Raises:
        ConfigError: a column is missing or stands there twice; the message names the file, the column and the columns
            that exist, the closest first.
    """
    names = [clean_header(name) for name in header]
    columns = list(dict.fromkeys(clean_header(item) for item in wanted))
    found: dict[str, int] = {}
    for name in columns:
        positions = [index for index, other in enumerate(names) if other == name]
        if len(positions) > 1:
            where = ", ".join(str(position + 1) for position in positions)
            raise ConfigError(
                f"{location}: column '{name}' stands {len(positions)} times in the header (columns {where}); "
                "rename all but one of them in the file"
            )
        if not positions:
            raise ConfigError(_missing(name, columns, names, location, hint, may_be_record=may_be_record))
        found[name] = positions[0]
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _missing(
    name: str, wanted: Sequence[str], names: Sequence[str], location: str, hint: str, *, may_be_record: bool
) -> str:
    def distance(other: str) -> float:
        return -difflib.SequenceMatcher(None, name.casefold(), other.casefold()).ratio()

    if may_be_record and not any(name in names for name in wanted):
        listed = ", ".join(f"'{name}'" for name in wanted[:10])
        return (
            f"{location}: none of the columns of the mapping ({listed}) stands in the header; correct the mapping{hint}"
        )
    shown = sorted((other for other in dict.fromkeys(names) if other), key=distance)
    rest = f" and {len(shown) - 40} more" if len(shown) > 40 else ""
    listed = ", ".join(f"'{other[:60]}'" for other in shown[:40])
    return (
        f"{location}: the mapping names column '{name}', which the file lacks; it has {listed or 'no named column'}{rest}; "
        f"correct the mapping{hint}"
    )
