"""One of several processes that run the jobs of an installation, by a clock that the test sets and leases of a second.

The code is that of the service: the same jobs, claims, leases and outbox. Only what tells the time is a file.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import sleep
from typing import Final

from tthc_monitor import running
from tthc_monitor.installation import open_installation
from tthc_monitor.jobs import all_jobs
from tthc_monitor.outputs import sending
from tthc_monitor.running import Job, run_if_due
from tthc_monitor.settings import load_settings
from tthc_monitor.terminal import set_up_logging

LEASE: Final = timedelta(seconds=1)
"""By the clock of the database server, which nobody sets."""

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tthc_monitor.cli"])


def set_clock(file: Path, instant: datetime) -> None:
    """Make it that instant for all replicas."""
    new = file.with_suffix(".new")
    new.write_text(instant.isoformat(), encoding="ascii")
    new.replace(file)


def read_clock(file: Path, skew: timedelta) -> Callable[[], datetime]:
    """The clock of one replica, which goes wrong by a constant."""
    return lambda: datetime.fromisoformat(file.read_text("ascii")) + skew


@contextmanager
def replica(folder: Path, name: str, skew: timedelta) -> Iterator[BaseProcess]:
    """A replica while the block lasts; it may be killed before."""
    process = start(folder, name, skew)
    try:
        yield process
    finally:
        process.kill()
        process.join()


def start(folder: Path, name: str, skew: timedelta, only: frozenset[str] | None = None) -> BaseProcess:
    """Start a replica over the configuration in a folder.

    Args:
        only: names of the jobs that it looks after; None: all.
    """
    process = _forks.Process(target=_work, args=(folder, name, skew, only), daemon=True)
    process.start()
    return process


def _work(folder: Path, name: str, skew: timedelta, only: frozenset[str] | None) -> None:
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    set_up_logging("info")
    running._BACK_OFF = timedelta(seconds=0.3)
    sending.CLAIM_LASTS = LEASE  # type: ignore[misc]
    settings = load_settings(folder / "tthc-monitor.yaml")
    with open_installation(settings, now=read_clock(folder / "clock", skew)) as installation:
        jobs = [_hurried(job) for job in all_jobs(installation) if only is None or job.name in only]
        while True:
            if sum(run_if_due(installation, job) for job in jobs) == 0:
                sleep(0.02)


def _hurried(job: Job) -> Job:
    return replace(job, lease=LEASE)
