"""The service as a process: its web face, its jobs, or both."""

from __future__ import annotations

from typing import Literal

import structlog

from tthc_monitor.domain.stopping import Stop
from tthc_monitor.installation import Installation, open_installation
from tthc_monitor.running import process_name
from tthc_monitor.scheduler import JobScheduler, start_scheduler
from tthc_monitor.serving import WebServer, allow_open_files
from tthc_monitor.settings import Settings
from tthc_monitor.terminal import console
from tthc_monitor.web import make_app, make_digest_pages, make_doors, make_protection, make_worker_app, scrape_settings

log = structlog.get_logger(__name__)

Role = Literal["web", "worker", "all"]


def serve(settings: Settings, role: Role, stop: Stop) -> None:
    """Run the service until ``stop`` is set; then what runs ends at its next batch.

    Args:
        role: ``web`` runs no jobs; ``worker`` shows only whether it is well; ``all`` does both.

    Raises:
        ConfigError: wrong rules or settings, or the address is in use.
        DatabaseError: the database cannot be reached, or waits for ``tthc-monitor db upgrade``.
    """
    allow_open_files()
    with open_installation(settings, stop=stop) as installation:
        installation.record_configuration()
        face = _Face(installation, role)
        with WebServer(face.app, settings.serve.host, settings.serve.port) as web:
            face.scheduler = None if role == "web" else start_scheduler(installation)
            log.info("serving", url=web.url, role=role, process=process_name())
            _tell(f"serving on {web.url}")
            stop.wait()
            log.info("stopping", role=role, process=process_name())
            _tell("stopping; Ctrl-C or SIGTERM again does not wait for running jobs")
            if face.scheduler is not None:
                face.scheduler.shutdown()
            log.info("stopped", role=role, process=process_name())


def _tell(words: str) -> None:
    """A line for people; anywhere but on a terminal each line is one of JSON."""
    if console.is_terminal:
        console.print(words, soft_wrap=True, highlight=False)


class _Face:
    """What the port shows; the scheduler comes once the port is ours."""

    def __init__(self, installation: Installation, role: Role) -> None:
        self.scheduler: JobScheduler | None = None
        protection = make_protection(installation.settings)
        if role == "worker":
            self.app = make_worker_app(installation.engine, is_alive=self._is_alive, protection=protection)
        else:
            self.app = make_app(
                installation.engine,
                scrape_settings(installation),
                doors=[*make_doors(installation), *make_digest_pages(installation)],
                protection=protection,
                is_alive=self._is_alive,
            )

    def _is_alive(self) -> bool:
        return self.scheduler is None or self.scheduler.is_alive
