"""The web face: pages, metrics and health; and the doors for messages and files that are sent to us."""

from tthc_monitor.web.doors import make_doors, require_doors
from tthc_monitor.web.pages import make_app
from tthc_monitor.web.scrapes import scrape_settings

__all__ = ["make_app", "make_doors", "require_doors", "scrape_settings"]
