"""The ledger recomputed: every link of the chain from the rows under it, in order, with memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from itertools import groupby
from typing import Final

import numpy as np
from sqlalchemy import Connection

from tthc_monitor.store.chain import GENESIS, Link, chain_hash, links
from tthc_monitor.store.verify_found import Found
from tthc_monitor.store.verify_hashing import Numbers, Rows
from tthc_monitor.store.verify_identity import Identities
from tthc_monitor.store.verify_readers import Read, one_reader
from tthc_monitor.store.verify_rows import (
    CHUNK,
    count_observations,
    erased_by,
    events_between,
    label,
    strays,
)

LATE: Final = timedelta(hours=1) // timedelta(microseconds=1)
"""Microseconds between seeing and linking from which on it is told."""

_TOO_MANY: Final = 10_000_000
"""Observations that are looked for although there are not so many; a link may claim any number."""

_LAST: Final = 2**63 - 1


def recompute(
    connection: Connection, progress: Callable[[int, int], None] | None = None, read: Read | None = None
) -> Found:
    """Compute every hash of the ledger from its rows; to be called within :func:`tthc_monitor.store.chain.snapshot`.

    Args:
        progress: told how many observations are through, and of how many.
        read: reads observations; None: through the connection alone.
    """
    walk = _Walk(connection, progress or (lambda _done, _all: None), read or one_reader(connection))
    for page in links(connection):
        walk.page(page)
    walk.end()
    return walk.found


class _Walk:
    def __init__(self, connection: Connection, progress: Callable[[int, int], None], read: Read) -> None:
        self.connection, self.progress, self.read = connection, progress, read
        self.found, self.identities = Found(), Identities()
        self.total = count_observations(connection)
        self.covered = -(2**63)
        """The last observation that a link so far covers."""
        self.seen: dict[int, int] = {}
        """When each source was seen last, in microseconds."""

    def page(self, page: Sequence[Link]) -> None:
        """Check links in a row that follow on what was checked before."""
        before = self.found.last
        readable = [link for link in page if self._numbered(link)]
        for part in _parts(readable):
            self._observations(part)
        self._events(page, -(2**63) if before is None else before.number)
        for link in page:
            self._chained(link)
        self.found.links += len(page)

    def end(self) -> None:
        """Look for what lies behind the last link, and at what only all rows together tell."""
        last = 0 if self.found.last is None else self.found.last.number
        self._strays(self.covered + 1, _LAST, last)
        behind = events_between(self.connection, last, _LAST)
        if behind.height:
            self.found.loose.append((last, f"{_count(behind.height, 'event')} under no link"))
        self.found.loose.extend((last, told) for told in self.identities.contradictions(self.connection))

    def _wrong(self, link: Link, what: str) -> None:
        self.found.broken.setdefault(link.number, (link, what))

    # -- observations ---------------------------------------------------------------------------------------------

    def _numbered(self, link: Link) -> bool:
        """Whether a link covers observations that can be looked for under it."""
        if link.kind != "observations":
            return False
        if link.first is None or link.last is None or link.last - link.first + 1 != link.rows or link.rows < 1:
            self._wrong(link, f"it tells of {link.rows} observations, but numbers {link.first} to {link.last}")
            return False
        if link.first <= self.covered:
            self._wrong(link, f"it begins with observation {link.first}, but links before it reach to {self.covered}")
            return False
        if link.rows > self.total + _TOO_MANY:
            self._wrong(link, f"it tells of {link.rows} observations, more than there are at all")
            return False
        if link.first > self.covered + 1:
            self._strays(self.covered + 1, link.first - 1, link.number - 1)
        self.covered = link.last
        return True

    def _strays(self, first: int, last: int, after: int) -> None:
        count, number = strays(self.connection, first, last)
        if count and number is not None:
            more = f", the first of {count} such" if count > 1 else ""
            self.found.loose.append((after, f"{label(self.connection, number)} is under no link{more}"))

    def _observations(self, part: Sequence[Link]) -> None:
        """Check the observations under links whose numbers follow each other closely; a link may take several reads."""
        hashed, lasts = sha256(), np.array([link.last for link in part])
        for (first, last), rows in self.read(list(_reads(part)), part[0].version):
            self._contents(rows, part, lasts)
            for link in part[int(np.searchsorted(lasts, first)) :]:
                assert link.first is not None
                assert link.last is not None
                if link.first > last:
                    break
                low, high = max(link.first, first), min(link.last, last)
                begin, end = np.searchsorted(rows.numbers, low), np.searchsorted(rows.numbers, high, side="right")
                mine = slice(int(begin), int(end))
                self._places(link, rows, mine, low, high)
                if low == link.first:
                    hashed = sha256()
                hashed.update(rows.prints[mine].tobytes())
                if high == link.last and hashed.digest() != link.rows_hash:
                    self._wrong(
                        link,
                        f"its observations, {link.first} to {link.last}, are not the ones that were linked: one was changed "
                        "together with its own hash, or given to another dossier",
                    )
            self.found.observations += len(rows.numbers)
            self.progress(self.found.observations, self.total)

    def _contents(self, rows: Rows, part: Sequence[Link], lasts: Numbers) -> None:
        """Judge what was found wrong with single observations, and whether it was told that details were erased."""
        self.identities.add(rows.dossiers, rows.keys)
        wrong = dict(rows.changed)
        if rows.erased:
            told = erased_by(self.connection, rows.erased.values())
            for number, dossier_id in rows.erased.items():
                link = _link_of(part, lasts, number)
                if link is not None and told.get(dossier_id, -1) <= link.number:
                    wrong.setdefault(
                        number,
                        f"details of observation {number} (dossier {dossier_id}) are gone, and no event tells of it",
                    )
            if part[0].version == 1:
                self.found.unprovable += len(rows.erased)
        for number in sorted(wrong):
            link = _link_of(part, lasts, number)
            if link is not None:
                self._wrong(link, wrong[number])

    def _places(self, link: Link, rows: Rows, mine: slice, low: int, high: int) -> None:
        """Check that all numbers of a link are there, once, and from where and when it says."""
        numbers = rows.numbers[mine]
        if len(numbers) != high - low + 1 or np.any(np.diff(numbers) != 1):
            twice = numbers[1:][np.diff(numbers) == 0]
            missing = np.setdiff1d(np.arange(low, high + 1), numbers)
            if len(twice):
                self._wrong(link, f"two observations have the number {twice[0]}")
            else:
                more = f", the first of {len(missing)} such" if len(missing) > 1 else ""
                self._wrong(link, f"observation {missing[0]} is missing{more}")
        elsewhere = (rows.sources[mine] != link.source_id) | (rows.seen[mine] != link.seen)
        if np.any(elsewhere):
            other = numbers[np.argmax(elsewhere)]
            self._wrong(
                link,
                f"{label(self.connection, int(other))} is of another source, or seen at another instant, than its link",
            )

    # -- events and chain -----------------------------------------------------------------------------------------

    def _events(self, page: Sequence[Link], after: int) -> None:
        """Check the events under links, and that there are none under others."""
        numbers = {link.number: link for link in page}
        rows = events_between(self.connection, after, page[-1].number).iter_rows()
        held = {number: [(row[1], row[2]) for row in group] for number, group in groupby(rows, key=lambda row: row[0])}
        for number in held.keys() - numbers.keys():
            self.found.loose.append(
                (number, f"{_count(len(held[number]), 'event')} under link {number}, which there is not")
            )
        for link in page:
            events = held.get(link.number, [])
            self.found.events += len(events)
            if link.kind != "events":
                if events:
                    self._wrong(link, f"{_count(len(events), 'event')} stand under it, which covers observations")
                continue
            if len(events) != link.rows:
                self._wrong(link, f"it tells of {_count(link.rows, 'event')}, but {len(events)} stand under it")
            elif (
                sha256("\n".join(f"{dossier}|{event}" for dossier, event in events).encode()).digest() != link.rows_hash
            ):
                self._wrong(link, "an event under it was changed")

    def _chained(self, link: Link) -> None:
        """Check that a link follows on the one before it, by its hashes and its instants."""
        before = self.found.last
        expected = GENESIS if before is None else before.chain_hash
        if link.previous_hash != expected:
            last = "the beginning" if before is None else f"link {before.number}"
            self._wrong(
                link, f"it does not follow on {last}: a link between them is missing, or {last} was written anew"
            )
        elif link.source is None:
            self._wrong(link, f"its source, number {link.source_id}, is missing")
        elif chain_hash(link) != link.chain_hash:
            self._wrong(link, "its hash does not follow from what it tells: it was changed")
        elif before is not None and link.version < before.version:
            self._wrong(link, "it is made as links were before the one before it")
        elif link.seen < self.seen.get(link.source_id, link.seen):
            self._wrong(link, "its source was seen earlier than under a link before it: it was put into the past")
        self.seen[link.source_id] = max(link.seen, self.seen.get(link.source_id, link.seen))
        if link.linked is not None:
            if before is not None and before.linked is not None and link.linked < before.linked:
                self.found.backwards.add(link)
            if link.linked - link.seen > LATE:
                self.found.late.add(link)
            elif link.seen - link.linked > LATE:
                self.found.early.add(link)
        self.found.last = link


def _parts(readable: Sequence[Link]) -> Iterator[list[Link]]:
    """Links in a row of one version and without large gaps between their numbers."""
    part: list[Link] = []
    for link in readable:
        if part and (link.version != part[-1].version or (link.first or 0) - (part[-1].last or 0) > CHUNK):
            yield part
            part = []
        part.append(link)
    if part:
        yield part


def _reads(part: Sequence[Link]) -> Iterator[tuple[int, int]]:
    """The numbers of observations to read at a time."""
    first, last = part[0].first, part[-1].last
    assert first is not None
    assert last is not None
    for low in range(first, last + 1, CHUNK):
        yield low, min(low + CHUNK - 1, last)


def _link_of(part: Sequence[Link], lasts: Numbers, number: int) -> Link | None:
    """The link that covers an observation."""
    place = int(np.searchsorted(lasts, number))
    link = part[place] if place < len(part) else None
    return link if link is not None and (link.first or 0) <= number else None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
