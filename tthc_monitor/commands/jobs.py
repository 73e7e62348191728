"""Commands about what the service does by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from tthc_monitor.commands import context
from tthc_monitor.commands.signals import stop_on_signals
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.installation import Installation, open_installation
from tthc_monitor.jobs import Job, all_jobs, run_now
from tthc_monitor.store import job_runs
from tthc_monitor.store.database import transaction
from tthc_monitor.terminal import steps

app = typer.Typer(no_args_is_help=True, help="What the service does by itself.")


@app.command("list")
def jobs_list() -> None:
    """List the jobs: when they run, what becomes of missed runs, when each last succeeded, and who runs it now."""
    with open_installation(context.settings()) as installation:
        jobs, now, zone = all_jobs(installation), installation.now(), ZoneInfo(installation.settings.zone)
        with transaction(installation.engine) as connection:
            done = job_runs.last_good(connection, [job.name for job in jobs])
            held = job_runs.held_now(connection)
    table = Table("job", "when", "missed runs made up", "next", "last success", "running now")
    for job in jobs:
        last = done[job.name].finished if job.name in done else None
        running = held.get(job.name)
        table.add_row(
            job.name,
            str(job.schedule),
            job.schedule.made_up,
            _local(job.schedule.next_after(now), zone),
            _local(last, zone, "never"),
            "" if running is None else f"{running.by or ''} since {_local(running.started, zone)}",
        )
    typer.echo(context.plain(table))


@app.command("run")
def jobs_run(name: Annotated[str, typer.Argument(help="Name of the job, as jobs list tells it.")]) -> None:
    """Run a job now, but not beside another run of it; the exit code tells how it ended."""
    stop = stop_on_signals()
    with open_installation(context.settings(), stop=stop) as installation:
        job = _find(installation, name)
        with steps() as shown, shown.step(name):
            ended = run_now(installation, job)
    typer.echo(f"{name}: {ended}")


@app.command("history")
def jobs_history(
    name: Annotated[str | None, typer.Argument(help="Name of a job; by default all.")] = None,
    limit: Annotated[int, typer.Option(help="How many runs at most, the newest first.", min=1)] = 20,
) -> None:
    """List runs: their slots, by which process, the attempts, how long the last one took and how it ended."""
    with open_installation(context.settings()) as installation:
        if name is not None:
            _find(installation, name)
        zone = ZoneInfo(installation.settings.zone)
        with transaction(installation.engine) as connection:
            runs = job_runs.history(connection, name, limit)
    table = Table("job", "slot", "by", "attempts", "started", "seconds", "outcome", "error")
    for run in runs:
        seconds = "" if run.finished is None else f"{(run.finished - run.started).total_seconds():.1f}"
        table.add_row(
            run.job,
            "by hand" if run.by_hand else _local(run.slot, zone),
            run.by or "",
            str(run.attempt),
            _local(run.started, zone),
            seconds,
            _outcome(run),
            run.detail or "",
        )
    typer.echo(context.plain(table))


def _find(installation: Installation, name: str) -> Job:
    jobs = {job.name: job for job in all_jobs(installation)}
    if name not in jobs:
        raise ConfigError(f"there is no job '{name}' by these settings; the jobs are: {', '.join(jobs)}")
    return jobs[name]


def _outcome(run: job_runs.Run) -> str:
    if run.is_held:
        return "running"
    if run.outcome is None:
        # Nothing was recorded, or that it was stopped: in both cases somebody may take the slot over.
        return "stopped" if run.detail else "died"
    return run.outcome if run.finished else f"{run.outcome}, to be tried again"


def _local(instant: datetime | None, zone: ZoneInfo, otherwise: str = "") -> str:
    return otherwise if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"
