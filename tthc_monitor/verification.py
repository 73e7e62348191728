"""Whether the ledger is what it was: everything recomputed, what is wrong in words, and a printed head looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from tthc_monitor.domain import ledger_heads
from tthc_monitor.domain.errors import LedgerError
from tthc_monitor.store.chain import Link, find_link, instant, newest_link, snapshot
from tthc_monitor.store.issued_proof import issues_that_changed
from tthc_monitor.store.verify_erasures import wrong_erasures
from tthc_monitor.store.verify_flags import flags_that_do_not_add_up
from tthc_monitor.store.verify_found import Found
from tthc_monitor.store.verify_guards import weak_guards
from tthc_monitor.store.verify_links import recompute
from tthc_monitor.store.verify_readers import Read, two_readers

_SHOWN: Final = 10
_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Mails and reports print days of this zone; so what is compared with them is told in it."""

_WRITING: Final = timedelta(minutes=15)
"""So long before it is sent a mail may have been written."""

_REMEDY: Final = (
    "do not change anything; keep this database and its backups as they are, and ask who had access to it. Mails and "
    "reports sent before show the heads of the ledger as it was: compare them with --head, and restore a backup that holds"
)
_HEAD_REMEDY: Final = (
    "compare the digits with the mail, and its day with --at, or try heads of other mails of this system with: tthc-monitor "
    "audit verify --head. If this is what the mail shows, do not change anything; keep this database and its backups as they "
    "are, and ask who had access to it"
)
_UNKNOWN: Final = (
    "no link of this ledger has the head {0}: it was mistyped, or is of another system, or the ledger was rewritten after it "
    "was printed, or links were removed from its end"
)


@dataclass(frozen=True)
class Finding:
    """One thing wrong. ``place`` is the number of the link, or of the one before it when ``link`` is None.

    ``of_head``: it is about the head that was given, which may have been given wrongly; not about the ledger by itself.
    """

    place: int
    what: str
    link: Link | None = None
    of_head: bool = False

    def __str__(self) -> str:
        if self.link is None:
            return self.what
        seen = self.link.seen_at
        when = "an impossible instant" if seen is None else _local(seen)
        source = self.link.source or f"number {self.link.source_id}"
        return f"link {self.link.number} (source {source}, seen {when}): {self.what}"


@dataclass(frozen=True)
class Verdict:
    """What a verification found.

    ``broken``
        what is wrong, by its place in the chain; empty when the ledger is sound.
    ``notices``
        what a person should know although nothing is wrong with the hashes.
    ``newest``
        the last link, whose hash is the head; None while the ledger is empty.
    ``known``
        the link of the head that was asked for.
    """

    links: int
    observations: int
    events: int
    newest: Link | None
    broken: Sequence[Finding]
    notices: Sequence[str]
    known: Link | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.broken

    @property
    def counts(self) -> str:
        """How much was recomputed."""
        return f"{self.links:,} links, {self.observations:,} observations, {self.events:,} events"

    def require(self, remedy: str = _REMEDY) -> None:
        """Raise when something is wrong.

        Args:
            remedy: what to do then.

        Raises:
            LedgerError: names the first broken link and how many others there are; or says that the ledger agrees with
                itself, when nothing but the head that was given is not proved.
        """
        if self.sound:
            return
        if all(one.of_head for one in self.broken):
            why = "; ".join(one.what for one in self.broken)
            raise LedgerError(
                f"the ledger agrees with itself: {self.counts}, but this head is not proved: {why}; {_HEAD_REMEDY}"
            )
        first, *others = self.broken
        lines = [f"the ledger is broken, first here: {first}"]
        lines += [f"  also: {one}" for one in others[: _SHOWN - 1]]
        if len(others) >= _SHOWN:
            lines.append(f"  and {len(others) - _SHOWN + 1} others")
        raise LedgerError("\n".join([*lines, remedy]))


