"""The server of our own: shared by processes, stopped by the last, and careful with folders that are not its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from tthc_monitor.domain.errors import ConfigError, DatabaseError
from tthc_monitor.store import embedded

ROOT = os.geteuid() == 0
USER = """
import sys
from pathlib import Path
from tthc_monitor.store import embedded
server = embedded.start(Path(sys.argv[1]), fast_and_unsafe=True)
print(server.url(), flush=True)
sys.stdin.readline()
server.stop()
"""


def enterable_folder() -> Path:
    """A folder that everybody may enter: as root, PostgreSQL runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="tthc-embedded-"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder whose cluster was made and stopped; making one takes most of the time."""
    folder = enterable_folder()
    try:
        start(folder / "data").stop()
        yield folder / "data"
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = enterable_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(made: Path, folder: Path) -> Path:
    subprocess.run(["cp", "-a", made, folder / "data"], check=True)
    return folder / "data"


def start(data_dir: Path, port: int = 0) -> embedded.EmbeddedServer:
    return embedded.start(data_dir, port=port, fast_and_unsafe=True)


@contextmanager
def running(data_dir: Path) -> Iterator[embedded.EmbeddedServer]:
    server = start(data_dir)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def another_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server until its standard input says otherwise."""
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
            if process.poll() is None:
                process.communicate("\n", timeout=30)
                assert process.returncode == 0
        finally:
            process.kill()


def told_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ask(url: str, statement: str = "SELECT 'here'") -> object:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def answers(url: str) -> bool:
    try:
        return ask(url) == "here"
    except psycopg2.OperationalError:
        return False


def owner_and_mode(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def server_ids() -> tuple[int, int]:
    """Whom the cluster belongs to."""
    return embedded._unprivileged_ids() if ROOT else (os.geteuid(), os.getegid())


# -- who stops it ---------------------------------------------------------------------------------------------------


def test_who_started_it_leaves_it_to_who_joined(made: Path) -> None:
    server = start(made)
    try:
        with another_process(made) as other:
            assert told_url(other) == server.url()
            server.stop()
            assert answers(server.url())
        assert not answers(server.url())
    finally:
        server.stop()


def test_who_joined_stops_it_when_it_is_the_last(made: Path) -> None:
    with another_process(made) as other:
        url = told_url(other)
        server = start(made)
    assert server.url() == url
    assert answers(url)
    server.stop()
    assert not answers(url)


def test_a_process_that_was_killed_is_no_user(made: Path) -> None:
    with another_process(made) as other:
        url = told_url(other)
        other.kill()
        other.wait()
        assert answers(url)
    with running(made) as server:
        assert server.url() == url
    assert not answers(url)


def test_two_uses_of_one_process_are_two_and_stopping_one_twice_is_stopping_one(made: Path) -> None:
    first = start(made)
    second = start(made)
    try:
        assert first.url() == second.url()
        first.stop()
        first.stop()
        assert answers(second.url())
    finally:
        second.stop()
    assert not answers(second.url())
    second.stop()
    first.stop()


def test_stopping_what_has_ended_by_itself_is_no_error(data_dir: Path) -> None:
    server = start(data_dir)
    kill_server(data_dir)
    server.stop()
    server.stop()


def test_stopping_once_more_when_the_folder_is_gone_is_no_error(data_dir: Path) -> None:
    server = start(data_dir)
    server.stop()
    shutil.rmtree(data_dir)
    server.stop()
    assert not data_dir.exists()


def test_two_processes_that_start_at_once_make_one_cluster(folder: Path) -> None:
    data_dir = folder / "data"
    (data_dir / "pg.unfinished" / "base").mkdir(parents=True)  # what a process that was killed had begun
    data_dir.chmod(0o755)
    with another_process(data_dir) as one, another_process(data_dir) as two:
        url, other = told_url(one), told_url(two)
        assert url == other and answers(url)
    assert not answers(url)
    assert {path.name for path in data_dir.iterdir() if not path.name.startswith("binaries-")} == {
        *("lock", "users.lock", "owner-password", "port", "pg")
    }


def test_the_port_and_the_password_stay(made: Path) -> None:
    with running(made) as server:
        url = server.url()
        assert server.password not in repr(server)
    with running(made) as server:
        assert server.url() == url


# -- whose folder it is ---------------------------------------------------------------------------------------------


def test_a_folder_that_exists_keeps_its_owner_and_mode(folder: Path) -> None:
    data_dir = folder / "of-everybody"
    data_dir.mkdir()
    if ROOT:
        os.chown(data_dir, 54321, 54321)
    data_dir.chmod(0o1777)
    theirs = data_dir / "theirs.txt"
    theirs.write_text("x")
    before = owner_and_mode(data_dir), owner_and_mode(theirs)
    with running(data_dir) as server:
        assert answers(server.url())
    assert (owner_and_mode(data_dir), owner_and_mode(theirs)) == before
    assert owner_and_mode(data_dir / "pg") == (*server_ids(), 0o700)
    assert owner_and_mode(data_dir / "pg" / "postgresql.log")[:2] == server_ids()
    for name in ("owner-password", "lock", "users.lock", "port"):
        assert owner_and_mode(data_dir / name) == (os.geteuid(), os.getegid(), 0o600)


def test_a_missing_folder_is_made_so_that_the_server_gets_in(folder: Path) -> None:
    data_dir = folder / "not" / "yet"
    umask = os.umask(0o077)
    try:
        server = start(data_dir)
    finally:
        os.umask(umask)
    server.stop()
    expected = 0o755 if ROOT else 0o700
    for made in (data_dir, data_dir.parent):
        assert owner_and_mode(made) == (os.geteuid(), os.getegid(), expected)


def test_a_cluster_of_an_earlier_version_keeps_working(data_dir: Path) -> None:
    """There everything belonged to the server's user, the log lay beside the cluster, and others were kept out."""
    data_dir.chmod(0o700)
    (data_dir / "owner-password").chmod(0o600)
    (data_dir / "pg" / "postgresql.log").rename(data_dir / "postgresql.log")
    (data_dir / "users.lock").unlink()
    if ROOT:
        for path in (data_dir, data_dir / "owner-password", data_dir / "postgresql.log"):
            os.chown(path, *server_ids())
    before = owner_and_mode(data_dir)
    with running(data_dir) as server:
        assert answers(server.url())
    assert owner_and_mode(data_dir) == before
    assert owner_and_mode(data_dir / "owner-password") == (os.geteuid(), os.getegid(), 0o600)


@pytest.mark.parametrize("closed", ["data", "."])
def test_a_folder_that_the_server_cannot_enter_is_refused_with_the_remedy(folder: Path, closed: str) -> None:
    data_dir = folder / "data"
    data_dir.mkdir()
    data_dir.chmod(0o755)
    (folder / closed).chmod(0o700 if ROOT else 0o600)
    said = r"cannot enter (\S+); set data_dir to .*, or run: chmod o\+x \1$" if ROOT else "choose another folder"
    try:
        with pytest.raises(ConfigError, match=said) as caught:
            start(data_dir)
    finally:
        (folder / closed).chmod(0o755)
    assert str((folder / closed).resolve()) in str(caught.value)
    assert not list(data_dir.iterdir())


def test_a_file_in_the_place_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "data").write_text("x")
    with pytest.raises(ConfigError, match="choose another folder"):
        start(folder / "data")


