"""Backups as people make and restore them: exactly the commands of docs/operations.md, on servers of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.end_to_end.program import ENOUGH, PROGRAM, Ran, environment, run
from tests.end_to_end.test_cli import CSV_SOURCE, assert_one_message, configure, folder
from tests.house.files import ROOT
from tests.postgres.test_ledger import record, take
from tthc_monitor.backup import make_backup, manifest_of, read_backup, restore_backup
from tthc_monitor.domain.errors import ConfigError, DatabaseError, LedgerError
from tthc_monitor.installation import system_clock
from tthc_monitor.store import dumps, embedded, migrate
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import database_url, make_engine, transaction

__all__ = ["folder"]

ROWS = "ma,nhan,hen\n1,02/01/2026,09/01/2026\n2,05/01/2026,26/01/2026\n"
HEAD = re.compile(r"^head: ((?:[0-9a-f]{8} ?){8})", re.MULTILINE)


def documented(heading: str) -> list[str]:
    """The lines of the first block of commands below a heading of docs/operations.md."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    part = page.partition(f"\n{heading}\n")[2]
    lines = part.partition("```sh\n")[2].partition("```")[0].splitlines()
    assert lines, f"docs/operations.md has no commands below '{heading}'"
    return [line for line in lines if line.strip() and not line.startswith("#")]


def typed(line: str, cwd: Path, **changes: str) -> Ran:
    """A documented line, with some of its words changed to what they are here."""
    words = [changes.get(word, word) for word in shlex.split(line, comments=True)]
    assert words[0] == "tthc-monitor", line
    return run(*words[1:], cwd=cwd)


@contextmanager
def serving(cwd: Path, **variables: str) -> Iterator[str]:
    """The service of a folder, until its pages answer; it must end by itself when it is told to."""
    arguments = [str(PROGRAM), "serve"]
    with subprocess.Popen(
        arguments, cwd=cwd, env=environment(**variables), stderr=subprocess.PIPE, text=True
    ) as service:
        assert service.stderr is not None
        impatient = Timer(ENOUGH, service.kill)
        impatient.start()
        try:
            address = next(
                (m[1] for line in service.stderr if (m := re.search(r'"url": "(http://[^"]+)"', line))), None
            )
            assert address is not None, "the service said nothing of where it serves"
            impatient.cancel()
            yield address
        finally:
            impatient.cancel()
            service.send_signal(signal.SIGTERM)
            service.communicate(timeout=ENOUGH)
    assert service.returncode == 0


def test_what_the_handbook_says_brings_everything_back(folder: Path) -> None:
    """From one embedded server to another that has neither roles nor tables."""
    configure(folder, CSV_SOURCE, "data_dir: cu", "serve: {port: 0}")
    (folder / "ho-so.csv").write_text(ROWS, encoding="utf-8")
    assert "2 new" in run("pull", cwd=folder).good().out
    before = run("flags", "export", "--as-of", "2026-02-01T00:00:00+07:00", cwd=folder).good().out
    run("db", "auditor", "thanh_tra", cwd=folder).good()
    file = str(folder / "tthc.dump")

    (backup,) = documented("### Backup")
    made = typed(backup, folder, **{"/var/backups/tthc-monitor/tthc-2026-11-22.dump": file}).good().out
    head = HEAD.search(made)
    assert head is not None, made
    assert Path(file).stat().st_mode & 0o777 == 0o600, "a backup is for its owner only"
    assert Path(f"{file}.json").stat().st_mode & 0o777 == 0o600, "and so is its manifest"
    assert not list(folder.glob(".*unfinished"))

    configure(folder, CSV_SOURCE, "data_dir: moi", "serve: {port: 0}")
    restore, status, verify, *logins = documented("### Restore")
    restored = typed(restore, folder, **{"/var/backups/tthc-monitor/tthc-2026-11-22.dump": file}).good().out
    assert head[1].strip() in restored
    assert "  tthc-monitor db auditor thanh_tra" in restored.splitlines()
    at = typed(status, folder).good().out
    assert at == f"database at migration {migrate.head()}, this version needs {migrate.head()}\n"
    proved = typed(verify, folder, HEAD=head[1]).good().out
    assert "the head given is of link 1" in proved
    for line in logins:
        assert typed(line, folder, NAME="thanh_tra").good().out.startswith("postgresql://thanh_tra:")

    assert run("flags", "export", "--as-of", "2026-02-01T00:00:00+07:00", cwd=folder).good().out == before
    assert "0 new, 0 changed" in run("pull", cwd=folder).good().out, "to the restored one they are not new"
    with serving(folder) as address, httpx.Client(base_url=address, timeout=20, trust_env=False) as client:
        assert client.get("/-/ready").text == "ready\n"
        assert "tthc_database_up 1.0" in client.get("/metrics").text


