"""Wakes the jobs. Correctness comes from the claimed slots, not from here: a tick too many does nothing."""

from __future__ import annotations

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from tthc_monitor.installation import Installation
from tthc_monitor.jobs import all_jobs, run_if_due

_TICK_SECONDS = 5


def start_scheduler(installation: Installation) -> BackgroundScheduler:
    """Start ticking in background threads; ``shutdown()`` waits for what is running."""
    jobs = all_jobs(installation)
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(max_workers=min(8, len(jobs)))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for job in jobs:
        scheduler.add_job(run_if_due, "interval", [installation, job], seconds=_TICK_SECONDS, id=job.name)
        scheduler.add_job(run_if_due, "date", [installation, job], id=f"{job.name} at start")
    scheduler.start()
    return scheduler
