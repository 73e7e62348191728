"""What the terminal shows: progress while something takes time, logs, and nothing twice."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

console = Console(stderr=True)


def set_up_logging(level: str) -> None:
    """Logs go to standard error: for people on a terminal, as JSON lines anywhere else."""
    numeric = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    others = logging.StreamHandler(sys.stderr)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    others.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name], processors=[remove_meta, renderer]
        )
    )
    logging.basicConfig(level=max(numeric, logging.WARNING), handlers=[others])
    # A job that outlasts the pause between two ticks is no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


class Steps:
    """A list of steps on the terminal: the running one with a spinner, a bar when its size is known."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while it runs, and how long it took once it is done."""
        task = self._progress.add_task(title, total=None, unit="")
        yield Step(self._progress, task)
        done = self._progress.tasks[task].completed or 1
        self._progress.update(task, total=done, completed=done)


class Step:
    """One running step."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress, self._task = progress, task

    def rows(self, rows: int, total: int | None) -> None:
        """Tell how many rows are through, and of how many when that is known."""
        self._progress.update(self._task, completed=rows, total=total)  # type: ignore[arg-type]

    def advance(self, rows: int) -> None:
        """Tell that more rows are through."""
        self._progress.advance(self._task, rows)  # type: ignore[arg-type]


@contextmanager
def steps() -> Iterator[Steps]:
    """Show steps; on a terminal they move, elsewhere each is one line when it is done."""
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(24))
    with Progress(*columns, MofNCompleteColumn(), TimeElapsedColumn(), console=console) as progress:
        yield Steps(progress)