@pytest.mark.parametrize("name", ["lock", "users.lock", "owner-password", "port"])
def test_a_link_that_somebody_planted_is_not_followed(folder: Path, name: str) -> None:
    target = folder / "precious"
    target.write_text("as it was")
    (folder / name).symlink_to(target)
    if name == "owner-password":
        (folder / "pg").mkdir()
        (folder / "pg" / "PG_VERSION").write_text("18")
    with pytest.raises(ConfigError, match=rf"cannot be used: .*/{name}"):
        start(folder)
    assert target.read_text() == "as it was"


def test_a_password_that_lay_there_before_the_cluster_is_not_used(folder: Path) -> None:
    theirs = folder / "owner-password"
    theirs.write_text("cua-nguoi-khac")
    theirs.chmod(0o666)
    with theirs.open() as kept_open, running(folder) as server:
        assert answers(server.url())
        assert server.password != "cua-nguoi-khac"
        assert kept_open.read() == "cua-nguoi-khac"
    assert owner_and_mode(theirs)[2] == 0o600


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_refused_by_number(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} .* is in use; choose another in database\.port"):
            start(data_dir, port)
    with running(data_dir) as server:  # the attempt left no lock behind
        assert answers(server.url())


def kill_server(data_dir: Path) -> None:
    """End the server without a chance to tidy up, and wait until it does not run any more."""
    pid = int((data_dir / "pg" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    for _ in range(500):
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return
            os.kill(pid, 0)
        except OSError:
            return
        time.sleep(0.01)


def test_a_server_that_was_killed_is_started_again_with_its_data(data_dir: Path) -> None:
    first = embedded.start(data_dir)  # as an installation runs it: what was committed is on disk
    ask(first.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
    kill_server(data_dir)
    assert not answers(first.url())
    with running(data_dir) as server:
        assert ask(server.url(), "SELECT answer FROM kept") == 42
        first.stop()
        assert answers(server.url())
    assert not answers(server.url())


def test_one_that_was_killed_under_the_service_comes_back_with_any_command_and_stays(made: Path) -> None:
    with running(made) as service:
        kill_server(made)
        assert not answers(service.url())
        with another_process(made) as command:
            assert told_url(command) == service.url(), "where the service asks for it"
        assert answers(service.url())
    assert not answers(service.url())


def test_a_server_that_does_not_start_tells_the_end_of_its_log(data_dir: Path) -> None:
    settings = data_dir / "pg" / "postgresql.conf"
    sound = settings.read_text()
    settings.write_text(sound + "\nno_such_setting = 1\n")
    with pytest.raises(DatabaseError, match="does not start") as caught:
        start(data_dir)
    assert 'unrecognized configuration parameter "no_such_setting"' in str(caught.value)
    assert "set database.url to a PostgreSQL of your own" in str(caught.value)
    settings.write_text(sound)
    with running(data_dir) as server:
        assert answers(server.url())


def test_a_lost_password_is_not_replaced_by_one_that_opens_nothing(folder: Path) -> None:
    (folder / "pg").mkdir()
    (folder / "pg" / "PG_VERSION").write_text("18")
    for _ in range(2):
        with pytest.raises(ConfigError, match="owner-password is missing; restore that file"):
            start(folder)


def test_a_wrong_password_is_told_and_leaves_no_server_behind(data_dir: Path) -> None:
    (data_dir / "owner-password").write_text("mat-khau-sai")
    with pytest.raises(DatabaseError, match=r"refuses its owner: .*password authentication failed") as caught:
        start(data_dir)
    assert "mat-khau-sai" not in str(caught.value)
    assert not (data_dir / "pg" / "postmaster.pid").exists()
