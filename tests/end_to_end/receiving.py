"""An installation with a source that is sent to, and the service's HTTP port over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import Engine, text

from rules.loader import load_packs
from tthc_monitor.installation import Installation
from tthc_monitor.serving import WebServer
from tthc_monitor.settings import load_settings
from tthc_monitor.simulator.catalogue import UNITS
from tthc_monitor.web import make_app, make_doors, scrape_settings
from tthc_monitor.web.access import Patience

TOKEN = "ma-thong-bao-cua-nen-tang-0123456789"
KEY = b"k" * 32
LGSP = {
    "name": "lgsp",
    "kind": "dvcqg",
    "receive": {"token_file": "token"},
    "options": {"units": {unit.name: unit.code for unit in UNITS}, "supplements_told": True},
}


@dataclass
class Clock:
    """A clock set by hand."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


def write_settings(folder: Path, *sources: dict[str, Any], **more: Any) -> Path:
    """The configuration file, with token and applicant key beside it."""
    (folder / "token").write_text(TOKEN + "\n", encoding="utf-8")
    (folder / "key").write_bytes(KEY)
    config = folder / "x.yaml"
    content = {"sources": list(sources), "applicant_key_file": "key", **more}
    config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return config


def installed(engine: Engine, config: Path, clock: Clock) -> Installation:
    settings = load_settings(config)
    return Installation(settings, engine, load_packs(settings.rules.packs, settings.base_dir), clock, config.parent)


@contextmanager
def served(installation: Installation) -> Iterator[WebServer]:
    """The service's port; whoever shows a wrong token waits a hundredth of what he else would."""
    doors = make_doors(installation, Patience(0.01))
    with WebServer(make_app(installation.engine, scrape_settings(installation), doors=doors), "127.0.0.1", 0) as web:
        yield web


@contextmanager
def client(web: WebServer, **headers: str) -> Iterator[httpx.Client]:
    """A client that shows the token unless told otherwise."""
    shown = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
    with httpx.Client(base_url=web.url, headers=shown, timeout=30, trust_env=False) as one:
        yield one


def rows(engine: Engine, statement: str) -> list[tuple[Any, ...]]:
    """What the database says."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def kept(engine: Engine) -> list[Any]:
    """Contents in the inbox, in order."""
    return [row[0] for row in rows(engine, "SELECT content FROM tthc.inbox ORDER BY number")]
