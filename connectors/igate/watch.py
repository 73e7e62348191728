"""The dossiers of an iGate that may still change: known from the last run, seen in this one, missing between the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.base import Cursor
from connectors.igate.options import TERMINAL
from connectors.igate.rows import instant_of
from tthc_monitor.domain.statuses import Status

_NEAR: Final = timedelta(minutes=1)
_MARGIN: Final = timedelta(seconds=1)
_MOST_WINDOWS: Final = 200
"""So many ranges of acceptance are asked for one by one; more become a single one."""


class Watch:
    """Which dossiers were open, and which of them have not been given since.

    Kept as source key → acceptance, None for a dossier not accepted yet. A dossier that one sweep did not find is
    watched until a second one misses it too: a single answer may be wrong. What was watched is carried over whatever
    settings the cursor is of, for nothing else tells of an end that came while they were changed.
    """

    def __init__(self, cursor: Cursor | None, known: Mapping[str, int]) -> None:
        self._before = _watched(cursor)
        self._missed_once = _keys({} if cursor is None else cursor.get("missed"))
        self._known = known
        self._seen: set[str] = set()
        self._open: dict[str, str | None] = {}

    def saw(self, records: Sequence[Any]) -> None:
        """Take note of the records that were given, those that are not kept too."""
        for record in records:
            key = record.get("code") if isinstance(record, dict) else None
            if isinstance(key, str) and key in self._before:
                self._seen.add(key)

    def kept(self, rows: Sequence[Any]) -> None:
        """Take note of the state of the dossiers that are kept."""
        for row in rows:
            key = row.get("code") if isinstance(row, dict) else None
            if not isinstance(key, str):
                continue
            national = self._known.get(str(row["status"]).lower())
            if national is not None and Status(national) in TERMINAL:
                self._open.pop(key, None)
            else:
                accepted = instant_of(row["acceptedDate"])
                self._open[key] = None if accepted is None else accepted.isoformat()

    @property
    def missing(self) -> dict[str, str | None]:
        """Those known from the last run that have not been given."""
        return {key: accepted for key, accepted in self._before.items() if key not in self._seen}

    @property
    def never_accepted(self) -> list[str]:
        """The missing that cannot be asked for by their acceptance, because they have none."""
        return [key for key, accepted in self.missing.items() if accepted is None]

    def left(self) -> list[tuple[datetime, datetime]]:
        """Ranges of acceptance of the dossiers that were open and have not been given."""
        instants = sorted(datetime.fromisoformat(item) for item in self.missing.values() if item is not None)
        ranges: list[tuple[datetime, datetime]] = []
        for instant in instants:
            if ranges and instant - ranges[-1][1] <= _NEAR:
                ranges[-1] = (ranges[-1][0], instant)
            else:
                ranges.append((instant, instant))
        if len(ranges) > _MOST_WINDOWS:
            ranges = [(ranges[0][0], ranges[-1][1])]
        return [(first - _MARGIN, last + _MARGIN) for first, last in ranges]

    def to_keep(self, *, swept: bool) -> dict[str, Any]:
        """What the next run has to know, as a part of the cursor; ``swept``: this run was a sweep."""
        missing = self.missing
        if swept:
            missing = {key: accepted for key, accepted in missing.items() if key not in self._missed_once}
        missed = sorted(missing if swept else self._missed_once & missing.keys())
        return {"watched": {**missing, **self._open}, "missed": missed}


def _watched(cursor: Cursor | None) -> dict[str, str | None]:
    found = {} if cursor is None else cursor.get("watched")
    if not isinstance(found, Mapping):
        return {}
    instants = {key: instant_of(accepted) for key, accepted in found.items()}
    return {key: None if accepted is None else accepted.isoformat() for key, accepted in instants.items()}


def _keys(found: Any) -> frozenset[str]:
    return frozenset(item for item in found if isinstance(item, str)) if isinstance(found, list) else frozenset()
