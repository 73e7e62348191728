"""What only one kind of server does: zero dates, bytes in texts, zones of its own, numbers of any length."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from connectors.sql.flavour import Flavour, Snapshot
from connectors.sql.mysql import MySql
from connectors.sql.postgresql import PostgreSql
from tests.sql.epar import add, connector, make_tables, pull
from tests.sql.servers import Source, postgresql
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError

PLAIN: dict[str, Any] = {"cursor": None, "statuses": None}


def test_mysql_zero_dates_are_nothing_and_half_dates_are_refused(mariadb: Source) -> None:
    mariadb.run("CREATE TABLE d (id int PRIMARY KEY, t datetime, n date)")
    mariadb.run(
        "INSERT INTO d VALUES (1, '0000-00-00 00:00:00', '0000-00-00'), (2, '2026-10-05 08:00:00', '2026-10-06'), "
        "(3, '2026-10-00 00:00:00', NULL)"
    )
    columns = {"source_key": "id", "received_at": "t", "due_current": {"column": "n", "date_only": "end_of_day"}}
    frame, rejects, _ = pull(connector(mariadb, **PLAIN, query="SELECT * FROM d", key="id", columns=columns))
    assert frame.select("source_key", "received_at", "due_current").rows() == [
        ("1", None, None),
        ("2", datetime(2026, 10, 5, 1, tzinfo=UTC), datetime(2026, 10, 6, 16, 59, 59, 999999, tzinfo=UTC)),
    ]
    assert [(item.location, item.column) for item in rejects] == [("query, 3", "t")]


def test_a_mysql_cursor_of_zeros_counts_as_empty(mariadb: Source) -> None:
    make_tables(mariadb)
    add(mariadb, 1, c_updated="2026-01-01 00:00:00")
    add(mariadb, 2, c_updated="0000-00-00 00:00:00")
    sql = connector(mariadb)
    _, _, cursor = pull(sql)
    assert pull(sql, cursor)[0]["source_key"].to_list() == ["2"]


def test_mysql_timestamps_and_datetimes_are_both_in_the_zone(mariadb: Source) -> None:
    mariadb.run(
        "CREATE TABLE d (id int PRIMARY KEY, d datetime, t timestamp NULL)",
    )
    with mariadb.transaction() as work:
        work.exec_driver_sql("SET time_zone = '+02:00'")
        work.exec_driver_sql("INSERT INTO d VALUES (1, '2026-10-05 08:00:00', '2026-10-05 03:00:00')")
    columns = {"source_key": "id", "received_at": "d", "finished_at": "t"}
    frame, _, _ = pull(connector(mariadb, **PLAIN, query="SELECT * FROM d", key="id", columns=columns))
    eight = datetime(2026, 10, 5, 1, tzinfo=UTC)
    assert frame.select("received_at", "finished_at").row(0) == (eight, eight)
    other = connector(mariadb, **PLAIN, query="SELECT * FROM d", key="id", columns=columns, zone="Asia/Kolkata")
    assert pull(other)[0].select("received_at", "finished_at").row(0) == (
        datetime(2026, 10, 5, 2, 30, tzinfo=UTC),
        eight,
    )
    unknown = connector(mariadb, **PLAIN, query="SELECT * FROM d", key="id", columns=columns, zone="Europe/Paris")
    with pytest.raises(PermanentSourceError, match="does not know our zone by its name"):
        pull(unknown)


def test_a_key_that_the_server_orders_otherwise_than_it_compares_is_found_out(mariadb: Source) -> None:
    # An ENUM is ordered by its place in the list and compared as a text.
    mariadb.run("CREATE TABLE d (id enum('b', 'a', 'c') PRIMARY KEY)", "INSERT INTO d VALUES ('a'), ('b'), ('c')")
    sql = connector(mariadb, **PLAIN, query="SELECT * FROM d", key="id", columns={"source_key": "id"}, page_rows=1)
    with pytest.raises(TransientSourceError, match=r"gave 2 rows where it had counted 3.*name columns in 'key'"):
        pull(sql)


@pytest.fixture
def no_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question sees what is committed by then, as at a SQL Server that allows no snapshots."""
    for flavour in (PostgreSql, MySql):

        def begin(
            self: Flavour, connection: Connection, zone: ZoneInfo, timeout: timedelta, own: Any = flavour.begin
        ) -> Snapshot:
            snapshot: Snapshot = own(self, connection, zone, timeout)
            connection.rollback()
            connection.execution_options(isolation_level="READ COMMITTED")
            return replace(snapshot, consistent=False)

        monkeypatch.setattr(flavour, "begin", begin)


