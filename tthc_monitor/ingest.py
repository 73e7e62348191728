"""One pull: connector → staging → checks → ledger and projection, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

import polars as pl
import structlog
from sqlalchemy import Connection, Engine, text

from connectors.base import Connector, Cursor, Page
from tthc_monitor.domain.errors import DataAssertionError, TransientSourceError, TthcError
from tthc_monitor.domain.records import Batch, Reject
from tthc_monitor.domain.soundness import sift
from tthc_monitor.store import ledger, runs
from tthc_monitor.store.ahead import one_ahead
from tthc_monitor.store.database import first_line, session
from tthc_monitor.store.projection import Asked
from tthc_monitor.store.spool import Spool
from tthc_monitor.store.vanished import mark_vanished

log = structlog.get_logger(__name__)

_REJECTS_KEPT = 100_000
_PULL_LOCK = 7_411_003


class Progress(Protocol):
    """Told how far a pull is: rows read so far, and the total when the source says it."""

    def __call__(self, rows: int, total: int | None) -> None:
        """Take note."""
        ...


@dataclass(frozen=True)
class Assertions:
    """What must hold of a pull as a whole, else it fails and the data held stay as they are.

    ``max_reject_share``
        largest share of rows that may be rejected, 0 to 1.
    ``min_rows``
        fewest rows that a full pull may give: one that had no cursor to go on from.
    """

    max_reject_share: float = 0.05
    min_rows: int = 0

    def check(self, totals: runs.Totals, *, full: bool) -> None:
        """Raise :class:`DataAssertionError` when a pull does not look right."""
        if full and totals.rows_read < self.min_rows:
            raise DataAssertionError(
                f"the source gave {totals.rows_read} rows, fewer than min_rows {self.min_rows}; nothing was changed. "
                "Look at the source, or lower min_rows if this is right."
            )
        share = totals.rows_rejected / totals.rows_read if totals.rows_read else 0.0
        if share > self.max_reject_share:
            raise DataAssertionError(
                f"{totals.rows_rejected} of {totals.rows_read} rows were rejected ({share:.1%}), more than "
                f"max_reject_share {self.max_reject_share:.1%}; nothing was changed. Look at the reasons with "
                "'tthc-monitor sources rejects', then mend the mapping or the source."
            )


def pull(
    engine: Engine,
    name: str,
    kind: str,
    connector: Connector,
    *,
    now: Callable[[], datetime],
    assertions: Assertions | None = None,
    progress: Progress | None = None,
) -> runs.Totals:
    """Pull one source.

    The run and its rejects are recorded whatever happens. Two pulls of the same source never overlap.

    Raises:
        TthcError: the pull failed; the data held are those of the last good pull.
    """
    assertions = assertions or Assertions()
    with session(engine) as work:
        source = runs.register_source(work, name, kind, connector.provides)
        work.commit()
        if not work.scalar(text("SELECT pg_try_advisory_lock(:lock, :source)"), _pull_lock(source)):
            raise TransientSourceError(f"source {name} is being pulled already; wait for that run to end")
        try:
            return _run(work, source, connector, now, assertions, progress)
        finally:
            if not work.invalidated:  # a lost connection has taken its lock and tables with it
                work.rollback()
                work.execute(text("DISCARD TEMP"))
                work.execute(text("SELECT pg_advisory_unlock(:lock, :source)"), _pull_lock(source))
                work.commit()


def _pull_lock(source: runs.Source) -> dict[str, int]:
    return {"lock": _PULL_LOCK, "source": source.source_id}


def _run(
    work: Connection,
    source: runs.Source,
    connector: Connector,
    now: Callable[[], datetime],
    assertions: Assertions,
    progress: Progress | None,
) -> runs.Totals:
    started_at = now()
    run_id = runs.open_run(work, source, started_at)
    work.commit()
    bound = log.bind(run_id=run_id, source=source.name)
    totals, rejects = runs.Totals(), _Rejects()
    try:
        with Spool() as spool:
            cursor, as_of, listed_all = _stage_all(work, spool, connector, source.cursor, totals, rejects, progress)
            totals.rows_repeated, differing = ledger.drop_repeated(work)
            reason = "given more than once with different content in one pull; the last was kept"
            rejects.add([Reject(source.name, None, "source_key", reason, key) for key in differing])
            assertions.check(totals, full=source.cursor is None)
            before = runs.asked_before(work, source.source_id, run_id) if listed_all else None
            seen_at = now()
            asked = Asked(min(started_at, as_of or started_at), before)
            appended = ledger.append(
                work, spool, run_id=run_id, source_id=source.source_id, seen_at=seen_at, cursor=cursor, asked=asked
            )
            totals.dossiers_new, totals.dossiers_changed = appended.new, appended.changed
            if listed_all:
                doubt = mark_vanished(work, source.source_id, seen_at, source.name, all_read=not totals.rows_rejected)
                if doubt is not None:
                    listed_all = False
                    rejects.kept.append(doubt)
                    bound.warning("open_dossiers_not_listed", reason=doubt.reason)
            runs.keep_rejects(work, run_id, rejects.kept)
            runs.forget_old_rejects(work, source)
            runs.close_run(work, run_id, now(), totals, None, asked.at if listed_all else None)
            work.commit()
    except BaseException as error:
        if work.invalidated:
            raise  # the next run finds this one open and closes it
        work.rollback()
        message = str(error) if isinstance(error, TthcError) else f"{type(error).__name__}: {first_line(error)}"
        runs.keep_rejects(work, run_id, rejects.kept)
        runs.close_run(work, run_id, now(), totals, message)
        work.commit()
        bound.warning("pull_failed", error=message, **asdict(totals))
        raise
    bound.info("pull_done", **asdict(totals))
    return totals


class _Rejects:
    """Rejects to keep: all of them up to a limit, so that a source of nothing but rubbish cannot fill the memory."""

    def __init__(self) -> None:
        self.kept: list[Reject] = []

    def add(self, found: Sequence[Reject]) -> None:
        """Keep these as far as there is room."""
        self.kept.extend(found[: max(0, _REJECTS_KEPT - len(self.kept))])


def _stage_all(
    work: Connection,
    spool: Spool,
    connector: Connector,
    cursor: Cursor | None,
    totals: runs.Totals,
    rejects: _Rejects,
    progress: Progress | None,
) -> tuple[Cursor | None, datetime | None, bool]:
    """Stage all pages; returns the cursor to keep, the earliest instant whose state a page tells, and whether all open
    dossiers were listed.
    """
    ledger.create_staging(work)
    newest: Cursor | None = None
    as_of: datetime | None = None
    listed_all = False

    def prepared() -> Iterator[tuple[Page, Batch, pl.DataFrame]]:
        for page in connector.fetch(cursor):
            given = connector.normalise(page)
            records, unsound = sift(given.records, page.location)
            rows_read = max(given.rows_read, given.records.height + len(given.rejects))
            yield page, Batch(records, (*given.rejects, *unsound), rows_read), ledger.prepare(records)

    for page, batch, records in one_ahead(prepared()):
        ledger.stage(work, spool, records)
        # Short transactions: a source may take hours, and an open transaction keeps the server from cleaning up.
        work.commit()
        rejects.add(batch.rejects)
        unmapped = pl.col("status").is_null() & pl.col("source_status").is_not_null()
        totals.rows_read += batch.rows_read
        totals.rows_rejected += len(batch.rejects)
        totals.rows_unmapped_status += int(records.select(unmapped.sum()).item())
        newest = page.cursor if page.cursor is not None else newest
        listed_all = page.listed_all
        if page.as_of is not None:
            as_of = min(page.as_of, as_of or page.as_of)
        if progress is not None:
            progress(totals.rows_read, page.total)
    return newest, as_of, listed_all