def verify(
    engine: Engine,
    *,
    head: str | None = None,
    at: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Recompute the ledger in one snapshot of the database, while pulls may go on.

    Args:
        head: a head from an old mail or report, whole or its beginning: it must be the hash of a link.
        at: when that was sent: the link must be the newest that had been linked by then.
        progress: told how many observations are through, and of how many.

    Raises:
        ConfigError: the head is not one.
        DatabaseError: see :func:`tthc_monitor.store.chain.snapshot`.
    """
    digits = None if head is None else ledger_heads.digits(head)
    with snapshot(engine) as connection, two_readers(engine, connection) as read:
        return examine(connection, digits=digits, at=at, progress=progress, read=read)


def examine(
    connection: Connection,
    *,
    digits: str | None = None,
    at: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
    read: Read | None = None,
) -> Verdict:
    """:func:`verify` within a transaction of the caller's, who has made it fit for that."""
    found = recompute(connection, progress, read)
    place = 0 if found.last is None else found.last.number
    broken = [Finding(number, what, link) for number, (link, what) in found.broken.items()]
    broken += [Finding(after, what) for after, what in found.loose]
    broken += [
        Finding(place, what)
        for what in (
            *weak_guards(connection),
            *flags_that_do_not_add_up(connection),
            *wrong_erasures(connection),
            *issues_that_changed(connection),
        )
    ]
    known = None
    if digits is not None:
        known = find_link(connection, digits)
        broken.extend(_head_findings(connection, digits, known, at, place))
    # A link comes before what lies behind it.
    broken.sort(key=lambda one: (one.place, one.link is None))
    return Verdict(found.links, found.observations, found.events, found.last, broken, tuple(_notices(found)), known)


def _head_findings(
    connection: Connection, digits: str, known: Link | None, at: datetime | None, place: int
) -> Iterator[Finding]:
    if known is None:
        yield Finding(place, _UNKNOWN.format(ledger_heads.grouped(digits)), of_head=True)
    elif at is not None:
        # A mail is written before it is sent, and a link is there for others a while after it was linked.
        newest, before = newest_link(connection, at), newest_link(connection, at - _WRITING)
        if newest is None or not (0 if before is None else before.number) <= known.number <= newest.number:
            stands = "no link" if newest is None else f"link {newest.number}"
            yield Finding(
                known.number,
                f"the head is of link {known.number}, but {stands} was the newest linked by {_local(at)}: the instant is not "
                "the one at which the mail was sent, or links were added with an altered clock",
                of_head=True,
            )


def _notices(found: Found) -> Iterator[str]:
    if found.unprovable:
        yield (
            f"{found.unprovable} observations from before hashes were made in two steps have no details any more: only the "
            "hash that stands with each proves what is left of it"
        )
    for odd, what in (
        (found.late, "more than an hour after their source was seen; look whether somebody added them by hand"),
        (found.early, "more than an hour before their source was seen; look at the clocks of program and server"),
        (found.backwards, "before the link ahead of them; look whether the server's clock was set back"),
    ):
        if odd.count:
            more = f" and {odd.count - len(odd.first)} others" if odd.count > len(odd.first) else ""
            which = "; ".join(told(link) for link in odd.first)
            yield f"by the server's clock {odd.count} links were linked {what}: {which}{more}"


def told(link: Link) -> str:
    """A link in a few words: its number, source and when it was seen and linked."""
    seen = link.seen_at
    linked = None if link.linked is None else instant(link.linked)
    parts = [f"link {link.number}", f"source {link.source}"]
    parts += [] if seen is None else [f"seen {_local(seen)}"]
    parts += [] if linked is None else [f"linked {_local(linked)}"]
    return ", ".join(parts)


def _local(moment: datetime) -> str:
    """An instant to the second by the clocks of Viet Nam, with its offset; as it is where the calendar ends."""
    with suppress(OverflowError):
        moment = moment.astimezone(_ZONE)
    return moment.isoformat(" ", "seconds")
