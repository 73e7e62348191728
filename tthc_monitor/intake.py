"""What a connector gives, made sound and staged page by page; counted, and told apart by rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

import polars as pl
from sqlalchemy import Connection

from connectors.base import Connector, Cursor, LooksDirectly, Page
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError
from tthc_monitor.domain.patches import completed
from tthc_monitor.domain.pull_assertions import Volume
from tthc_monitor.domain.records import Batch, Reject
from tthc_monitor.domain.soundness import sift
from tthc_monitor.store import ledger, staging
from tthc_monitor.store.ahead import one_ahead
from tthc_monitor.store.runs import Totals
from tthc_monitor.store.spool import Spool
from tthc_monitor.store.vanished import find_missing

REJECTS_KEPT: Final = 100_000
CODES_COUNTED: Final = 10_000
LOOKS_A_PULL: Final = 1_000
"""Dossiers asked for directly in one pull at most; the others wait for the next, and do not count as vanished before."""
LOOK_PORTION: Final = 100

_UNMAPPED: Final = pl.col("status").is_null() & pl.col("source_status").is_not_null()


class Progress(Protocol):
    """Told how far a pull is: rows read so far, and the total when the source says it."""

    def __call__(self, rows: int, total: int | None) -> None:
        """Take note."""
        ...


class Intake:
    """A pull while it is read.

    Attributes:
        totals: what was read so far; what became of it is its user's to fill in.
        volume: the same, for the assertions.
        rejects: all of them up to a limit, so that a source of nothing but rubbish cannot fill the memory.
        unknown: rows by canonical column and code, of codes that are not mapped.
        cursor: the newest so far; None: unchanged.
        round_as_of: the earliest instant whose state a page of this round tells; None: that of the asking.
        round_undated: whether nobody can say of a page of this round as of when it tells.
        as_of: the earliest instant of the whole pull.
        outdated: dossiers of which something newer was held than what was given.
        erased: dossiers that were given although retention has erased their details; they are left out.
        listed_all: whether all open dossiers were listed.
        gave_all: whether everything was given: there was no cursor to go on from, or the connector says so.
    """

    def __init__(
        self, work: Connection, spool: Spool, connector: Connector, source_id: int, watched: Collection[str] = ()
    ) -> None:
        self.totals, self.volume = Totals(), Volume()
        self.rejects: list[Reject] = []
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.cursor: Cursor | None = None
        self.round_as_of: datetime | None = None
        self.as_of: datetime | None = None
        self.round_undated = False
        self.outdated = self.erased = 0
        self.listed_all = self.gave_all = False
        self._work, self._spool, self._connector = work, spool, connector
        self._source_id, self._watched = source_id, tuple(watched)
        self._staged = 0
        self._keys: list[pl.Series] = []
        self._undated = False
        self._in_rounds = False

    def rounds(self, cursor: Cursor | None, progress: Progress | None = None) -> Iterator[None]:
        """Stage all pages; stops after each round but the last, for what is staged to be taken in."""
        staging.create_staging(self._work)
        self._work.commit()
        for page, batch, records in one_ahead(self._prepared(self._connector.fetch(cursor))):
            if page.new_round and self._staged:
                yield
                self._staged, self._keys, self.round_as_of, self.round_undated = 0, [], None, False
            self._stage(page, batch, records)
            self.cursor = page.cursor if page.cursor is not None else self.cursor
            self.listed_all = page.listed_all and not self._undated
            self.gave_all = page.gave_all or (cursor is None and not page.part)
            if progress is not None:
                progress(self.totals.rows_read, page.total)

    def end_round(self, location: str) -> None:
        """Keep the last record of each dossier in this round, unless a newer one is held of it.

        Repeated ones that differed are told among the rejects. Dossiers whose details are erased are left out before.
        """
        self.erased += staging.drop_erased(self._work, self._source_id)
        repeated, differing = staging.drop_repeated(self._work, possible=staging.may_repeat(self._keys))
        reason = "given more than once with different content in one pull; the last was kept"
        self.totals.rows_repeated += repeated
        self.totals.rows_rejected += len(differing)
        self._keep([Reject(location, None, "source_key", reason, key) for key in differing])
        if self.round_as_of is not None:
            self.outdated += staging.drop_outdated(self._work, self._source_id)

    def count(self) -> None:
        """Count what only the whole tells, once the last round is ended."""
        self.volume.repeated = self.totals.rows_repeated
        self.volume.open_rows = self.totals.rows_open = staging.open_dossiers(self._work)

    def told_at(self, started_at: datetime) -> datetime:
        """The instant as of which a pull that began then tells."""
        return min(started_at, self.as_of or started_at)

    def look_directly(self, at: datetime, location: str) -> tuple[Sequence[str] | None, str | None]:
        """Ask for the dossiers that would count as vanished now, and stage those that are found.

        To be called when the last round is ended and nothing of it is taken in, outside a transaction. A dossier that was
        just listed is asked for with them: a source that does not have it either is not asked as it should be.

        Args:
            at: the instant as of which the pull listed what is open.
            location: what a reject names.

        Returns:
            the keys of those that the source does not have, None where it cannot be asked; and what a person should
            know when it could not answer.
        """
        if not isinstance(self._connector, LooksDirectly):
            return None, None
        missing = find_missing(self._work, self._source_id, at)
        control = staging.one_listed(self._work) if missing.again else None
        self._work.rollback()
        if missing.doubt is not None or control is None:
            return (), None
        staged = self._staged
        absent, note = self._look(self._connector, missing.again[:LOOKS_A_PULL], control)
        if self._staged > staged:
            self.end_round(location)
            self._work.commit()
        return absent, note

    def _look(self, connector: LooksDirectly, keys: Sequence[str], control: str) -> tuple[Sequence[str], str | None]:
        absent: list[str] = []
        for start in range(0, len(keys), LOOK_PORTION):
            portion = keys[start : start + LOOK_PORTION]
            try:
                gone = self._absent(connector, portion, control)
            except (TransientSourceError, PermanentSourceError) as error:
                note = (
                    f"{len(keys)} dossiers were missed again and could not be asked for, so none has vanished: {error}"
                )
                return (), note
            if gone is None:
                note = (
                    f"{len(keys)} dossiers were missed again, but asked for one that was just listed the source did not "
                    "have it either, so none has vanished; correct how single dossiers are asked for"
                )
                return (), note
            absent += gone
        return absent, None

    def _absent(self, connector: LooksDirectly, keys: Sequence[str], control: str) -> Sequence[str] | None:
        """Those of the keys that the source does not have; None when it does not have the one just listed either."""
        found: set[str] = set()
        unreadable = self.volume.unreadable
        for page, batch, records in one_ahead(self._prepared(connector.look([*keys, control]))):
            found.update(records["source_key"])
            # Of the one just listed the list was read already.
            others = records.filter(pl.col("source_key") != control)
            rows_read = batch.rows_read - records.height + others.height
            told = batch.records.filter(pl.col("source_key") != control)
            self._stage(page, replace(batch, records=told, rows_read=rows_read), others)
        # What was refused may be any of those that were asked for.
        if self.volume.unreadable > unreadable:
            return []
        return [key for key in keys if key not in found] if control in found else None

    def _prepared(self, pages: Iterable[Page]) -> Iterator[tuple[Page, Batch, pl.DataFrame]]:
        for page in pages:
            given = self._connector.normalise(page)
            records, unsound = sift(given.records, page.location, patch=given.patch)
            rows_read = max(given.rows_read, given.records.height + len(given.rejects))
            rejects = (*given.rejects, *unsound)
            batch = Batch(records, rejects, rows_read, given.patch, given.clears, given.unknown)
            yield page, batch, ledger.cleaned(records) if given.patch else ledger.prepare(records)

    def _stage(self, page: Page, batch: Batch, records: pl.DataFrame) -> None:
        self.totals.rows_read += batch.rows_read
        self.volume.rows += batch.rows_read
        self._refuse(batch.rejects)
        self._count_codes(batch)
        if batch.patch:
            records = self._completed(records, batch.clears, page.location)
        else:
            self.volume.whole += records.height
            self.volume.filled.update(
                {name: records.height - batch.records[name].null_count() for name in self._watched}
            )
        # What happened is told in its order: of messages each counts, whenever it came.
        self._in_rounds |= page.new_round
        comparable = not self._in_rounds and not batch.patch
        staging.stage(self._work, self._spool, records, page.as_of if comparable else None)
        self._staged += records.height
        self._keys.append(records["source_key"].hash())
        # Short transactions: a source may take hours, and an open transaction keeps the server from cleaning up.
        self._work.commit()
        if page.undated:
            self._undated = self.round_undated = True
        if page.as_of is not None:
            self.round_as_of = min(page.as_of, self.round_as_of or page.as_of)
            self.as_of = min(page.as_of, self.as_of or page.as_of)

    def _completed(self, patches: pl.DataFrame, clears: Collection[str], location: str) -> pl.DataFrame:
        known = staging.known_records(self._work, self._spool, self._source_id, patches["source_key"])
        whole, unsound = sift(completed(patches, known, clears), location)
        self._refuse(unsound)
        # What a patch completes, in this round, is told once: the patch is no mistake of the source.
        superseded = staging.supersede(self._work, whole["source_key"])
        self.totals.rows_repeated += superseded + patches.height - whole.height - len(unsound)
        return ledger.prepare(whole)

    def _count_codes(self, batch: Batch) -> None:
        unmapped = batch.records.filter(_UNMAPPED)["source_status"]
        self.totals.rows_unmapped_status += len(unmapped)
        told = dict(batch.unknown)
        if unmapped.len() and not any(field == "status" for field, _ in told):
            told |= {("status", code): rows for code, rows in unmapped.value_counts().rows()}
        for key, rows in told.items():
            if key in self.unknown or len(self.unknown) < CODES_COUNTED:
                self.unknown[key] += rows

    def _refuse(self, rejects: Sequence[Reject]) -> None:
        self.totals.rows_rejected += len(rejects)
        self.volume.unreadable += len(rejects)
        self._keep(rejects)

    def _keep(self, rejects: Sequence[Reject]) -> None:
        self.rejects.extend(rejects[: max(0, REJECTS_KEPT - len(self.rejects))])