@pytest.mark.usefixtures("no_snapshots")
def test_rows_that_a_key_loses_are_found_out_without_a_snapshot_too(mariadb: Source) -> None:
    mariadb.run("CREATE TABLE d (id enum('b', 'a', 'c') PRIMARY KEY)", "INSERT INTO d VALUES ('a'), ('b'), ('c')")
    sql = connector(mariadb, **PLAIN, query="SELECT * FROM d", key="id", columns={"source_key": "id"}, page_rows=1)
    with pytest.raises(TransientSourceError, match="gave 2 rows where it had counted 3"):
        pull(sql)


@pytest.mark.usefixtures("no_snapshots")
def test_rows_that_come_again_and_again_end_without_a_snapshot_too(postgres: Source) -> None:
    # A key that grows with the time is always behind the last one read.
    query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS numeric) + n AS id FROM generate_series(1, 50) n"
    sql = connector(postgres, **PLAIN, query=query, key="id", columns={"source_key": "id"}, page_rows=50)
    with pytest.raises(TransientSourceError, match="gave 1150 rows where it had counted 50"):
        pull(sql)


@pytest.mark.usefixtures("no_snapshots")
def test_rows_that_come_and_go_are_believed_without_a_snapshot(source: Source) -> None:
    source.run("CREATE TABLE d (id int PRIMARY KEY)")
    source.many("INSERT INTO d VALUES (:id)", [{"id": number} for number in range(1, 41)])
    sql = connector(source, **PLAIN, query="SELECT * FROM d", key="id", columns={"source_key": "id"}, page_rows=10)
    pages = sql.fetch(None)
    keys = [*sql.normalise(next(pages)).records["source_key"]]
    source.run("DELETE FROM d WHERE id IN (3, 35, 36)", "INSERT INTO d VALUES (100)")
    keys += [key for page in pages for key in sql.normalise(page).records["source_key"]]
    assert keys == [str(number) for number in (*range(1, 35), *range(37, 41), 100)]


def test_mysql_bytes_are_text_where_they_are_utf_8_and_a_reject_where_not(mariadb: Source) -> None:
    mariadb.run(
        "CREATE TABLE d (id int PRIMARY KEY, old varchar(40) CHARACTER SET latin1, raw varbinary(40), n text) CHARSET utf8mb4"
    )
    text = "Sở Tư pháp"
    mariadb.run(f"INSERT INTO d VALUES (1, CAST(X'{text.encode().hex()}' AS CHAR CHARACTER SET latin1), X'4131', 'a')")
    mariadb.run(f"UPDATE d SET old = CONVERT(X'{text.encode().hex()}' USING latin1)")
    mariadb.run(
        "INSERT INTO d VALUES (2, CONVERT(X'53D0' USING latin1), X'FF00', 'b'), (3, 'x', X'61', CONCAT('a', CHAR(0)))"
    )
    columns = {"source_key": "id", "unit_name": "old_text", "code": "raw", "step_name": "n"}
    query = "SELECT id, CAST(old AS BINARY) AS old_text, raw, n FROM d"
    frame, rejects, _ = pull(connector(mariadb, **PLAIN, query=query, key="id", columns=columns))
    assert frame.select("source_key", "unit_name", "code").rows() == [("1", text, "A1")]
    assert [item.location for item in rejects] == ["query, 2", "query, 3"]
    assert "no UTF-8 text; convert them in the query" in rejects[0].reason
    assert "NUL character" in rejects[1].reason


def test_mysql_numbers_keep_every_digit(mariadb: Source) -> None:
    mariadb.run("CREATE TABLE d (id bigint unsigned PRIMARY KEY, n decimal(65,10), b bit(8), y year, j json)")
    largest = 2**64 - 1
    mariadb.run(
        f"INSERT INTO d VALUES ({largest}, 1234567890123456789012345678901234567890.0000000001, 65, 2026, '[1]')"
    )
    mariadb.run(f"INSERT INTO d VALUES ({largest - 1}, 0, 66, 2026, NULL)")
    columns = {"source_key": "id", "code": "n", "step_code": "y", "step_name": "j", "unit_code": "b"}
    sql = connector(mariadb, **PLAIN, query="SELECT * FROM d", key="id", columns=columns, page_rows=1)
    frame, _, _ = pull(sql)
    assert frame["source_key"].to_list() == [str(largest - 1), str(largest)]
    assert frame.select("code", "step_code", "step_name", "unit_code").row(1) == (
        "1234567890123456789012345678901234567890.0000000001",
        "2026",
        "[1]",
        "A",
    )
    [page] = sql.look([str(largest)])
    assert sql.normalise(page).records["source_key"].to_list() == [str(largest)]


