"""The web face: pages, metrics and health; and the doors for messages and files that are sent to us."""

from tthc_monitor.web.acknowledge import make_digest_pages
from tthc_monitor.web.doors import make_doors, require_doors
from tthc_monitor.web.pages import make_app
from tthc_monitor.web.protection import make_protection
from tthc_monitor.web.scrapes import scrape_settings
from tthc_monitor.web.worker import make_worker_app

__all__ = [
    "make_app",
    "make_digest_pages",
    "make_doors",
    "make_protection",
    "make_worker_app",
    "require_doors",
    "scrape_settings",
]