@pytest.fixture
def filled(engine: Engine) -> Engine:
    take(engine, record("a", unit_code="H99.01", unit_name="Sở Xây dựng"), record("b"))
    return engine


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    engine = make_engine(empty_database)
    yield engine
    engine.dispose()


def nothing(*_: object) -> None:
    """Progress that nobody watches."""


def test_the_service_goes_on_while_a_backup_is_made(filled: Engine, empty: Engine, tmp_path: Path) -> None:
    """What is linked meanwhile is not in it, and the head is that of what is."""
    seen: list[int] = []

    def meanwhile(begun: int, total: int | None) -> None:
        if not seen:
            take(filled, record("c"), name="hai")
        assert total is not None and begun <= total
        seen.append(begun)

    manifest = make_backup(filled, tmp_path / "x", system_clock(), meanwhile)
    assert seen[-1] == manifest.tables and manifest.link == 1
    verdict = restore_backup(empty, tmp_path / "x", read_backup(tmp_path / "x"), nothing, nothing)
    assert (verdict.links, verdict.observations) == (1, 2)


def test_unit_auditors_are_told_with_their_units(filled: Engine, tmp_path: Path) -> None:
    name = "kiem_toan_sao_luu"
    with transaction(filled) as connection:
        create_auditor(connection, filled.url, name, ["H99.01"])
    try:
        manifest = make_backup(filled, tmp_path / "x", system_clock(), nothing)
        (login,) = [one for one in manifest.logins if one.name == name]
        assert login.command == f"tthc-monitor db auditor {name} --unit H99.01"
    finally:
        with transaction(filled) as connection:
            connection.execute(text(f"DROP OWNED BY {name}; DROP ROLE {name}"))


def test_only_an_empty_database_takes_a_backup(filled: Engine, tmp_path: Path) -> None:
    manifest = make_backup(filled, tmp_path / "x", system_clock(), nothing)
    with pytest.raises(ConfigError, match="into an empty one only; name a new database"):
        restore_backup(filled, tmp_path / "x", manifest, nothing, nothing)


def test_a_backup_is_not_written_over(filled: Engine, tmp_path: Path) -> None:
    make_backup(filled, tmp_path / "x", system_clock(), nothing)
    kept = (tmp_path / "x").read_bytes()
    (tmp_path / "y.json").touch()
    for name in ("x", "y"):
        with pytest.raises(ConfigError, match="is there already; choose another name"):
            make_backup(filled, tmp_path / name, system_clock(), nothing)
    assert (tmp_path / "x").read_bytes() == kept and not (tmp_path / "y").exists()
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory; choose another folder"):
        make_backup(filled, tmp_path / "none" / "x", system_clock(), nothing)


def test_a_backup_that_breaks_off_leaves_nothing(filled: Engine, tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_backup(filled, tmp_path / "x", system_clock(), interrupted)
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_was_changed_is_refused(filled: Engine, tmp_path: Path) -> None:
    file = tmp_path / "x"
    make_backup(filled, file, system_clock(), nothing)
    whole, manifest = file.read_bytes(), manifest_of(file).read_text("utf-8")
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ConfigError, match="is not the file that was written"):
        read_backup(file)
    file.write_bytes(whole)
    assert read_backup(file).head is not None
    manifest_of(file).write_text(json.dumps(json.loads(manifest) | {"migration": "9999"}), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"is of a newer version of the program, .* \(migration 9999\); install that one"
    ):
        read_backup(file)
    manifest_of(file).write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not the manifest of a backup"):
        read_backup(file)
    manifest_of(file).unlink()
    with pytest.raises(ConfigError, match=r"cannot be read: No such file .*two files, the dump and x\.json"):
        read_backup(file)


