"""What one run knows: the cursor it started from, what it has seen, and the cursor it leaves.

The cursor is an instant, a day, and what the histories told of those dossiers that may be listed again without a new
action: a history that is not in it is asked for again. Where a history could not be read anew, what it told before
stays, marked as stale, and is asked for again once a day. A cursor written under other settings is set aside, so that
a changed mapping reaches every record.

A cursor of version 1 knows of no steps. The run goes on from it, back over the whole window, and asks anew for the
histories of open dossiers; ended ones stay as they were read, so that an upgrade changes nothing about them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.base import Cursor
from connectors.http_options import HttpOptions
from connectors.opencps.answers import applicant_hash
from connectors.opencps.history import History
from connectors.opencps.options import OpencpsOptions

VERSION: Final = 2
_EARLY: Final = 1
_NOT_CONTENT: Final = {
    *HttpOptions.model_fields,
    *("url", "username", "password", "password_file", "password_env", "page_size", "max_hits", "window_days"),
}
_CLOCK_MARGIN: Final = timedelta(hours=1)


def scope_of(options: OpencpsOptions, applicant_key: bytes | None) -> str:
    """A fingerprint of all settings that decide which records there are and what they say."""
    settings = options.model_dump(mode="json", exclude=_NOT_CONTENT)
    settings["applicant"] = applicant_hash("1", applicant_key) if applicant_key is not None else None
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


class Run:
    """The state of one fetch."""

    def __init__(self, cursor: Mapping[str, Any], scope: str, now: datetime, zone: ZoneInfo) -> None:
        self._cursor = cursor
        self._scope = scope
        self._zone = zone
        self.today = now.astimezone(zone).date()
        self.is_first = "at" not in cursor
        self.is_continued = self.is_first and bool(cursor)
        self._begun = _instant(cursor["begun"]) if self.is_continued else now
        self.resume_day = date.fromisoformat(cursor["resume_day"]) if self.is_continued else None
        early = cursor.get("version") == _EARLY
        self.is_wide = self.is_first or early or self.today > date.fromisoformat(cursor["wide_on"])
        self._changed_since = None if self.is_first else _instant(cursor["changed_since"])
        self._latest_action: datetime | None = None
        self._listed: dict[str, History | None] = {}
        self._remembered: dict[str, History | None] = {
            key: None if value is None else History.unpacked(value)
            for key, value in cursor.get("histories", {}).items()
        }
        self._stale: set[str] = set(cursor.get("stale", ()))
        self._early: dict[str, list[int | None] | None] | None = cursor["supplements"] if early else None
        self._forgotten: set[str] = set()
        self._seen: dict[str, int] = {}

    @classmethod
    def begin(cls, cursor: Cursor | None, scope: str, now: datetime, zone: ZoneInfo) -> Run:
        """Start from a cursor, or anew when there is none or it was written under other settings."""
        if cursor is None or cursor.get("scope") != scope:
            return cls({}, scope, now, zone)
        early = cursor.get("version") == _EARLY and "at" in cursor
        return cls(cursor if early or cursor.get("version") == VERSION else {}, scope, now, zone)

    def changes_from(self, window_days: int) -> date:
        """First day whose receptions, releases and deliveries are listed again by a later run."""
        last_run = _instant(self._cursor["at"]).astimezone(self._zone).date() - timedelta(days=1)
        return min(last_run, self.today - timedelta(days=window_days)) if self.is_wide else last_run

    def news(self, keys: Sequence[str | None], states: Sequence[int]) -> list[int]:
        """Places of the dossiers that this run has not yet given out in exactly this state; keeps histories remembered.

        What has no key is always given out.
        """
        if self._remembered:
            for key in keys:
                if key in self._remembered:
                    self._listed.setdefault(key, self._remembered[key])
        seen, found = self._seen, []
        for place, (key, state) in enumerate(zip(keys, states, strict=True)):
            if key is None:
                found.append(place)
            elif seen.get(key) != state:
                seen[key] = state
                found.append(place)
        return found

    def saw_action(self, moment: datetime | None) -> None:
        """Note the source's own clock by its latest action."""
        if moment is not None and (self._latest_action is None or moment > self._latest_action):
            self._latest_action = moment

    def may_have_changed(self, last_action: datetime) -> bool:
        """Whether a dossier's last action is too late for its history to be known already."""
        return self._changed_since is None or last_action >= self._changed_since

    def knows(self, key: str) -> bool:
        """Whether a dossier's history was asked for already; it may have been unreadable."""
        return key in self._listed or key in self._remembered

    def keep_early(self, key: str) -> bool:
        """Take a history as version 1 read it; False when the cursor is not of that version.

        Version 1 wrote down only dossiers with a request for supplements, and None where the history was unreadable.
        """
        if self._early is None:
            return False
        told = self._early.get(key, [0, None, None])
        self._listed[key] = None if told is None else History(*told, steps=None)  # type: ignore[misc,arg-type]
        return True

    def known(self, key: str) -> History | None:
        """What is known of a dossier's history; None when it could not be read."""
        return self._listed.get(key, self._remembered.get(key))

    def learn(self, key: str, history: History | None) -> None:
        """Take in a history just read; one that cannot be read leaves earlier knowledge standing, as stale."""
        if history is None and self.known(key) is not None:
            self._stale.add(key)
            return
        self._stale.discard(key)
        self._listed[key] = history

    def is_stale(self, key: str) -> bool:
        """Whether a dossier's history was refused since it was last read."""
        return key in self._stale

    def forget(self, key: str) -> None:
        """Leave a dossier's history out of the cursor: it will hardly be listed again."""
        self._forgotten.add(key)

    def unfinished(self, complete_through: date) -> Cursor:
        """The cursor of a first run that has all receptions up to a day; a first run asks for every history."""
        return {
            "version": VERSION,
            "scope": self._scope,
            "begun": _text(self._begun),
            "resume_day": (complete_through + timedelta(days=1)).isoformat(),
        }

    def finished(self) -> Cursor:
        """The cursor of a run that came to its end."""
        keep = self._listed if self.is_wide and not self.is_continued else {**self._remembered, **self._listed}
        seen_until = min(self._begun, self._latest_action or self._begun)
        histories = self._packed(keep)
        return {
            "version": VERSION,
            "scope": self._scope,
            "at": _text(self._begun),
            "wide_on": (self.today if self.is_wide else date.fromisoformat(self._cursor["wide_on"])).isoformat(),
            "changed_since": _text(seen_until - _CLOCK_MARGIN),
            "histories": histories,
            "stale": sorted(self._stale & histories.keys()),
        }

    def _packed(self, histories: Mapping[str, History | None]) -> dict[str, list[int | None] | None]:
        return {
            key: None if value is None else value.packed()
            for key, value in sorted(histories.items())
            if key not in self._forgotten
        }


def _instant(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
