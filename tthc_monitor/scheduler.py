"""Wakes the jobs. Correctness comes from the claimed slots, not from here: a tick too many does nothing."""

from __future__ import annotations

import threading
import time
from functools import partial

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from tthc_monitor.installation import Installation
from tthc_monitor.jobs import Job, all_jobs, run_if_due

log = structlog.get_logger(__name__)

_TICK_SECONDS = 5
_PATIENCE_SECONDS = 45.0
"""How long stopping waits for running jobs; below the 90 seconds after which systemd kills."""
_ALIVE_SECONDS = 60.0
"""A scheduler that has not ticked for so long is dead."""
_CLAIM_SECONDS = 300.0
"""A tick that has asked for so long whether its job is due hangs: lines and locks are given up after a minute."""
_PULLS_AT_ONCE = 8


class JobScheduler:
    """Ticks in background threads from when it is made until :meth:`shutdown`."""

    def __init__(self, installation: Installation) -> None:
        jobs = all_jobs(installation)
        pulls = [job for job in jobs if _is_pull(job)]
        self._installation = installation
        self._stopping = threading.Event()
        self._running: list[str] = []
        self._ticked = time.monotonic()
        self._asking: set[tuple[str, float]] = set()
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={
                # Sources that do not answer must not keep the other jobs, or the sign of life, waiting for a thread.
                "pulls": ThreadPoolExecutor(max_workers=max(1, min(_PULLS_AT_ONCE, len(pulls)))),
                "default": ThreadPoolExecutor(max_workers=max(1, len(jobs) - len(pulls))),
                "life": ThreadPoolExecutor(max_workers=1),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_job(self._live, "interval", seconds=_TICK_SECONDS, id="sign of life", executor="life")
        for job in jobs:
            executor = "pulls" if _is_pull(job) else "default"
            self._scheduler.add_job(
                self._tick, "interval", [job], seconds=_TICK_SECONDS, id=job.name, executor=executor
            )
            self._scheduler.add_job(self._tick, "date", [job], id=f"{job.name} at start", executor=executor)
        self._scheduler.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still ticks, and no tick hangs before its job; how long jobs run does not matter."""
        now = time.monotonic()
        hang = {job for job, since in tuple(self._asking) if now - since >= _CLAIM_SECONDS}
        if hang:
            log.error("ticks_hang", jobs=sorted(hang), limit_seconds=_CLAIM_SECONDS)
        return now - self._ticked < _ALIVE_SECONDS and not hang

    def shutdown(self, wait: bool = True) -> bool:
        """Start nothing more, ask what is running to end at its next batch, and wait a while for that.

        What does not end by then goes on in its threads until the process ends (``cli.main`` sees to that); the
        database then rolls back what it had begun.

        Returns:
            whether all is over.
        """
        self._stopping.set()
        self._installation.stop.set("the service is stopping")
        # A tick on its way must find neither a pool that takes no more work nor a job to hand to it.
        self._scheduler.pause()
        self._scheduler.remove_all_jobs()
        ending = threading.Thread(target=self._scheduler.shutdown, args=[wait], name="stopping", daemon=True)
        ending.start()
        ending.join(_PATIENCE_SECONDS)
        left = sorted(self._running)
        if left:
            log.warning("jobs_left_running", jobs=left, waited_seconds=_PATIENCE_SECONDS if wait else 0)
        return not left

    def _live(self) -> None:
        self._ticked = time.monotonic()

    def _tick(self, job: Job) -> None:
        if self._stopping.is_set():
            return
        asks = (job.name, time.monotonic())
        self._running.append(job.name)
        self._asking.add(asks)
        try:
            run_if_due(self._installation, job, begins=partial(self._asking.discard, asks))
        finally:
            self._asking.discard(asks)
            self._running.remove(job.name)


def _is_pull(job: Job) -> bool:
    return job.name.startswith("pull:")


def start_scheduler(installation: Installation) -> JobScheduler:
    """Start waking the jobs of an installation."""
    return JobScheduler(installation)