def test_a_dump_of_another_ledger_under_the_same_manifest_is_found_out(
    filled: Engine, empty: Engine, tmp_path: Path
) -> None:
    head = make_backup(filled, tmp_path / "x", system_clock(), nothing).head
    take(filled, record("c"), name="hai")
    manifest = make_backup(filled, tmp_path / "y", system_clock(), nothing)
    with pytest.raises(LedgerError, match=f"the manifest says {head}; do not use this database"):
        restore_backup(empty, tmp_path / "y", manifest.model_copy(update={"head": head}), nothing, nothing)


def test_a_forged_ledger_is_found_out(filled: Engine, empty: Engine, tmp_path: Path) -> None:
    with filled.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE tthc.observations SET status = 9 WHERE observation_id = 1"))
    manifest = make_backup(filled, tmp_path / "x", system_clock(), nothing)
    with pytest.raises(LedgerError, match=r"observation 1 .* was changed"):
        restore_backup(empty, tmp_path / "x", manifest, nothing, nothing)


def test_a_dump_cut_short_leaves_the_database_empty(filled: Engine, empty: Engine, tmp_path: Path) -> None:
    manifest = make_backup(filled, tmp_path / "x", system_clock(), nothing)
    whole = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatabaseError, match=r"pg_restore failed: .*; mend what it names"):
        restore_backup(empty, tmp_path / "x", manifest, nothing, nothing)
    with transaction(empty) as connection:
        assert dumps.occupied(connection) == []


def test_no_argument_of_a_program_tells_the_password(
    filled: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    start = subprocess.Popen

    def watched(arguments: list[str], **more: object) -> object:
        told.extend(arguments)
        return start(arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", watched)
    make_backup(filled, tmp_path / "x", system_clock(), nothing)
    assert filled.url.password and any(str(filled.url.database) in one for one in told)
    assert filled.url.password not in " ".join(told)


def test_a_login_that_looks_after_the_database_needs_not_be_a_superuser(
    filled: Engine, server_url: str, tmp_path: Path
) -> None:
    """As docs/database-roles.md sets it up: CREATEROLE, and owner of the database."""
    login, name = f"quan_tri_{os.getpid()}", f"r_{time.time_ns()}"
    maker = make_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    make_backup(filled, tmp_path / "x", system_clock(), nothing)
    groups = "tthc_migrator, tthc_views, tthc_service"
    with maker.connect() as server:
        server.execute(text(f"CREATE ROLE {login} LOGIN CREATEROLE PASSWORD 'x'"))
        server.execute(text(f"GRANT {groups} TO {login} WITH ADMIN OPTION"))
        server.execute(text(f"CREATE DATABASE {name} OWNER {login} TEMPLATE template0"))
    owner = make_engine(database_url(server_url).set(username=login, password="x", database=name))
    try:
        verdict = restore_backup(owner, tmp_path / "x", read_backup(tmp_path / "x"), nothing, nothing)
        assert verdict.observations == 2
        again = make_backup(owner, tmp_path / "y", system_clock(), nothing)
        assert again.head == read_backup(tmp_path / "x").head
    finally:
        owner.dispose()
        with maker.connect() as server:
            server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            server.execute(text(f"DROP OWNED BY {login}"))
            server.execute(text(f"DROP ROLE {login}"))
        maker.dispose()


def test_the_command_refuses_an_older_database(folder: Path, empty_database: str) -> None:
    configure(folder, f"database: {{url: '{empty_database}'}}")
    ran = run("db", "backup", folder / "x", cwd=folder)
    assert_one_message(ran, 6, "the database has no tables of ours", "tthc-monitor db upgrade")


def test_the_programs_are_those_of_the_embedded_server() -> None:
    for name in ("pg_dump", "pg_restore"):
        said = subprocess.run([embedded.program(name), "--version"], capture_output=True, text=True, check=True).stdout
        assert said.startswith(f"{name} (PostgreSQL) 18.")
