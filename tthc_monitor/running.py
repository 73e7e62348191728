"""One run of a job: its slot claimed, its lease renewed while it goes on, its end recorded by whoever still holds it."""

from __future__ import annotations

import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Final, Literal
from uuid import uuid4

import structlog
from structlog.contextvars import bound_contextvars

from tthc_monitor.domain.errors import (
    BusyError,
    DatabaseError,
    DeliveryError,
    StoppedError,
    TransientSourceError,
    TthcError,
    recordable,
)
from tthc_monitor.domain.schedules import Schedule
from tthc_monitor.domain.stopping import Stop
from tthc_monitor.installation import Installation
from tthc_monitor.store import job_runs, totals
from tthc_monitor.store.database import transaction
from tthc_monitor.store.job_runs import Claim

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=3)
"""So long after a process died its run is taken over."""

_RENEWALS = 4
"""How often a lease is renewed before it would run out."""
_BACK_OFF = timedelta(minutes=5)
"""How long after a failure that passes by itself a slot is tried again."""
_RECORDING_SECONDS = 60.0
"""So long it is tried to record how a run ended, while the database does not answer."""
_RECORDING_PAUSE = 0.5

Ended = Literal["ok", "failed", "stopped", "lost"]
"""``stopped``: asked to end early, the slot is open again; ``lost``: another process had taken it over meanwhile."""

_names: dict[int, str] = {}


def process_name() -> str:
    """This process as people and leases know it: host, number, and a name that no other process has."""
    number = os.getpid()
    if number not in _names:
        _names[number] = f"{socket.gethostname()}:{number}:{uuid4().hex[:8]}"
    return _names[number]


def _always(_installation: Installation, _slot: datetime) -> bool:
    return True


def _nobody_told() -> None:
    pass


def _any_time(instant: datetime, duration: timedelta) -> datetime:
    return instant + duration


@dataclass(frozen=True)
class Job:
    """Something to do in each slot of a schedule.

    Attributes:
        lease: so long a run is another's to take over after its process died; it is renewed while the run goes on.
        ready: asked with a slot before it is claimed; while it says no, the slot stays open.
        grace: so long after its slot a run must have ended well, or something is wrong.
        open_time_after: the instant by which so much time in which it may run has passed since another.
    """

    name: str
    schedule: Schedule
    run: Callable[[Installation], None]
    lease: timedelta = LEASE
    ready: Callable[[Installation, datetime], bool] = _always
    grace: timedelta = timedelta(minutes=30)
    open_time_after: Callable[[datetime, timedelta], datetime] = _any_time


def run_if_due(installation: Installation, job: Job, *, begins: Callable[[], None] = _nobody_told) -> bool:
    """Run a job when its newest slot is nobody's yet and it is ready. True when it ran, whatever came of it.

    What goes wrong is recorded with the run and logged. What passes by itself is tried again in the same slot, anything
    else in the next. A database that cannot be asked is logged, and the next tick asks again.

    Args:
        begins: called when the slot is ours, before the job runs.
    """
    try:
        held = _claim_slot(installation, job)
        if held is None:
            return False
        begins()
        _perform(installation, job, held)
    except TthcError as failure:
        log.warning("job_not_recorded", job=job.name, error=str(failure))
        return False
    return True


def run_now(installation: Installation, job: Job) -> Ended:
    """Run a job because a person asked for it, now, but not beside another run of it.

    Raises:
        BusyError: it is being run.
        TthcError: it failed; recorded already.
    """
    held = _claim(installation, job, installation.now(), by_hand=True)
    if held is None:
        with transaction(installation.engine) as connection:
            other = job_runs.held_now(connection).get(job.name)
        raise BusyError(
            f"job {job.name} is being run by {(other and other.by) or 'another process'}; wait for that run to end"
        )
    ended, failure = _perform(installation, job, held, by_hand=True)
    if failure is not None:
        raise failure
    return ended


def _claim_slot(installation: Installation, job: Job) -> Claim | None:
    slot = job.schedule.slot(installation.now())
    if slot is None:
        return None
    with transaction(installation.engine) as connection:
        if job_runs.is_taken(connection, job.name, slot, installation.lease_clock):
            return None
    if not job.ready(installation, slot):
        log.debug("job_not_ready", job=job.name)
        return None
    return _claim(installation, job, slot)


