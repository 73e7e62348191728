"""The whole ledger as files that another server, or another program, can read and prove.

Parquet files of at most :data:`tthc_monitor.store.ledger_tables.PART` rows, observations by month, and a manifest with the
SHA-256 of each and the head of the chain. What is brought in again is what was taken out: the same links, numbers and
hashes; sources keep their numbers and names, but not the cursors, so that a new server asks for everything once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, Engine

from tthc_monitor.domain.errors import ConfigError, LedgerError
from tthc_monitor.store import migrate
from tthc_monitor.store.chain import newest_link, read_everything, snapshot
from tthc_monitor.store.database import transaction
from tthc_monitor.store.ledger_tables import TABLES, Table, bring_in, columns, held, parts, settle_numbers
from tthc_monitor.verification import Verdict, examine

MANIFEST: Final = "manifest.json"
_BROKEN_EXPORT: Final = (
    "nothing was brought in; on the server that exported it run: tthc-monitor audit verify, and ask who changed the ledger "
    "there, or the export"
)
Progress = Callable[[int], None]


class File(BaseModel):
    """One file of an export."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^[a-z0-9_-]+\.parquet$")]
    table: str
    rows: int
    sha256: str


class Manifest(BaseModel):
    """What an export consists of. ``head`` is the hash of the last link, ``link`` its number; None of an empty ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["tthc-monitor ledger 1"] = "tthc-monitor ledger 1"
    migration: str
    exported_at: datetime
    link: int | None
    head: str | None
    files: tuple[File, ...]

    def rows(self, table: str) -> int:
        """How many rows of a table there are."""
        return sum(one.rows for one in self.files if one.table == table)


def export_ledger(engine: Engine, folder: Path, now: datetime, progress: Progress | None = None) -> Manifest:
    """Write the ledger, as it is at this instant, to a new folder.

    Args:
        progress: told how many more rows are written.

    Raises:
        ConfigError: the folder is there and not empty, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"--out {folder} is not empty; choose a new folder")
        with snapshot(engine) as connection:
            migrate.require_head(connection)
            files = [one for table in TABLES for one in _export_table(connection, table, folder, progress)]
            newest = newest_link(connection)
        head = (None, None) if newest is None else (newest.number, newest.chain_hash.hex())
        manifest = Manifest(migration=migrate.head(), exported_at=now, link=head[0], head=head[1], files=tuple(files))
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--out {folder} cannot be written: {error.strerror or error}; choose another folder"
        ) from None
    return manifest


def _export_table(connection: Connection, table: Table, folder: Path, progress: Progress | None) -> list[File]:
    files, numbers = [], Counter[str]()
    for month, rows in parts(connection, table):
        numbers[month] += 1
        name = "-".join(filter(None, (table.name, month, f"{numbers[month]:05d}"))) + ".parquet"
        rows.write_parquet(folder / name)
        files.append(File(file=name, table=table.name, rows=rows.height, sha256=_sha256(folder / name)))
        if progress is not None:
            progress(rows.height)
    return files


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export, when all that it names is there as it was written.

    Raises:
        ConfigError: there is none, or a file is missing or was changed.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        changed = [one.file for one in manifest.files if _sha256(folder / one.file) != one.sha256]
    except OSError as error:
        name = Path(error.filename).name if error.filename else MANIFEST
        raise ConfigError(
            f"{folder} is no whole export of a ledger, for {name} cannot be read: {error.strerror}; copy the folder again"
        ) from None
    except ValidationError:
        raise ConfigError(f"{folder / MANIFEST} is not the manifest of an export; copy the folder again") from None
    if changed:
        raise ConfigError(
            f"{folder / changed[0]} is not the file that was exported, nor are {len(changed) - 1} others; copy the folder "
            "again, and ask who changed it if that does not help"
        )
    return manifest


def import_ledger(
    engine: Engine,
    folder: Path,
    progress: Progress | None = None,
    verifying: Callable[[int, int], None] | None = None,
) -> tuple[Manifest, Verdict]:
    """Bring an export into a database without a ledger, as its owner, and recompute it there; all or nothing.

    Projection and flags stay empty: they are to be rebuilt from the ledger before the first pull, to which every dossier
    would else be new.

    Args:
        progress: told how many more rows are in.
        verifying: told how many observations are recomputed, and of how many.

    Raises:
        ConfigError: the export is not whole, or does not fit this database.
        DatabaseError: the database is at another migration, or refuses the role.
        LedgerError: what was brought in does not hold, or has another head; nothing of it was kept.
    """
    manifest = read_manifest(folder)
    with transaction(engine) as connection:
        migrate.require_head(connection)
        full = held(connection)
        if full:
            raise ConfigError(
                f"this database has rows already (in tthc.{', tthc.'.join(full)}), and two ledgers cannot be one; name a new, "
                "empty database in database.url and run: tthc-monitor db upgrade"
            )
        for table in TABLES:
            _import_table(connection, table, folder, manifest, progress)
        settle_numbers(connection)
        read_everything(connection)
        verdict = examine(connection, progress=verifying)
        verdict.require(_BROKEN_EXPORT)
        head = None if verdict.newest is None else verdict.newest.chain_hash.hex()
        if head != manifest.head:
            raise LedgerError(
                f"the ledger brought in has the head {head}, the export says {manifest.head}: nothing was kept; ask who "
                "changed the export, and export again"
            )
    return manifest, verdict


def _import_table(
    connection: Connection, table: Table, folder: Path, manifest: Manifest, progress: Progress | None
) -> None:
    known = columns(connection, table)
    for one in manifest.files:
        if one.table != table.name:
            continue
        rows = pl.read_parquet(folder / one.file)
        if unknown := [name for name in rows.columns if name not in known]:
            raise ConfigError(
                f"{one.file} has the column {unknown[0]}, which this version does not know; use the version that exported it, "
                f"or a newer one (it was at migration {manifest.migration})"
            )
        bring_in(connection, table, rows)
        if progress is not None:
            progress(rows.height)
