"""Dumps of our schemas, made and read by the programs of PostgreSQL that come with the embedded server.

They know servers of their own major version and older ones. A password goes to them by the environment, never as an
argument that other users of the machine could see.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.store.database import address
from tthc_monitor.store.embedded import program

SCHEMAS: Final = ("tthc", "audit")
_TABLES: Final = """
SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text = ANY(:schemas)
"""
_OCCUPIED: Final = "SELECT name FROM unnest(CAST(:schemas AS text[])) name WHERE to_regnamespace(name) IS NOT NULL"
_OF_A_TABLE: Final = re.compile(r"(?:dumping contents of|processing data for) table ")
_LAST_WORDS: Final = 5


def export_snapshot(connection: Connection) -> str:
    """A name by which a dump sees the database as this transaction does, for as long as it lasts."""
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    name: str = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
    return name


def tables(connection: Connection) -> int:
    """How many tables with rows of their own a dump has."""
    return int(connection.execute(text(_TABLES), {"schemas": list(SCHEMAS)}).scalar_one())


def occupied(connection: Connection) -> list[str]:
    """Schemas of ours that the database has already."""
    return list(connection.scalars(text(_OCCUPIED), {"schemas": list(SCHEMAS)}))


def dump(url: URL, snapshot: str, file: Path, progress: Callable[[int], None]) -> None:
    """Write our schemas as one transaction sees them into a file of pg_restore's own format.

    Args:
        snapshot: of :func:`export_snapshot`, whose transaction goes on meanwhile.
        progress: told how many tables are begun.

    Raises:
        DatabaseError: the program is refused or cannot write; with its last words.
    """
    chosen = [f"--schema={name}" for name in SCHEMAS]
    options = ["--format=custom", f"--snapshot={snapshot}", "--lock-wait-timeout=30s", "--no-password", "--verbose"]
    _run("pg_dump", url, [*options, *chosen, f"--file={file}"], progress)


def restore(url: URL, file: Path, progress: Callable[[int], None]) -> None:
    """Bring a dump into a database that has none of our schemas: all of it, or nothing.

    Everything belongs to the login afterwards and nobody else has a right to it, until the roles are settled.

    Raises:
        DatabaseError: the program is refused, or the dump is not whole; with its last words.
    """
    options = [
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
        "--no-tablespaces",
        "--no-password",
        "--verbose",
    ]
    _run("pg_restore", url, [*options, str(file)], progress)


def _run(name: str, url: URL, options: list[str], progress: Callable[[int], None]) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    # Messages are read, so they must be in the language that we read.
    environment |= {"LC_ALL": "C"} | ({} if url.password is None else {"PGPASSWORD": str(url.password)})
    process = subprocess.Popen(
        [str(program(name)), f"--dbname={address(url, with_password=False)}", *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    begun, words = 0, deque[str](maxlen=_LAST_WORDS)
    with process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if _OF_A_TABLE.search(line):
                    begun += 1
                    progress(begun)
                if re.match(rf"{name}: (error|fatal|detail|hint)", line) or "ERROR" in line:
                    words.append(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        told = " | ".join(words) or f"it ended with code {process.returncode}"
        raise DatabaseError(
            f"{name} failed: {told}; mend what it names and try again. Where the server is newer than the program, use the "
            "programs of the server's own version, as docs/operations.md says"
        )
