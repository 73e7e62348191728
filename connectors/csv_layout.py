"""Measures a block of CSV text without cutting it: record ends, widths, regularity of quoting. Vectorised over bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.csv_exact import Dialect

_NEWLINE = 10


@dataclass(frozen=True)
class Layout:
    """What was measured of the records that are complete in a block.

    ``cut``
        length of these records in bytes.
    ``records`` / ``lines``
        how many records and physical lines that is.
    ``widths``
        whether every record has the expected number of fields (a blank line has not).
    ``quoting``
        whether quotation marks stand only around whole fields, or doubled inside quoted ones.
    ``starts``
        line on which each record starts, from 0; None when every record is one line.
    """

    cut: int
    records: int
    lines: int
    widths: bool
    quoting: bool
    starts: npt.NDArray[np.int64] | None


def measure(data: bytes, dialect: Dialect, width: int) -> Layout | None:
    """Measure a block that begins at the start of a record; None when no record ends in it."""
    if not data:
        return None
    separator = ord(dialect.separator)
    quote = ord(dialect.quote) if dialect.quote is not None and dialect.quote.encode() in data else None
    block = np.frombuffer(data, dtype=np.uint8)
    marked = (block == _NEWLINE) | (block == separator)
    if quote is not None:
        marked |= block == quote
    at = np.flatnonzero(marked)
    marks = block[at]
    outside = np.ones(len(at), dtype=bool)
    quotes = np.zeros(0, dtype=np.int64)
    if quote is not None:
        is_quote = marks == quote
        outside = ~np.logical_xor.accumulate(is_quote) & ~is_quote
    ends = np.flatnonzero(outside & (marks == _NEWLINE))
    if len(ends) == 0:
        return None
    last = int(ends[-1])
    cut = int(at[last]) + 1
    at, marks, outside = at[: last + 1], marks[: last + 1], outside[: last + 1]
    if quote is not None:
        quotes = at[marks == quote]
    structure = marks[outside]
    lines = int(np.count_nonzero(marks == _NEWLINE))
    starts = None
    if lines != len(ends):
        newline_of_end = np.flatnonzero(outside[marks == _NEWLINE])
        starts = np.concatenate([[0], newline_of_end[:-1] + 1])
    return Layout(
        cut=cut,
        records=len(ends),
        lines=lines,
        widths=_regular_widths(structure, separator, width) and not (width == 1 and _has_blank_line(data[:cut])),
        quoting=quote is None or _regular_quotes(block, quotes, separator, quote),
        starts=starts,
    )


def _regular_widths(structure: npt.NDArray[np.uint8], separator: int, width: int) -> bool:
    if len(structure) % width:
        return False
    grid = structure.reshape(-1, width)
    return bool((grid[:, -1] == _NEWLINE).all() and (grid[:, :-1] == separator).all())


def _has_blank_line(data: bytes) -> bool:
    return data.startswith(b"\n") or b"\n\n" in data


def _regular_quotes(block: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], separator: int, quote: int) -> bool:
    """Opening marks follow a separator, a line end or a closing mark (a doubled one); closing marks mirror that."""
    allowed = (separator, _NEWLINE, quote)
    opening, closing = quotes[0::2], quotes[1::2]
    if len(opening) and opening[0] == 0:
        opening = opening[1:]
    return bool(np.isin(block[opening - 1], allowed).all() and np.isin(block[closing + 1], allowed).all())
