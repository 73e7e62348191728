"""The way from an empty database to one of ours, and what is said when the address or the database is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import polars as pl
import pytest
from alembic.config import Config
from sqlalchemy import Engine, text

from alembic import command
from tests.postgres.test_ledger import DAY, START, query, record, take
from tthc_monitor.domain.errors import ConfigError, DatabaseError
from tthc_monitor.domain.records import OBSERVED_SCHEMA, conform
from tthc_monitor.store import migrate
from tthc_monitor.store.canonical import content_hashes
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.database import database_url, make_engine, transaction
from tthc_monitor.store.ledger import prepare
from tthc_monitor.store.replay import differences, replay
from tthc_monitor.store.staging import wire_hash
from tthc_monitor.verification import verify


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    engine = make_engine(empty_database)
    yield engine
    engine.dispose()


DOSSIER = (
    "INSERT INTO tthc.dossiers (dossier_id, source_id, observation_id, first_seen_at, changed_at, status_seen_at, "
    "source_key, kind, content_hash) VALUES (1, 1, 1, now(), now(), now(), 'a', 'dossier', '')"
)


def shape(engine: Engine) -> list[tuple[str, ...]]:
    """Every table, view, column and function of ours, to see that nothing moved."""
    with engine.connect() as connection:
        columns = connection.execute(
            text(
                "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
                "WHERE table_schema IN ('tthc', 'audit') ORDER BY 1, 2, ordinal_position"
            )
        )
        functions = connection.execute(
            text(
                "SELECT pronamespace::regnamespace::text, oid::regprocedure::text, '', '' FROM pg_proc "
                "WHERE pronamespace::regnamespace::text IN ('tthc', 'audit') ORDER BY 2"
            )
        )
        return [tuple(row) for row in (*columns, *functions)]


def test_an_empty_database_is_brought_to_the_head(empty: Engine) -> None:
    with transaction(empty) as connection:
        assert migrate.current(connection) is None
    assert migrate.upgrade(empty) == migrate.head()
    with transaction(empty) as connection:
        assert migrate.current(connection) == migrate.head()
        migrate.require_head(connection)
    assert {row[0] for row in shape(empty)} == {"tthc", "audit"}


def test_a_second_upgrade_changes_nothing_and_keeps_the_rows(empty: Engine) -> None:
    migrate.upgrade(empty)
    before = shape(empty)
    with transaction(empty) as connection:
        connection.execute(text("INSERT INTO tthc.sources (name, kind) VALUES ('mau', 'files')"))
    assert migrate.upgrade(empty) == migrate.head()
    assert shape(empty) == before
    with transaction(empty) as connection:
        assert connection.scalar(text("SELECT name FROM tthc.sources")) == "mau"


def test_two_processes_may_upgrade_at_once(empty_database: str) -> None:
    engines = [make_engine(empty_database) for _ in range(2)]
    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(migrate.upgrade, engines)) == [migrate.head()] * 2
        with transaction(engines[0]) as connection:
            migrate.require_head(connection)
            assert connection.scalar(text("SELECT count(*) FROM tthc.alembic_version")) == 1
    finally:
        for engine in engines:
            engine.dispose()


def test_a_database_never_migrated_is_refused_with_the_command_that_mends_it(empty: Engine) -> None:
    with (
        pytest.raises(DatabaseError, match=r"at migration none.*run: tthc-monitor db upgrade$"),
        transaction(empty) as connection,
    ):
        migrate.require_head(connection)


def test_a_database_at_another_migration_is_refused_by_name(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("UPDATE tthc.alembic_version SET version_num = '0001'"))
    with (
        pytest.raises(DatabaseError, match=rf"at migration 0001, this version needs {migrate.head()}"),
        transaction(engine) as connection,
    ):
        migrate.require_head(connection)


def test_a_query_on_an_empty_database_names_the_upgrade(empty: Engine) -> None:
    with pytest.raises(DatabaseError, match="run: tthc-monitor db upgrade"), transaction(empty) as connection:
        connection.execute(text("SELECT * FROM tthc.dossiers"))


def test_a_role_that_may_not_create_is_told_so(empty: Engine, empty_database: str) -> None:
    name = "u_" + database_url(empty_database).database.rpartition("_")[2][:12]  # type: ignore[union-attr]
    with empty.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'khong-quan-trong'"))
    plain = make_engine(database_url(empty_database).set(username=name, password="khong-quan-trong"))
    try:
        with pytest.raises(
            DatabaseError, match=r"refuses role \w+: permission denied for database .*; grant it the right"
        ):
            migrate.upgrade(plain)
    finally:
        plain.dispose()
        with empty.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {name}; DROP ROLE {name}"))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_gets_the_one_driver(scheme: str) -> None:
    url = database_url(f"{scheme}://ai:m%40t@may.chu:5433/ten?sslmode=require")
    assert url.drivername == "postgresql+psycopg2"
    assert (url.username, url.password, url.host, url.port, url.database) == ("ai", "m@t", "may.chu", 5433, "ten")
    assert url.query == {"sslmode": "require"}


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mysql", "sqlite", "oracle", "mssql+pyodbc"])
def test_another_dialect_or_driver_is_refused_by_name(scheme: str) -> None:
    with pytest.raises(ConfigError, match=r"only PostgreSQL 15 or later.*postgresql://user:password@host") as caught:
        database_url(f"{scheme}://ai:bi-mat@may/ten")
    assert scheme in str(caught.value)
    assert "bi-mat" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "rac", "://", "host:5432/ten", "postgresql://ai:bi-mat@may:cong/ten"])
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ConfigError, match="write it as postgresql://user:password@host:5432/name") as caught:
        database_url(address)
    assert "bi-mat" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [{"port": 1}, {"password": "mat-khau-sai"}, {"database": "khong_co"}],
    ids=lambda change: next(iter(change)),
)
def test_an_unreachable_database_is_told_without_its_password(database_address: str, change: dict[str, object]) -> None:
    url = database_url(database_address).set(**change)
    engine = make_engine(url)
    try:
        refused = pytest.raises(DatabaseError, match=r"cannot be reached.*check that it runs, then database\.url")
        with refused as caught, transaction(engine):
            pass
    finally:
        engine.dispose()
    assert str(url.password) not in str(caught.value)
    assert str(url.host) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lock_waited_for_in_vain_is_not_called_an_outage(engine: Engine) -> None:
    with transaction(engine) as holder:
        holder.execute(text("LOCK TABLE tthc.sources"))
        waits = text("SET LOCAL lock_timeout = '50ms'; SELECT * FROM tthc.sources")
        with pytest.raises(DatabaseError, match="another run") as caught, transaction(engine) as connection:
            connection.execute(waits)
    assert "cannot be reached" not in str(caught.value)


def test_a_statement_that_takes_too_long_is_not_called_an_outage(engine: Engine) -> None:
    slow = text("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(10)")
    with pytest.raises(DatabaseError, match=r"gave up: .*statement timeout.*;"), transaction(engine) as connection:
        connection.execute(slow)


LOOKUPS = (
    "SELECT indexname FROM pg_indexes WHERE tablename = 'dossiers' AND indexname ~ 'closing|filing|number|of_unit'"
)


@pytest.mark.parametrize("filled", [False, True])
def test_lookups_for_groups_stay_where_there_are_dossiers(empty: Engine, filled: bool) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.scripts_folder()))
    with transaction(empty) as connection:
        config.attributes["connection"] = connection
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS tthc"))
        command.upgrade(config, "0011")
        assert set(connection.scalars(text(LOOKUPS))) == {"dossiers_closing", "dossiers_filing", "dossiers_number"}
        if filled:
            connection.execute(text(DOSSIER))
    migrate.upgrade(empty)
    with transaction(empty) as connection:
        kept = {"dossiers_of_unit", "dossiers_filing", "dossiers_number"} if filled else set()
        assert set(connection.scalars(text(LOOKUPS))) == kept


def test_deliveries_of_before_keep_what_came_of_them(empty: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.scripts_folder()))
    rows = {
        "a": "now(), NULL",
        "b": "NULL, 'transient: 451 try later'",
        "c": "NULL, 'permanent: 550 no such user'",
        "d": "NULL, 'permanent: broke off; nobody knows whether it was delivered, so it is not sent again'",
        "e": "NULL, NULL",
    }
    with transaction(empty) as connection:
        config.attributes["connection"] = connection
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS tthc"))
        command.upgrade(config, "0024")
        for recipient, values in rows.items():
            columns = "recipient, kind, local_date, claimed_at, sent_at, error"
            written = f"INSERT INTO tthc.deliveries ({columns}) VALUES ('{recipient}', 'digest', current_date, now(), {values})"
            connection.exec_driver_sql(written)
    migrate.upgrade(empty)
    assert query(empty, "SELECT outcome, error, attempts FROM tthc.deliveries ORDER BY recipient") == [
        ("sent", None, 1),
        ("failed", "451 try later", 1),
        ("refused", "550 no such user", 1),
        ("in_doubt", "broke off; nobody knows whether it was delivered, so it is not sent again", 1),
        (None, None, 1),
    ]


# -- the ledger from before it was partitioned ----------------------------------------------------------------------


def test_a_ledger_of_before_keeps_its_rows_and_its_chain_and_goes_on(empty: Engine) -> None:
    frame = prepare(conform(pl.DataFrame([record("a", code="H99-1", steps_done=3), record("b")], orient="row")))
    before = frame.with_columns(content_hashes(frame, 1))
    rows_hash = sha256(b"".join(before["content_hash"])).digest()
    seen = f"{int(START.timestamp() * 1_000_000)}"
    link = sha256(bytes(32) + f"1|{seen}|1|2|".encode() + rows_hash).digest()
    with transaction(empty) as connection:
        connection.execute(text("CREATE SCHEMA tthc"))
        config = Config()
        config.set_main_option("script_location", str(migrate.scripts_folder()))
        config.attributes["connection"] = connection
        command.upgrade(config, "0013")
        connection.execute(text("INSERT INTO tthc.sources (name, kind) VALUES ('mau', 'told')"))
        connection.execute(text("INSERT INTO tthc.pull_runs (source_id, started_at) VALUES (1, now())"))
        held = before.select(
            pl.int_range(1, 3, dtype=pl.Int64()).alias("observation_id"),
            pl.int_range(1, 3, dtype=pl.Int64()).alias("dossier_id"),
            pl.lit(1).alias("source_id"),
            pl.lit(START).alias("seen_at"),
            *OBSERVED_SCHEMA,
            wire_hash(),
        )
        copy_in(connection, "tthc.observations", held)
        fields = ", ".join((*OBSERVED_SCHEMA, "content_hash"))
        connection.execute(
            text(
                "INSERT INTO tthc.dossiers (dossier_id, source_id, observation_id, first_seen_at, changed_at, "
                f"status_seen_at, underway_seen_at, {fields}) SELECT dossier_id, source_id, observation_id, seen_at, "
                f"seen_at, seen_at, seen_at, {fields} FROM tthc.observations"
            )
        )
        connection.execute(
            text(
                "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, first_observation_id, "
                "last_observation_id, row_count, rows_hash, previous_hash, chain_hash) "
                "VALUES (1, 1, :seen, 1, 2, 2, :rows, :previous, :chain)"
            ),
            {"seen": START, "rows": rows_hash, "previous": bytes(32), "chain": link},
        )
        connection.execute(text("SELECT setval('tthc.observation_ids', 2), setval('tthc.dossier_ids', 2)"))
    migrate.upgrade(empty)
    assert (
        query(
            empty,
            "SELECT o.tableoid::regclass::text FROM audit.observations JOIN tthc.observations o USING (observation_id)",
        )
        == ["observations_before"] * 2
    )
    again = take(empty, record("a", code="H99-1", steps_done=3), record("b"), at=START + DAY)
    assert (again.dossiers_new, again.dossiers_changed) == (0, 0), "hashes of another version are no news"
    take(empty, record("a", code="H99-1", steps_done=4), record("b"), at=START + 2 * DAY)
    take(empty, record("a", code="H99-1", steps_done=5), record("b"), at=START + 60 * DAY)
    partitions = query(empty, "SELECT DISTINCT tableoid::regclass::text FROM tthc.observations ORDER BY 1")
    assert partitions == ["observations_before", "observations_y2026m05"]
    versions = query(
        empty, "SELECT version, encode(previous_hash, 'hex') FROM tthc.observation_batches ORDER BY batch_id"
    )
    assert [version for version, _ in versions] == [1, 2, 2]
    assert versions[1][1] == link.hex()
    with transaction(empty) as connection:
        replay(connection)
        assert differences(connection, 9) == []
    verdict = verify(empty, head=link.hex())
    verdict.require()
    assert verdict.links == 3
    assert verdict.known is not None and verdict.known.number == 1
