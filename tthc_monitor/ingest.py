"""One pull: connector → staging → checks → ledger and projection; each round of it all or nothing.

Most pulls are one round. A connector that tells of dossiers as they were one after the other begins a new round for
each state: what was staged is then taken in by itself, with the cursor so far, so that a pull that breaks off has kept
whole rounds and goes on behind them. What can only be said of a whole pull, the number of its rows say, is looked at
before the last round is taken in, which for most pulls is before anything is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine, text

from connectors.base import Connector
from tthc_monitor.domain.errors import StoppedError, TransientSourceError, recordable
from tthc_monitor.domain.pull_assertions import Assertions
from tthc_monitor.domain.stopping import Check, never
from tthc_monitor.intake import Intake, Progress
from tthc_monitor.rehearsal import Rehearsal, rehearse
from tthc_monitor.store import inbox, ledger, runs, staging
from tthc_monitor.store.database import session
from tthc_monitor.store.projection import Asked
from tthc_monitor.store.spool import Spool
from tthc_monitor.store.unknown_codes import forget_old_unknown_codes, keep_unknown_codes
from tthc_monitor.store.vanished import leave_out, mark_given, mark_vanished, unsure

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
    by_hand: bool = False,
    scope: str | None = None,
    check: Check = never,
) -> runs.Totals:
    """Pull one source.

    The run and its rejects are recorded whatever happens. Two pulls of the same source never overlap.

    Args:
        by_hand: a person asked for it; it is recorded, since such a pull tells nothing of how often the schedule may ask.
        scope: fingerprint of what the source is asked for: where it was another when all open dossiers were listed last,
            those that are not listed now are left out by it, and have not vanished. None: not compared.

        check: called after each page; the rounds kept by then stay.

    Raises:
        StoppedError: ``check`` said so; the run is recorded as stopped, and the next goes on behind the last round kept.
        TthcError: the pull failed; the data held are those of the last good pull and of the rounds that were kept.
    """
    assertions = assertions or Assertions()
    with session(engine) as work:
        source = runs.register_source(work, name, kind, connector.provides)
        work.commit()
        if not work.scalar(text("SELECT pg_try_advisory_lock(:lock, :source)"), _pull_lock(source)):
            raise TransientSourceError(f"source {name} is being pulled already; wait for that run to end")
        try:
            # What the pull that held the lock until now has stored is part of where this one goes on from.
            source = runs.find_source(work, name)
            return _run(
                work, source, connector, now, assertions, _checked(progress, check), by_hand=by_hand, scope=scope
            )
        finally:
            if not work.invalidated:  # a lost connection has taken its lock and tables with it
                work.rollback()
                work.execute(text("DISCARD TEMP"))
                work.execute(text("SELECT pg_advisory_unlock(:lock, :source)"), _pull_lock(source))
                work.commit()


def _checked(progress: Progress | None, check: Check) -> Progress:
    def told(rows: int, total: int | None) -> None:
        check()
        if progress is not None:
            progress(rows, total)

    return told


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
    scope: str | None
    kept: tuple[int, int, int] = (0, 0, 0)

    def append(self) -> ledger.Seen:
        """Take in the round that is staged, in the transaction under way; returns when it was seen."""
        intake, totals, listing = self.intake, self.intake.totals, self.listing
        seen = ledger.see(self.work, self.run_id, self.source.source_id, self.now)
        dated = min(self.started_at, intake.round_as_of or self.started_at)
        at = None if intake.round_undated else dated
        appended = ledger.append(
            self.work,
            self.spool,
            seen,
            cursor=intake.cursor,
            asked=Asked(at) if listing is None else Asked(at, listing.asked_at, listing.held_until),
        )
        totals.dossiers_new += appended.new
        totals.dossiers_changed += appended.changed
        totals.rounds += 1
        if at is not None and (listing is None or at >= listing.asked_at):
            mark_given(self.work, seen)
        return seen

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
    progress: Progress,
    *,
    by_hand: bool,
    scope: str | None,
) -> runs.Totals:
    started_at, began = now(), time.monotonic()
    run_id = runs.open_run(work, source, started_at, by_hand=by_hand)
    listing = runs.last_listing(work, source.source_id)
    work.commit()
    bound = log.bind(run_id=run_id, source=source.name)
    with Spool() as spool:
        intake = Intake(work, spool, connector, source.source_id, assertions.min_fill)
        run = _Run(work, source, run_id, started_at, now, intake, spool, listing, scope)
        try:
            for _ in intake.rounds(source.cursor, progress):
                _keep_round(run, assertions)
            _finish(run, assertions, bound)
        except BaseException as error:
            if work.invalidated:
                raise  # the next run finds this one open and closes it
            work.rollback()
            totals = run.forget_uncommitted()
            message = recordable(error)
            runs.keep_rejects(work, run_id, intake.rejects)
            keep_unknown_codes(work, run_id, intake.unknown)
            stopped = isinstance(error, StoppedError)
            runs.close_run(work, run_id, now(), totals, message, stopped=stopped)
            work.commit()
            if stopped:
                bound.info("pull_stopped", seconds=_since(began), **asdict(totals))
            else:
                bound.warning("pull_failed", error=message, seconds=_since(began), **asdict(totals))
            raise
    bound.info("pull_done", seconds=_since(began), **asdict(intake.totals))
    return intake.totals


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _keep_round(run: _Run, assertions: Assertions) -> None:
    run.intake.end_round(run.source.name)
    assertions.check_readable(run.intake.volume)
    run.append()
    staging.end_round(run.work, run.spool)
    runs.note_totals(run.work, run.run_id, run.intake.totals)
    run.commit()


def _finish(run: _Run, assertions: Assertions, bound: structlog.stdlib.BoundLogger) -> None:
    work, source, intake, run_id = run.work, run.source, run.intake, run.run_id
    intake.end_round(source.name)
    intake.count()
    before = runs.volumes_before(work, source.source_id)
    work.commit()
    assertions.check(intake.volume, before, full=intake.gave_all, listed_all=intake.listed_all)
    at = intake.told_at(run.started_at)
    # A listing of before the newest one tells nothing that is not known better.
    listed_all = intake.listed_all and (run.listing is None or at >= run.listing.asked_at)
    rescoped = None not in (run.scope, source.scope) and run.scope != source.scope
    absent, note = intake.look_directly(at, source.name) if listed_all and not rescoped else (None, None)
    if note is not None:
        bound.warning("not_looked_directly", reason=note)
    notes = [] if note is None else [note]
    if intake.outdated:
        notes.append(f"{intake.outdated} dossiers were left out: what is held of them is newer than what was given")
    if intake.erased:
        notes.append(
            f"{intake.erased} records were left out: they are of dossiers that ended long ago, whose details are erased"
        )
    seen = run.append()
    if listed_all and rescoped:
        left_out = leave_out(work, seen, at)
        notes.append(
            f"what the source is asked for was changed; {left_out} open dossiers are not listed since then, and do not "
            "count as vanished until they are given again"
        )
    elif listed_all:
        all_read = not intake.volume.unreadable
        marked = mark_vanished(work, seen, at, source.name, all_read=all_read, absent=absent)
        if marked.unsure:
            notes.append(unsure(marked.unsure, intake.volume.unreadable))
        if marked.doubt is not None:
            listed_all = False
            notes.append(marked.doubt.reason)
            intake.rejects.append(marked.doubt)
            bound.warning("open_dossiers_not_listed", reason=marked.doubt.reason)
    if listed_all and run.scope is not None:
        runs.keep_scope(work, source.source_id, run.scope)
    runs.keep_rejects(work, run_id, intake.rejects)
    runs.forget_old_rejects(work, source)
    keep_unknown_codes(work, run_id, intake.unknown)
    forget_old_unknown_codes(work, source)
    inbox.prune(work, source.name, run.started_at)
    told = "; ".join(notes) or None
    listed_at = at if listed_all else None
    runs.close_run(work, run_id, run.now(), intake.totals, None, listed_at, told, was_full=intake.gave_all)
    run.commit()
