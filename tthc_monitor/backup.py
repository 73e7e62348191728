"""Backups of the database: a dump and a manifest that proves it, and what is brought back from them.

The manifest stands beside the dump, as ``NAME.json``: it is written last, so a dump without one was broken off. It holds
the head of the ledger of exactly the snapshot that was dumped; a restore that does not lead to that head is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, Engine, text

from tthc_monitor.domain.errors import ConfigError, LedgerError
from tthc_monitor.store import dumps, migrate, roles
from tthc_monitor.store.chain import newest_link, snapshot
from tthc_monitor.store.database import as_login, transaction
from tthc_monitor.store.rights import AUDITOR, SERVICE, UNIT_AUDITOR
from tthc_monitor.verification import Verdict, verify

_LOGINS: Final = """
SELECT m.rolname AS name, g.rolname AS role,
       coalesce((SELECT array_agg(u.unit_code ORDER BY 1) FROM tthc.auditor_units u WHERE u.role_name = m.rolname), '{}') AS units
FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
WHERE g.rolname = ANY(:groups) AND m.rolcanlogin AND NOT m.rolsuper
  AND NOT EXISTS (SELECT FROM pg_auth_members o JOIN pg_roles b ON b.oid = o.roleid
                  WHERE o.member = m.oid AND b.rolname = 'tthc_migrator')
ORDER BY 2, 1
"""
_COMMANDS: Final = {
    AUDITOR: "tthc-monitor db auditor",
    UNIT_AUDITOR: "tthc-monitor db auditor",
    SERVICE: "tthc-monitor db service",
}
Advance = Callable[[int, int | None], None]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Login(_Part):
    """A login of the server that was dumped; a dump holds none, so it is to be made again."""

    name: str
    role: Literal["tthc_auditor", "tthc_unit_auditor", "tthc_service"]
    units: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What makes it again."""
        return " ".join([_COMMANDS[self.role], self.name, *(f"--unit {unit}" for unit in self.units)])


class Manifest(_Part):
    """What a backup consists of. ``head`` is the hash of the ledger's last link, ``link`` its number; None of an empty one."""

    format: Literal["tthc-monitor backup 1"] = "tthc-monitor backup 1"
    made_at: datetime
    program: str
    server: str
    migration: str
    file: str
    bytes: int
    sha256: str
    tables: int
    link: int | None
    head: str | None
    logins: tuple[Login, ...]


def manifest_of(file: Path) -> Path:
    """Where the manifest of a dump stands."""
    return file.with_name(f"{file.name}.json")


def make_backup(engine: Engine, file: Path, now: datetime, progress: Advance) -> Manifest:
    """Dump the database as it is at this instant, while the service goes on.

    Args:
        engine: with sessions of the login that looks after the database.
        file: to be made; only its owner may read it.
        progress: told how many tables are begun, and of how many.

    Raises:
        ConfigError: the file is there already, or cannot be written.
        DatabaseError: the database cannot be dumped.
    """
    unfinished = file.with_name(f".{file.name}.unfinished")
    if file.exists() or manifest_of(file).exists():
        raise ConfigError(f"{file} or its manifest is there already; choose another name")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with snapshot(engine) as connection:
                migrate.require_head(connection)
                total = dumps.tables(connection)
                newest = newest_link(connection)
                logins = _logins(connection)
                server = str(connection.scalar(text("SHOW server_version")))
                seen = dumps.export_snapshot(connection)
                dumps.dump(engine.url, seen, unfinished, lambda begun: progress(begun, total))
            manifest = Manifest(
                made_at=now,
                program=version("tthc-monitor"),
                server=server,
                migration=migrate.head(),
                file=file.name,
                bytes=unfinished.stat().st_size,
                sha256=_sha256(unfinished),
                tables=total,
                link=None if newest is None else newest.number,
                head=None if newest is None else newest.chain_hash.hex(),
                logins=logins,
            )
            unfinished.rename(file)
            os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            unfinished.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            unfinished.rename(manifest_of(file))
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}; choose another folder") from None
    return manifest


def read_backup(file: Path) -> Manifest:
    """The manifest of a dump, when the dump is as it was written.

    Raises:
        ConfigError: one of the two is missing, or the dump is another one.
    """
    path = manifest_of(file)
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
        same = (file.stat().st_size, _sha256(file)) == (manifest.bytes, manifest.sha256)
    except OSError as error:
        missing = Path(error.filename) if error.filename else path
        raise ConfigError(
            f"{missing} cannot be read: {error.strerror}; a backup is two files, the dump and {path.name}: copy both again"
        ) from None
    except ValidationError:
        raise ConfigError(f"{path} is not the manifest of a backup; copy it again") from None
    if not same:
        raise ConfigError(
            f"{file} is not the file that was written, by its length or hash; copy it again, and ask who changed it if that "
            "does not help"
        )
    if manifest.migration > migrate.head():
        raise ConfigError(
            f"{file} is of a newer version of the program, {manifest.program} (migration {manifest.migration}); install that one"
        )
    return manifest


def restore_backup(
    engine: Engine, file: Path, manifest: Manifest, progress: Advance, verifying: Callable[[int, int], None]
) -> Verdict:
    """Bring a backup into an empty database, settle its roles, and prove its ledger.

    Args:
        engine: with sessions of the login that looks after the database.
        manifest: of :func:`read_backup`.
        progress: told how many tables are begun, and of how many.
        verifying: told how many observations are recomputed, and of how many.

    Raises:
        ConfigError: the database is not empty; nothing was changed.
        DatabaseError: the dump cannot be brought in; nothing of it was kept.
        LedgerError: what was brought in is not what was dumped.
    """
    with as_login(engine) as connection:
        if dumps.occupied(connection):
            raise ConfigError(
                "the database has tables of ours already, and a backup is brought into an empty one only; name a new database "
                "in database.url, or a new folder in data_dir"
            )
        roles.make_groups(connection)
    dumps.restore(engine.url, file, lambda begun: progress(begun, manifest.tables))
    migrate.upgrade(engine)
    with transaction(engine) as connection:
        connection.execute(text("ANALYZE"))
    verdict = verify(engine, progress=verifying)
    verdict.require()
    head = None if verdict.newest is None else verdict.newest.chain_hash.hex()
    if head != manifest.head:
        raise LedgerError(
            f"the ledger that was restored has the head {head}, the manifest says {manifest.head}; do not use this database, and "
            "ask who changed the backup"
        )
    return verdict


def missing_logins(engine: Engine, manifest: Manifest) -> Sequence[Login]:
    """Logins that the dumped server had and this one has not."""
    with as_login(engine) as connection:
        there = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    return [login for login in manifest.logins if login.name not in there]


def _logins(connection: Connection) -> tuple[Login, ...]:
    groups = {"groups": [AUDITOR, UNIT_AUDITOR, SERVICE]}
    return tuple(Login.model_validate(row._asdict()) for row in connection.execute(text(_LOGINS), groups))


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()
