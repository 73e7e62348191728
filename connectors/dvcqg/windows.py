"""From messages in the order of arrival to rounds: in each round a dossier is told once, and no state told is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.dvcqg.messages import PROGRESS
from connectors.dvcqg.rows import RecordReader, Told
from connectors.dvcqg.spool import FileMark
from connectors.dvcqg.state import Latest, not_after

MOST_RECORDS: Final = 5_000
"""Records of one window, and messages without any, unless a single message has more."""
_SLACK: Final = timedelta(minutes=2)
"""A platform sends the state of a dossier and the step that led to it within a moment, with dates a little apart."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Arrival:
    """A message with where it came from.

    ``mark`` is how its place is remembered: the number in the inbox, or what is remembered of a file. ``faults`` are
    place, row, field and reason of what could not be read in it.
    """

    mark: int | FileMark
    arrived_at: datetime
    told: Sequence[Told]
    faults: Sequence[Sequence[Any]] = ()


def arrival(mark: int | FileMark, where: str, arrived_at: datetime, contents: Iterable[Mapping[str, Any]]) -> Arrival:
    """A message from what was kept of it."""
    told = [
        Told(content["service"], content["unit"], where, fields)
        for content in contents
        for fields in content["records"]
    ]
    faults = [[where, *fault] for content in contents for fault in content["faults"]]
    return Arrival(mark, arrived_at, told, faults)


@dataclass
class Window:
    """A bounded run of messages from one place."""

    arrivals: list[Arrival] = field(default_factory=list)
    _size: int = 0

    def takes(self, other: Arrival) -> bool:
        """Whether a message belongs into it still."""
        if not self.arrivals:
            return True
        same = isinstance(other.mark, int) == isinstance(self.arrivals[0].mark, int)
        return same and self._size + _size(other) <= MOST_RECORDS

    def add(self, other: Arrival) -> None:
        """Take a message in."""
        self.arrivals.append(other)
        self._size += _size(other)

    @property
    def marks(self) -> dict[str, Any]:
        """What is in it, as a cursor remembers it."""
        if self.arrivals and isinstance(self.arrivals[0].mark, int):
            return {"to": self.arrivals[-1].mark}
        marks = [one.mark for one in self.arrivals]
        return {"files": [[mark.name, f"{mark.stamp:08x}"] for mark in marks if isinstance(mark, FileMark)]}

    @property
    def faults(self) -> list[Sequence[Any]]:
        """What could not be read in its messages."""
        return [fault for one in self.arrivals for fault in one.faults]

    def rounds(self, reader: RecordReader, latest: Latest) -> list[list[tuple[Told, datetime]]]:
        """Its records in rounds, each with the instant of its arrival; ``latest`` is brought forward.

        What arrives later counts, with one exception: a step that was held up on the way and lies before what is known
        of the dossier. The steps that one message tells of a dossier stand in the order of their instants.
        """
        depth: Counter[str] = Counter()
        found: list[list[tuple[Told, datetime]]] = []
        for one in self.arrivals:
            for told, moment in _in_order(one, reader):
                if told.service == PROGRESS:
                    if moment is not None and latest.is_past(told.key, moment):
                        continue
                    since = moment
                else:
                    since = None if moment is None else moment - _SLACK
                if since is not None:
                    latest.note(told.key, since)
                if depth[told.key] == len(found):
                    found.append([])
                found[depth[told.key]].append((told, one.arrived_at))
                depth[told.key] += 1
        return found


def _size(one: Arrival) -> int:
    return max(1, len(one.told))


def _in_order(one: Arrival, reader: RecordReader) -> Iterator[tuple[Told, datetime | None]]:
    told = [(record, not_after(reader.moment(record), one.arrived_at)) for record in one.told]
    if len(told) > 1:  # the sort is stable: what has no instant comes first, as it stood
        told.sort(key=lambda item: (item[1] or _EPOCH) if item[0].service == PROGRESS else _EPOCH)
    return iter(told)
