"""What is remembered between pulls: how far the inbox and the spool were read, and how late each dossier was told of.

Messages are read in windows of bounded size. When a window takes several rounds, the cursor of each but the last says
which window it was and how many rounds are done: a pull that is killed between two rounds goes on behind the last one
that was kept, and tells no state again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from operator import itemgetter
from typing import Any, Final, Self

from connectors.base import Cursor
from connectors.dvcqg.spool import SpoolMemory

VERSION: Final = 2
_LATE_BY: Final = timedelta(days=3)
_MOST: Final = 10_000


@dataclass
class Latest:
    """The latest instant that was told of each dossier in the last days, in whole seconds since 1970.

    A message about a step carries the instant of the step. When one comes that is earlier than what was told already, it
    was held up on the way, and what it says is no longer so.
    """

    seconds: dict[str, int] = field(default_factory=dict)

    def is_past(self, key: str, moment: datetime) -> bool:
        """Whether something later was told of the dossier."""
        return int(moment.timestamp()) < self.seconds.get(key, 0)

    def note(self, key: str, moment: datetime) -> None:
        """Take note of an instant told."""
        self.seconds[key] = max(int(moment.timestamp()), self.seconds.get(key, 0))

    def packed(self) -> dict[str, int]:
        """As plain JSON, without what lies too far back to be overtaken, and bounded."""
        since = max(self.seconds.values(), default=0) - int(_LATE_BY.total_seconds())
        kept = [(key, told) for key, told in self.seconds.items() if told >= since]
        return dict(nlargest(_MOST, kept, key=itemgetter(1)))


@dataclass
class State:
    """Where the reading stands.

    ``scope``
        fingerprint of the settings that decide what a message says, see :func:`connectors.sweeping.scope_of`.
    ``after``
        number of the last message of the inbox that was read.
    ``window``
        of a window whose rounds are not all kept yet: what is in it, as :class:`Window` tells it.
    ``rounds``
        how many of its rounds are kept.
    ``is_anew``
        whether the settings changed, so that what is still there is read again.
    """

    scope: str
    after: int = 0
    spool: SpoolMemory = field(default_factory=SpoolMemory)
    latest: Latest = field(default_factory=Latest)
    window: Mapping[str, Any] | None = None
    rounds: int = 0
    is_anew: bool = False

    def packed(self) -> dict[str, Any]:
        """The cursor, with no window under way."""
        return {
            "version": VERSION,
            "scope": self.scope,
            "after": self.after,
            "spool": self.spool.packed(),
            "latest": self.latest.packed(),
        }

    @classmethod
    def unpacked(cls, cursor: Cursor | None, scope: str) -> Self:
        """The state that a cursor holds; a new one where there is none, or one of other settings or of another kind."""
        if cursor is None or cursor.get("version") != VERSION or cursor.get("scope") != scope:
            return cls(scope, is_anew=cursor is not None and "after" in cursor)
        return cls(
            scope,
            cursor["after"],
            SpoolMemory.unpacked(cursor["spool"]),
            Latest(dict(cursor["latest"])),
            cursor.get("window"),
            cursor.get("rounds", 0),
        )


def under_way(cursor: Mapping[str, Any], window: Mapping[str, Any], rounds: int) -> dict[str, Any]:
    """The cursor from before a window, with the rounds of it that are kept."""
    return {**cursor, "window": dict(window), "rounds": rounds}


def not_after(moment: datetime | None, now: datetime) -> datetime | None:
    """An instant told, but none that lies ahead: a wrong year must not outweigh whatever comes after it."""
    return None if moment is None else min(moment, now.astimezone(UTC))
