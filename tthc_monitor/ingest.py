"""One pull: connector → staging → checks → ledger and projection; each round of it all or nothing.

Most pulls are one round. A connector that tells of dossiers as they were one after the other begins a new round for
each state: what was staged is then taken in by itself, with the cursor so far, so that a pull that breaks off has kept
whole rounds and goes on behind them. What can only be said of a whole pull, the number of its rows say, is looked at
before the last round is taken in, which for most pulls is before anything is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine, text

from connectors.base import Connector
from tthc_monitor.domain.errors import TransientSourceError, TthcError
from tthc_monitor.domain.pull_assertions import Assertions
from tthc_monitor.intake import Intake, Progress
from tthc_monitor.rehearsal import Rehearsal, rehearse
from tthc_monitor.store import inbox, ledger, runs, staging
from tthc_monitor.store.database import first_line, session
from tthc_monitor.store.projection import Asked
from tthc_monitor.store.spool import Spool
from tthc_monitor.store.unknown_codes import forget_old_unknown_codes, keep_unknown_codes
from tthc_monitor.store.vanished import mark_given, mark_vanished

__all__ = ["Assertions", "Progress", "Rehearsal", "pull", "rehearse"]

log = structlog.get_logger(__name__)

_PULL_LOCK = 7_411_003


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
        TthcError: the pull failed; the data held are those of the last good pull and of the rounds that were kept.
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


@dataclass
class _Run:
    """A pull under way, and what of it is committed."""

    work: Connection
    source: runs.Source
    run_id: int
    started_at: datetime
    now: Callable[[], datetime]
    intake: Intake
    spool: Spool
    listing: runs.Listing | None
    kept: tuple[int, int, int] = (0, 0, 0)

    def append(self) -> datetime:
        """Take in the round that is staged, in the transaction under way; returns when it was seen."""
        intake, totals, listing = self.intake, self.intake.totals, self.listing
        seen_at = self.now()
        at = min(self.started_at, intake.round_as_of or self.started_at)
        appended = ledger.append(
            self.work,
            self.spool,
            run_id=self.run_id,
            source_id=self.source.source_id,
            seen_at=seen_at,
            cursor=intake.cursor,
            asked=Asked(at) if listing is None else Asked(at, listing.asked_at, listing.held_until),
        )
        totals.dossiers_new += appended.new
        totals.dossiers_changed += appended.changed
        totals.rounds += 1
        if listing is None or at >= listing.asked_at:
            mark_given(self.work, self.source.source_id)
        return seen_at

    def commit(self) -> None:
        """Make it last."""
        self.work.commit()
        totals = self.intake.totals
        self.kept = (totals.dossiers_new, totals.dossiers_changed, totals.rounds)
        self.intake.volume.rounds_kept = totals.rounds

    def forget_uncommitted(self) -> runs.Totals:
        """The totals of what is committed."""
        totals = self.intake.totals
        totals.dossiers_new, totals.dossiers_changed, totals.rounds = self.kept
        return totals


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
    listing = runs.last_listing(work, source.source_id)
    work.commit()
    bound = log.bind(run_id=run_id, source=source.name)
    with Spool() as spool:
        intake = Intake(work, spool, connector, source.source_id, assertions.min_fill)
        run = _Run(work, source, run_id, started_at, now, intake, spool, listing)
        try:
            for _ in intake.rounds(source.cursor, progress):
                _keep_round(run, assertions)
            _finish(run, assertions, bound)
        except BaseException as error:
            if work.invalidated:
                raise  # the next run finds this one open and closes it
            work.rollback()
            totals = run.forget_uncommitted()
            message = str(error) if isinstance(error, TthcError) else f"{type(error).__name__}: {first_line(error)}"
            runs.keep_rejects(work, run_id, intake.rejects)
            keep_unknown_codes(work, run_id, intake.unknown)
            runs.close_run(work, run_id, now(), totals, message)
            work.commit()
            bound.warning("pull_failed", error=message, **asdict(totals))
            raise
    bound.info("pull_done", **asdict(intake.totals))
    return intake.totals


def _keep_round(run: _Run, assertions: Assertions) -> None:
    run.intake.end_round(run.source.name)
    assertions.check_readable(run.intake.volume)
    run.append()
    staging.end_round(run.work, run.spool)
    runs.note_totals(run.work, run.run_id, run.intake.totals)
    run.commit()


def _finish(run: _Run, assertions: Assertions, bound: structlog.stdlib.BoundLogger) -> None:
    work, source, intake, run_id = run.work, run.source, run.intake, run.run_id
    before = runs.volumes_before(work, source.source_id)
    work.rollback()
    assertions.check(intake.volume, before, full=intake.gave_all, listed_all=intake.listed_all)
    listed_all = intake.listed_all
    absent, note = intake.look_directly() if listed_all else (None, None)
    if note is not None:
        bound.warning("not_looked_directly", reason=note)
    intake.end_round(source.name)
    seen_at = run.append()
    if listed_all:
        all_read = not intake.volume.unreadable
        doubt = mark_vanished(work, source.source_id, seen_at, source.name, all_read=all_read, absent=absent)
        if doubt is not None:
            listed_all, note = False, doubt.reason
            intake.rejects.append(doubt)
            bound.warning("open_dossiers_not_listed", reason=doubt.reason)
    runs.keep_rejects(work, run_id, intake.rejects)
    runs.forget_old_rejects(work, source)
    keep_unknown_codes(work, run_id, intake.unknown)
    forget_old_unknown_codes(work, source)
    inbox.prune(work, source.name, run.started_at)
    listed_at = min(run.started_at, intake.as_of or run.started_at) if listed_all else None
    runs.close_run(work, run_id, run.now(), intake.totals, None, listed_at, note, was_full=intake.gave_all)
    run.commit()
