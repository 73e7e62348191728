"""Brings the illustration register in: each of its scenes is written to files and pulled at its own instant."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from rules.loader import parse_pack
from rules.registry import KINDS
from tthc_monitor import ingest
from tthc_monitor.domain.records import INSTANT_COLUMNS
from tthc_monitor.domain.statuses import STATUS_LABELS
from tthc_monitor.domain.unit_checks import require_sound
from tthc_monitor.domain.unit_files import described
from tthc_monitor.evaluate import evaluate
from tthc_monitor.installation import Installation
from tthc_monitor.simulator import register
from tthc_monitor.simulator.showcase import COLUMNS, Row, Scene, Stage, stage, time_limits
from tthc_monitor.simulator.stories import Story
from tthc_monitor.store.database import transaction
from tthc_monitor.store.time_limits import replace_limits
from tthc_monitor.store.units import lock_register, read_register, save_register

FOLDER: Final = "minh-hoa"
DOSSIERS: Final = "minh-hoa"
PETITIONS: Final = "minh-hoa-phan-anh"
FILES: Final = {DOSSIERS: "ho-so.csv", PETITIONS: "phan-anh.csv"}
_BY: Final = "bản trình diễn"


@dataclass(frozen=True)
class Played:
    """What a play did. ``left_out`` are rules whose story lies in the future of the clock, in whole or in part."""

    scenes: int
    left_out: Sequence[str]


def source_settings() -> list[dict[str, Any]]:
    """The sources of the register, as they stand in a configuration file beside :data:`FOLDER`."""
    columns: dict[str, Any] = {
        name: {"column": name, "format": "%Y-%m-%dT%H:%M:%S%z"} if name in INSTANT_COLUMNS else name for name in COLUMNS
    }
    columns["status"] = {"column": "status", "lookup": "statuses"}
    statuses = {label: int(status) for status, label in STATUS_LABELS.items()}
    common = {"statuses": statuses, "columns": columns, "lists_all_open": True}
    kinds = {DOSSIERS: "dossier", PETITIONS: "petition"}
    return [
        {
            "name": name,
            "kind": "files",
            "every": "1h",
            "options": {"path": f"{FOLDER}/{file}", "kind": kinds[name], **common},
        }
        for name, file in FILES.items()
    ]


def stories(packs: Sequence[str]) -> list[Story]:
    """A story for each rule of these shipped packs: the first of its worked examples that it flags."""
    found: list[Story] = []
    for pack_number, pack in enumerate(packs, start=1):
        content = files("rules").joinpath("packs", f"{pack}.yaml").read_text(encoding="utf-8")
        for rule in parse_pack(content, f"{pack}.yaml"):
            example = next(example for example in rule.examples if example.flagged is not None)
            beside = [one.dossier for one in example.beside for _ in range(one.times)]
            groups = KINDS[rule.kind].groups
            dossiers = (example.dossier, *beside)
            found.append(Story(rule.code, rule.title, pack, pack_number, len(found) + 1, dossiers, groups))
    return found


def play(installation: Installation, told: Sequence[Story]) -> Played:
    """Pull the register as it stood at each instant, with the clock set to that instant, and as it stands now.

    What an earlier play has brought in already is not pulled again, so that a folder may be kept. All is judged once, at
    the end.
    """
    staged: Stage = stage(told, installation.now())
    folder = installation.settings.base_dir / FOLDER
    folder.mkdir(exist_ok=True)
    with transaction(installation.engine) as connection:
        known = _known(connection)
    scenes = [scene for scene in staged.scenes if known is None or scene.at > known]
    petitions: Sequence[Row] | None = None
    for scene in scenes:
        _write(folder / FILES[DOSSIERS], scene.dossiers, scene.at)
        _pull(installation, DOSSIERS, scene.at)
        # Looking counts for dossiers, some of which move or vanish; a petition says all that is to know of it.
        if scene.petitions != petitions:
            petitions = scene.petitions
            _write(folder / FILES[PETITIONS], petitions, scene.at)
            _pull(installation, PETITIONS, scene.at)
    last = staged.scenes[-1] if staged.scenes else Scene(installation.now(), (), ())
    for name, rows in ((DOSSIERS, last.dossiers), (PETITIONS, last.petitions)):
        # Nothing has changed since, and a source that was not asked for weeks would be told of as broken.
        present = installation.now()
        _write(folder / FILES[name], rows, present)
        _pull(installation, name, present)
    if scenes:
        evaluate(installation.engine, installation.grounds(), now=installation.now, everything=True)
    return Played(len(scenes), staged.left_out)


def import_catalogues(installation: Installation, told: Sequence[Story]) -> None:
    """Take over time limits of procedures, and units with the one that was merged away."""
    calendar = installation.settings.calendar.compile()
    limits = [*register.time_limits(), *time_limits(told, calendar)]
    path = installation.settings.base_dir / "units.yaml"
    content = register.units_yaml(told)
    path.write_text(content, encoding="utf-8")
    now = installation.now()
    with transaction(installation.engine) as connection:
        codes = {item.limit.procedure_code for item in limits}
        replace_limits(connection, limits, codes, now, _BY, "office")
        lock_register(connection)
        known = read_register(connection)
        wanted, lines = described(known, content, path.name)
        require_sound(wanted, path.name, lines)
        save_register(connection, known, wanted, file=path.name, content=content.encode(), by=_BY, now=now)


def _known(connection: Connection) -> datetime | None:
    """The instant of the last scene that is in the database."""
    known: datetime | None = connection.scalar(
        text("SELECT max(started_at) FROM audit.pull_runs WHERE outcome = 'ok' AND source = ANY(:names)"),
        {"names": [*FILES]},
    )
    return known


def _write(path: Path, rows: Sequence[Row], at: datetime) -> None:
    """Write the register, dated ``at``: a file tells the state as of its modification time."""
    content = StringIO()
    writer = csv.DictWriter(content, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(content.getvalue(), encoding="utf-8")
    os.utime(path, (at.timestamp(), at.timestamp()))


def _pull(installation: Installation, name: str, at: datetime) -> None:
    then = replace(installation, now=lambda: at)
    source = then.settings.source(name)
    connector = then.connector(source)
    ingest.pull(then.engine, source.name, source.kind, connector, now=then.now, assertions=source.assertions)
