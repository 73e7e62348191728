"""Cuts CSV lines into fields one record at a time: slow, exact, and able to go on after a line that is wrong."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

MAX_SPAN: Final = 500
"""Lines that one quoted text may span before its first quotation mark is taken for a stray one."""
LONGEST_SPAN: Final = 1 << 20
"""Characters that the lines of one quoted text may have together, likewise."""
LONGEST_LINE: Final = 1 << 24
"""Bytes of a line; one that is longer is never held in memory as a whole."""


class TooLong(str):
    """Stands for a line of more than :data:`LONGEST_LINE` bytes, which was passed over."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How fields are separated and quoted; ``quote`` None: never quoted."""

    separator: str
    quote: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """Fields of one record and the lines it stands on."""

    line: int
    last_line: int
    fields: list[str]


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is no record, and why; the reason ends with what to do."""

    line: int
    reason: str

    @property
    def last_line(self) -> int:
        """The only line it stands on; the lines after it are read anew."""
        return self.line


def records_of(lines: Iterable[str], first_line: int, dialect: Dialect) -> Iterator[Record | Broken]:
    """Cut lines (without line ends) into records; blank lines are passed over.

    Where a quoted text is not closed properly, only the line on which it begins is broken and reading goes on with the
    next one, so that a single stray quotation mark never swallows the records after it.
    """
    source = iter(lines)
    again: deque[str] = deque()
    number = first_line

    def take() -> str | None:
        return again.popleft() if again else next(source, None)

    while (line := take()) is not None:
        if isinstance(line, TooLong):
            yield Broken(number, f"the line is longer than {LONGEST_LINE >> 20} MiB; export the file again")
            number += 1
            continue
        if not line:
            number += 1
            continue
        span = [line]
        size = len(line)
        fields = _fields(span, dialect)
        while fields is None and len(span) < MAX_SPAN and size < LONGEST_SPAN and (line := take()) is not None:
            if isinstance(line, TooLong):
                again.appendleft(line)
                break
            span.append(line)
            size += len(line)
            fields = _fields(span, dialect)
        if isinstance(fields, list):
            yield Record(number, number + len(span) - 1, fields)
            number += len(span)
            continue
        reason = fields or "a quotation mark is opened and never closed"
        yield Broken(number, f"{reason}; correct the line (a quotation mark inside a quoted text is written twice)")
        number += 1
        again.extendleft(reversed(span[1:]))


def lines_of(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines of blocks of UTF-8, without their ends; :class:`TooLong` for one that is too long."""
    carry: list[bytes] = []
    size = 0
    for block in blocks:
        *ended, rest = block.split(b"\n")
        for line in ended:
            if size + len(line) > LONGEST_LINE:
                yield TooLong()
            else:
                yield b"".join([*carry, line]).decode(errors="replace")
            carry, size = [], 0
        size += len(rest)
        carry.append(rest)
        if size > LONGEST_LINE:
            carry.clear()
    if size > LONGEST_LINE:
        yield TooLong()
    elif size:
        yield b"".join(carry).decode(errors="replace")


def _fields(span: list[str], dialect: Dialect) -> list[str] | str | None:
    """The fields of the lines taken as one record; None when more lines are needed; a text when they are wrong."""
    if dialect.quote is None:
        return span[0].split(dialect.separator)
    if len(span) > 1 and dialect.quote not in span[-1]:
        return None
    text = "\n".join(span)
    try:
        rows = list(csv.reader([text + "\n"], delimiter=dialect.separator, quotechar=dialect.quote, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else f"irregular quoting ({error})"
    return rows[0]