def test_postgresql_instants_with_offset_and_those_that_are_none(postgres: Source) -> None:
    postgres.run(
        "CREATE TABLE d (id int PRIMARY KEY, t timestamptz, n date, changed timestamptz)",
        "INSERT INTO d VALUES (1, '2026-10-05 08:00+07', '2026-10-06', '2026-01-01'), (2, 'infinity', NULL, now()), "
        "(3, '0044-03-15 BC', NULL, NULL), (4, '12000-01-01', NULL, NULL), (5, NULL, '-infinity', NULL)",
    )
    columns = {"source_key": "id", "received_at": "t", "due_current": {"column": "n", "date_only": "16:30"}}
    sql = connector(postgres, statuses=None, cursor="changed", query="SELECT * FROM d", key="id", columns=columns)
    frame, rejects, cursor = pull(sql)
    assert frame.select("source_key", "received_at", "due_current").rows() == [
        ("1", datetime(2026, 10, 5, 1, tzinfo=UTC), datetime(2026, 10, 6, 9, 30, tzinfo=UTC)),
    ]
    assert [item.location for item in rejects] == [f"query, {number}" for number in (2, 3, 4, 5)]
    assert [page.total for page in sql.fetch(cursor)] == [4]


def test_a_postgresql_cursor_of_days_asks_for_the_whole_day(postgres: Source) -> None:
    postgres.run(
        "CREATE TABLE d (id int PRIMARY KEY, changed date)",
        "INSERT INTO d SELECT i, (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date - i FROM generate_series(0, 5) i",
    )
    sql = connector(
        postgres, statuses=None, cursor="changed", query="SELECT * FROM d", key="id", columns={"source_key": "id"}
    )
    _, _, cursor = pull(sql)
    found = pull(sql, cursor)[0]["source_key"].to_list()
    assert "0" in found and "3" not in found


def test_postgresql_types_of_every_sort_are_read_as_they_are_written(postgres: Source) -> None:
    postgres.run(
        "CREATE TABLE d (id uuid PRIMARY KEY, n numeric, j jsonb, a text[], b boolean, f float8, x bytea)",
        "INSERT INTO d VALUES ('00000000-0000-0000-0000-000000000001', 1e40, '{\"a\": 1}', '{x,y}', true, 0.1, 'ab')",
        "INSERT INTO d (id) VALUES ('00000000-0000-0000-0000-000000000002')",
    )
    columns = {
        "source_key": "id",
        "code": "n",
        "step_code": "j",
        "step_name": "a",
        "unit_code": "b",
        "unit_name": "f",
        "sector_name": "x",
    }
    sql = connector(postgres, **PLAIN, query="SELECT * FROM d", key="id", columns=columns, page_rows=1)
    frame, _, _ = pull(sql)
    assert frame.select("code", "step_code", "step_name", "unit_code", "unit_name", "sector_name").row(0) == (
        "1" + "0" * 40,
        '{"a": 1}',
        "{x,y}",
        "true",
        "0.1",
        "\\x6162",
    )
    keys = frame["source_key"].to_list()
    looked = [key for page in sql.look([keys[1], "no uuid"]) for key in sql.normalise(page).records["source_key"]]
    assert looked == [keys[1]]


def test_texts_of_a_postgresql_without_encoding_are_refused_as_a_whole(server_url: str) -> None:
    with postgresql(server_url, "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'") as ascii_only:
        ascii_only.run(
            "CREATE TABLE d (id int PRIMARY KEY, n text)",
            "INSERT INTO d VALUES (1, convert_from('\\x53d0'::bytea, 'SQL_ASCII'))",
        )
        sql = connector(
            ascii_only, **PLAIN, query="SELECT * FROM d", key="id", columns={"source_key": "id", "code": "n"}
        )
        with pytest.raises(PermanentSourceError, match="not in the encoding it names"):
            pull(sql)
