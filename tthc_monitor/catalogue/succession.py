"""What a newly read catalogue does to the limits already held.

The portal says what holds today, not since when. A limit that it repeats keeps its dates; one that it changes begins on
the day of the import, and the former ends there: earlier dossiers stay under the law of their reception (NQ
66.16/2026/NQ-CP Art. 18).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from tthc_monitor.domain.procedure_catalogue import SourcedLimit


def succeed(
    held: Iterable[SourcedLimit], read: Iterable[SourcedLimit], valid_from: dt.date | None, today: dt.date
) -> list[SourcedLimit]:
    """The whole list of limits after an import, to replace the one held for the same procedures.

    ``valid_from`` is the day from which what was read holds; without it, a procedure's first limits hold since ever, and
    changed ones from ``today``.
    """
    before: dict[str, list[SourcedLimit]] = {}
    for item in held:
        before.setdefault(item.limit.procedure_code, []).append(item)
    after: dict[str, list[SourcedLimit]] = {code: [] for code in before}
    for item in read:
        after.setdefault(item.limit.procedure_code, []).append(item)
    result: list[SourcedLimit] = []
    for code, items in after.items():
        if code in before:
            result += _changed(before[code], items, valid_from or today)
        else:
            result += [_dated(item, valid_from, None) for item in items]
    return result


def _changed(held: Sequence[SourcedLimit], read: Sequence[SourcedLimit], day: dt.date) -> list[SourcedLimit]:
    standing = {
        _terms(item): item
        for item in held
        if item.limit.valid_to is None and (item.limit.valid_from is None or item.limit.valid_from <= day)
    }
    result = [standing.get(_terms(item), _dated(item, day, None)) for item in read]
    for item in held:
        limit = item.limit
        if item in result:
            continue
        if limit.valid_to is not None and limit.valid_to <= day:
            result.append(item)
        elif limit.valid_from is None or limit.valid_from < day:
            result.append(_dated(item, limit.valid_from, day))
        # What was to begin on that day or later has been overtaken.
    return result


def _terms(item: SourcedLimit) -> str:
    """All that a limit says but its dates."""
    return item.limit.model_copy(update={"valid_from": None, "valid_to": None}).fingerprint()


def _dated(item: SourcedLimit, valid_from: dt.date | None, valid_to: dt.date | None) -> SourcedLimit:
    dates = {"valid_from": valid_from, "valid_to": valid_to}
    return SourcedLimit(item.limit.model_copy(update=dates), item.source_text)
