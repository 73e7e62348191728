"""What a catalogue says about procedures, and which limit stands where an office and the national portal both give one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tthc_monitor.domain.time_limits import TimeLimit

Origin = Literal["portal", "office"]

_FIRST: Final = dt.date.min
_LAST: Final = dt.date.max


@dataclass(frozen=True)
class ProcedureEntry:
    """One procedure as a catalogue lists it; what the file does not tell is None.

    ``level`` is where it is carried out (cấp bộ, cấp tỉnh, cấp xã), ``agency`` who carries it out, ``authority`` who
    decides, ``issuer`` who issued it, ``decision`` the number of the decision that published it.
    """

    procedure_code: str
    name: str
    sector: str | None = None
    level: str | None = None
    agency: str | None = None
    authority: str | None = None
    issuer: str | None = None
    decision: str | None = None


@dataclass(frozen=True)
class SourcedLimit:
    """A limit with the words that it was read from, where it was read from words."""

    limit: TimeLimit
    source_text: str | None = None


def office_first(office: Sequence[TimeLimit], portal: Iterable[TimeLimit]) -> list[TimeLimit]:
    """All limits, the portal's only for the time in which the office says nothing as wide about the procedure.

    An office's limit for one unit or one channel leaves the portal's wider one standing for the others.
    """
    told: dict[str, list[TimeLimit]] = {}
    for limit in office:
        if limit.unit_code is None:
            told.setdefault(limit.procedure_code, []).append(limit)
    kept = [
        piece
        for limit in portal
        for piece in _without(
            limit, [by for by in told.get(limit.procedure_code, ()) if by.channel in (None, limit.channel)]
        )
    ]
    return [*office, *kept]


def _without(limit: TimeLimit, others: Sequence[TimeLimit]) -> Iterator[TimeLimit]:
    """The parts of a limit's time that no other covers."""
    starts, ends = limit.valid_from or _FIRST, limit.valid_to or _LAST
    for other in sorted(others, key=lambda item: item.valid_from or _FIRST):
        begins = other.valid_from or _FIRST
        if starts < min(begins, ends):
            yield _during(limit, starts, min(begins, ends))
        starts = max(starts, other.valid_to or _LAST)
    if starts < ends:
        yield _during(limit, starts, ends)


def _during(limit: TimeLimit, starts: dt.date, ends: dt.date) -> TimeLimit:
    span = {"valid_from": None if starts == _FIRST else starts, "valid_to": None if ends == _LAST else ends}
    return limit.model_copy(update=span)
