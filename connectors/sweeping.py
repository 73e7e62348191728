"""Asking a source for its changes only, and now and then for everything: the plan of one fetch and its cursor.

A cursor's upper end is taken before the first question of a fetch, never from the rows that came, and the next fetch
begins an overlap before it: what was committed at the source while we asked, or late and with an earlier time, is found.
What is later still, or carries no time at all, is found by the sweep, a fetch that lists everything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field

from connectors.base import ConnectorOptions, Cursor
from tthc_monitor.domain.applicant_keys import mark_of
from tthc_monitor.domain.durations import Period

VERSION: Final = 1

CursorValue = datetime | int | str
"""How far a source was read: an aware instant, a growing number, or a text that sorts as the source sorts it."""


class ChangesOptions(ConnectorOptions):
    """How far back changes are asked for, and how often everything is."""

    overlap: Period = Field(
        default=timedelta(minutes=10),
        description="how far behind the last fetch the next one begins; more than clocks differ and commits take",
    )
    sweep_every: Period = Field(default=timedelta(days=1), description="how often everything is listed")


class SweepOptions(ChangesOptions):
    """The settings of a connector that always asks for changes."""

    lists_all_open: bool = Field(
        default=False, description="listing everything gives every open dossier, so that what is not given is gone"
    )


@dataclass(frozen=True)
class SweepPlan:
    """What one fetch is to ask for.

    ``since``
        ask for what changed at or after this value; the overlap is taken off already. None: list everything.
    ``begun``
        the instant of the fetch.
    ``is_first``
        there is no cursor to go on from.
    """

    since: CursorValue | None
    begun: datetime
    is_first: bool
    _scope: str
    _swept_at: datetime

    @property
    def is_sweep(self) -> bool:
        """Whether everything is to be listed."""
        return self.since is None

    @classmethod
    def begin(
        cls,
        cursor: Cursor | None,
        *,
        scope: str,
        now: datetime,
        sweep_every: timedelta,
        overlap: timedelta | int = 0,
        clock: datetime | None = None,
    ) -> Self:
        """Plan a fetch from the cursor of the last one.

        A cursor of other settings (``scope``), of another version or unreadable is as none. ``overlap`` is taken off
        instants when it is a period, off numbers when it is a number; a text is asked for again as it was. ``clock`` is
        what the clock that cursors are taken from shows, where that is not ours (``now``).
        """
        known = _read(cursor, scope)
        if known is not None:
            since, swept_at = known
            # A clock that was set back must not put the sweep off for ever, nor have changes asked for from a time to come.
            is_to_come = isinstance(since, datetime) and since > (clock or now)
            if timedelta(0) <= now - swept_at < sweep_every and not is_to_come:
                return cls(_before(since, overlap), now, False, scope, swept_at)
        return cls(None, now, known is None, scope, now)

    def finished(self, upto: CursorValue) -> Cursor:
        """The cursor to leave once every page is committed; ``upto`` was taken before the first question.

        Raises:
            ValueError: ``upto`` is an instant without zone.
        """
        return {
            "version": VERSION,
            "scope": self._scope,
            "since": _written(upto),
            "swept_at": self._swept_at.astimezone(UTC).isoformat(),
        }


def scope_of(
    options: ConnectorOptions, applicant_key: bytes | None, *, beside: Collection[str], host: str | None = None
) -> str:
    """A fingerprint of all settings that decide which records there are and what they say.

    ``beside`` names those that do not: credentials, speed, the address but for the ``host`` that answers. Changed
    settings make the next fetch start anew.
    """
    settings = options.model_dump(mode="json", exclude=set(beside))
    if host is not None:
        settings["host"] = host.lower()
    # The key's own fingerprint, not the key: cursors are stored beside the data.
    settings["applicant"] = (
        None if applicant_key is None else mark_of(applicant_key) + hmac.digest(applicant_key, b"1", "sha256").hex()
    )
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def wall_clock(at: datetime, zone: ZoneInfo) -> datetime:
    """The earliest time, without zone, that the clocks of ``zone`` show at or after an aware instant.

    Before clocks are set back they show later times than after it: whatever is stamped by them in the hour that comes
    twice lies behind what this gives.
    """
    coming = (at.astimezone(UTC) + timedelta(days=1)).astimezone(zone).utcoffset() or timedelta(0)
    here = at.astimezone(zone)
    return here.replace(tzinfo=None) - max(timedelta(0), (here.utcoffset() or timedelta(0)) - coming)


def _written(value: CursorValue) -> Mapping[str, Any]:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a cursor's instant has no zone; give an aware one")
        return {"instant": value.astimezone(UTC).isoformat()}
    return {"number": value} if isinstance(value, int) else {"text": value}


def _read(cursor: Cursor | None, scope: str) -> tuple[CursorValue, datetime] | None:
    if cursor is None or cursor.get("version") != VERSION or cursor.get("scope") != scope:
        return None
    try:
        [(kind, value)] = cursor["since"].items()
        swept_at = datetime.fromisoformat(cursor["swept_at"])
        return (datetime.fromisoformat(value) if kind == "instant" else value), swept_at
    except (KeyError, AttributeError, TypeError, ValueError):
        return None


def _before(value: CursorValue, overlap: timedelta | int) -> CursorValue:
    if isinstance(value, datetime) and isinstance(overlap, timedelta):
        return value - overlap
    if isinstance(value, int) and isinstance(overlap, int):
        return value - overlap
    return value
