"""Real databases as sources: one for each test, with an owner who writes and an account that may only read."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from tthc_monitor.store import database

PASSWORD = "mat-khau-chi-doc"
READER = "giamsat"


@dataclass(frozen=True)
class Source:
    """A database of its own: ``owner`` writes it, ``url`` is the reader's address, without password."""

    backend: str
    owner: Engine
    url: str

    def run(self, *statements: str, **values: Any) -> None:
        with self.owner.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), values)

    def many(self, statement: str, rows: list[dict[str, Any]]) -> None:
        with self.owner.begin() as connection:
            connection.execute(text(statement), rows)

    def rows(self, statement: str) -> list[Any]:
        with self.owner.begin() as connection:
            return list(connection.execute(text(statement)))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction of somebody at work: nothing is seen of it before the block ends."""
        with self.owner.connect() as connection, connection.begin():
            yield connection

    @property
    def instant(self) -> str:
        """The type of a column that keeps date and time as an office's clock shows them."""
        return "timestamp" if self.backend == "postgresql" else "datetime(6)"

    @property
    def here(self) -> str:
        """The expression for this moment on an office's clock in Viet Nam."""
        if self.backend == "postgresql":
            return "(clock_timestamp() AT TIME ZONE 'Asia/Ho_Chi_Minh')"
        return "(UTC_TIMESTAMP(6) + INTERVAL 7 HOUR)"


@contextmanager
def postgresql(server_url: str, options: str = "") -> Iterator[Source]:
    """A database of the test's PostgreSQL, and a role for the reader."""
    name = f"source_{uuid4().hex}"
    server = database.database_url(server_url)
    admin = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 {options}"))
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"))
    owner = create_engine(server.set(database=name))
    try:
        with owner.begin() as connection:
            connection.execute(text(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {name}"))
        yield Source("postgresql", owner, f"postgresql://{name}@{server.host}:{server.port}/{name}")
    finally:
        owner.dispose()
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            connection.execute(text(f"DROP ROLE {name}"))
        admin.dispose()


@contextmanager
def mariadb(port: int) -> Iterator[Source]:
    """A database of a MariaDB server, and an account for the reader."""
    name = f"source_{uuid4().hex[:20]}"
    root = URL.create("mysql+pymysql", "root", host="127.0.0.1", port=port)
    admin = create_engine(root, poolclass=NullPool)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
        connection.execute(text(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'"))
        connection.execute(text(f"GRANT SELECT ON {name}.* TO '{name}'@'%'"))
    owner = create_engine(root.set(database=name))
    try:
        yield Source("mariadb", owner, f"mysql://{name}@127.0.0.1:{port}/{name}")
    finally:
        owner.dispose()
        with admin.begin() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
            connection.execute(text(f"DROP USER '{name}'@'%'"))
        admin.dispose()


def program(name: str) -> str | None:
    """Where a server's program is; some systems keep it off the path of users."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec")


@contextmanager
def mariadb_server() -> Iterator[int]:
    """A MariaDB of our own in a temporary folder; gives its port. It does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="tthc-mariadb-"))
    folder.chmod(0o755)
    data = folder / "data"
    # Servers of several test processes must not share a folder for temporary tables: their names clash.
    scratch = folder / "scratch"
    data.mkdir()
    scratch.mkdir()
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        shutil.chown(data, "nobody")
        shutil.chown(scratch, "nobody")
        as_user = {"user": "nobody"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = subprocess.run(
        [
            program("mariadb-install-db") or "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            f"--tmpdir={scratch}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--innodb-log-file-size=8M",
        ],
        check=False,
        capture_output=True,
        text=True,
        **as_user,
    )
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                program("mariadbd") or "mariadbd",
                "--no-defaults",
                f"--datadir={data}",
                f"--tmpdir={scratch}",
                f"--socket={data / 's'}",
                f"--pid-file={data / 'pid'}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-log-file-size=8M",
                "--innodb-buffer-pool-size=64M",
                # Old systems keep zeros where there is no date.
                "--sql-mode=",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            **as_user,
        )
        try:
            _await(port, server, log)
            yield port
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(30)
            server.kill()
            server.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _await(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    engine = create_engine(URL.create("mysql+pymysql", "root", host="127.0.0.1", port=port), poolclass=NullPool)
    for _ in range(600):
        assert server.poll() is None, log.read_text("utf-8", "replace")[-2000:]
        try:
            with engine.connect():
                return
        except OperationalError:
            time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8", "replace")[-2000:])