def _claim(installation: Installation, job: Job, slot: datetime, *, by_hand: bool = False) -> Claim | None:
    now, by = installation.now(), process_name()
    with transaction(installation.engine) as connection:
        held = job_runs.claim(
            connection, job.name, slot, now, job.lease, by=by, by_hand=by_hand, clock=installation.lease_clock
        )
        if held is not None and (dead := job_runs.close_dead(connection, held, now)):
            totals.add(connection, "tthc_job_runs_total", (job.name, "failed"), dead)
    return held


def _perform(
    installation: Installation, job: Job, held: Claim, *, by_hand: bool = False
) -> tuple[Ended, Exception | None]:
    stop, began = installation.stop.part(), time.monotonic()
    told = {"job": job.name, "slot": held.slot.isoformat(), "attempt": held.attempt}
    with (
        bound_contextvars(**told, job_run=uuid4().hex[:12], process=process_name()),
        _kept(installation, held, stop),
    ):
        failure = _run(installation.stopped_by(stop), job)
        ended = _record(installation, job, held, failure, by_hand=by_hand)
        seconds = round(time.monotonic() - began, 3)
        if ended == "lost":
            log.warning("job_lost", seconds=seconds, reason="another process took it over; nothing is recorded")
        else:
            log.info("job_ended", outcome=ended, seconds=seconds)
    return ended, failure


@contextmanager
def _kept(installation: Installation, held: Claim, stop: Stop) -> Iterator[None]:
    """Renew a lease until the end; a run that has lost it is asked to stop."""
    over = Event()
    pause = held.lease.total_seconds() / _RENEWALS

    def renew() -> None:
        while not over.wait(pause):
            try:
                with transaction(installation.engine) as connection:
                    ours = job_runs.renew(connection, held)
            except TthcError as error:
                # Whoever cannot ask cannot know; nobody else can take it over meanwhile but by the same database.
                log.debug("lease_not_renewed", job=held.job, error=str(error))
                continue
            if not ours and not over.is_set():
                stop.set("another process has taken the run over")
                return

    thread = Thread(target=renew, name=f"lease of {held.job}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _run(installation: Installation, job: Job) -> Exception | None:
    try:
        job.run(installation)
    except StoppedError as stopped:
        return stopped
    except TthcError as failure:
        log.warning("job_failed", error=str(failure))
        return failure
    except Exception as failure:  # noqa: BLE001
        # A job must not take the service down; the run is recorded as failed and an alert can see it. The text of the
        # error is left out: it may quote a source.
        frames = traceback.format_tb(failure.__traceback__)
        log.warning("job_failed", error=recordable(failure), frames=frames)
        return failure
    return None


def _record(installation: Installation, job: Job, held: Claim, failure: Exception | None, *, by_hand: bool) -> Ended:
    """Record how a run ended; a database that is away for a while must not make a good run look like a dead one."""
    patience = time.monotonic() + _RECORDING_SECONDS
    while True:
        try:
            return _record_once(installation, job, held, failure, by_hand=by_hand)
        except DatabaseError as error:
            if time.monotonic() >= patience:
                raise
            log.debug("recording_waits", error=str(error))
            time.sleep(_RECORDING_PAUSE)


def _record_once(
    installation: Installation, job: Job, held: Claim, failure: Exception | None, *, by_hand: bool
) -> Ended:
    now, kept = installation.now(), installation.settings.retention.job_runs
    with transaction(installation.engine) as connection:
        if isinstance(failure, StoppedError) and not by_hand:
            ours = job_runs.give_back(connection, held, str(failure), timedelta(0), failed=False)
            return "stopped" if ours else "lost"
        error = None if failure is None else recordable(failure)
        # Where the next slot comes before the back-off is over, that one tries again.
        if error is not None and _passes(failure) and not by_hand and job.schedule.slot(now + _BACK_OFF) == held.slot:
            ours = job_runs.give_back(connection, held, error, _BACK_OFF, failed=True)
        else:
            ours = job_runs.finish(connection, held, now, error, kept=kept)
        ended: Ended = "ok" if failure is None else "failed"
        if not ours:
            return "lost"
        totals.add(connection, "tthc_job_runs_total", (job.name, ended))
        return ended


def _passes(failure: Exception | None) -> bool:
    """Whether the same try may succeed a while later."""
    if isinstance(failure, DeliveryError):
        return not failure.permanent
    return isinstance(failure, (TransientSourceError, DatabaseError))
