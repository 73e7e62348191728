"""The sql connector against real servers: what is read, how changes are found, what is refused and how it is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.base import Connector, LooksDirectly
from connectors.mapping_engine import applicant_hash
from connectors.sql import postgresql
from connectors.testing import Conformance
from tests.sql.epar import NOON, OPTIONS, POISON, add, connector, make_tables, pull
from tests.sql.servers import PASSWORD, Source
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError


@pytest.fixture
def records(source: Source) -> Source:
    make_tables(source)
    return source


class TestConformance(Conformance):
    poison: ClassVar = POISON
    secrets: ClassVar = (PASSWORD,)

    @pytest.fixture(autouse=True)
    def _some_dossiers(self, records: Source) -> None:
        add(records, *range(1, 8))
        add(records, 8, 9, c_updated=None)
        self.source = records

    def connector(self) -> Connector:
        return connector(self.source, page_rows=3, lists_all_open=True)

    def broken(self) -> Iterator[Connector]:
        yield connector(self.source, password="falsch")
        yield connector(self.source, url=self.source.url.replace("127.0.0.1", "127.0.0.2").replace(":", ":", 1) + "x")


def test_it_offers_a_direct_look(records: Source) -> None:
    assert isinstance(connector(records), LooksDirectly)


def test_rows_become_records_with_instants_of_the_zone(records: Source) -> None:
    add(records, 7, c_status="DA_TRA", c_clear_date="2026-10-09 16:30:00.123456")
    frame, rejects, _ = pull(connector(records))
    assert rejects == []
    row = frame.row(0, named=True)
    assert (row["source_key"], row["code"], row["unit_name"]) == ("7", "000.00.01.H99-0007", "Phòng Tư pháp")
    assert (row["status"], row["source_status"]) == (10, "DA_TRA")
    assert row["received_at"] == datetime(2026, 10, 5, 1, tzinfo=UTC)
    assert row["finished_at"] == datetime(2026, 10, 9, 9, 30, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("page_rows", [1, 2, 3, 7, 8, 100])
def test_pages_hold_every_row_once_whatever_their_size(records: Source, page_rows: int) -> None:
    add(records, *range(1, 9))
    sql = connector(records, page_rows=page_rows, lists_all_open=True)
    pages = list(sql.fetch(None))
    keys = [key for page in pages for key in sql.normalise(page).records["source_key"]]
    assert keys == [str(number) for number in range(1, 9)]
    assert {page.total for page in pages} == {8}
    assert [page.listed_all for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [page.cursor is not None for page in pages] == [False] * (len(pages) - 1) + [True]


def test_an_empty_source_still_leaves_a_cursor(records: Source) -> None:
    [page] = connector(records, lists_all_open=True).fetch(None)
    assert page.cursor is not None and page.listed_all and page.total == 0


def test_a_key_of_several_columns_of_text_and_number_is_paged_in_the_servers_own_order(source: Source) -> None:
    source.run("CREATE TABLE d (a varchar(20), b decimal(38,10), c bigint, PRIMARY KEY (a, b, c))")
    texts = ["", "a", "A ", "b", "Đ", "đ", "d", "z z", "ô'x", "%s", ":x", "a\\"]
    numbers = ["-1.5", "0", "9007199254740993.0000000001", "9999999999999999999999999999.0000000001"]
    wholes = [-(2**63), 9007199254740993, 9007199254740994, 2**63 - 1]
    rows = [{"a": a, "b": b, "c": c} for a in texts for b in numbers for c in wholes]
    if source.backend == "mariadb":  # there a key does not tell upper from lower case, nor blanks at the end
        source.run("ALTER TABLE d MODIFY a varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    source.many("INSERT INTO d VALUES (:a, :b, :c)", rows)
    sql = connector(
        source,
        query="SELECT a, b, c, concat(a, '|', b, '|', c) AS id FROM d WHERE 'x:y%' <> ':x'",
        key=["a", "b", "c"],
        cursor=None,
        page_rows=7,
        statuses=None,
        columns={"source_key": "id", "code": "c", "unit_name": "b"},
    )
    frame, _, cursor = pull(sql)
    assert cursor is None
    assert frame.height == frame["source_key"].n_unique() == len(rows)
    assert set(frame["code"]) == {str(number) for number in wholes}
    assert "9999999999999999999999999999.0000000001" in set(frame["unit_name"])


def test_only_what_changed_is_asked_for_until_a_sweep_is_due(records: Source) -> None:
    old = "2026-01-01 08:00:00"
    add(records, 1, 2, c_updated=old)
    add(records, 3, c_updated=None)
    sql = connector(records, lists_all_open=True)
    first, _, cursor = pull(sql)
    assert first.height == 3
    add(records, 4)
    [page] = sql.fetch(cursor)
    assert not page.listed_all
    assert set(sql.normalise(page).records["source_key"]) == {"3", "4"}
    tomorrow = connector(records, now=NOON + timedelta(days=1), lists_all_open=True)
    [page] = tomorrow.fetch(page.cursor)
    assert page.listed_all
    assert tomorrow.normalise(page).records.height == 4
    changed = connector(records, columns={**OPTIONS["columns"], "step_code": "c_status"})
    assert pull(changed, cursor)[0].height == 4


def test_pages_tell_the_instant_of_the_servers_state(records: Source) -> None:
    add(records, *range(1, 4))
    sql = connector(records, page_rows=2)
    pages = [*sql.fetch(None), *sql.look(["1"])]
    instants = {page.as_of for page in pages[:-1]}
    assert len(instants) == 1
    [cursor] = [page.cursor for page in pages if page.cursor is not None]
    assert {item.isoformat() for item in instants if item is not None} == {cursor["since"]["instant"]}
    assert pages[-1].as_of is not None


def test_a_standby_tells_the_instant_that_it_had_come_to(postgres: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tables(postgres)
    add(postgres, 1)
    behind = NOON - timedelta(hours=5)
    # A second server that is hours behind would take too long to make: its clock alone is put in its place.
    monkeypatch.setattr(postgresql, "_CLOCK", f"SELECT '{behind:%Y-%m-%d %H:%M:%S}'")
    [page] = connector(postgres).fetch(None)
    assert page.as_of == behind
    [page] = connector(postgres).look(["1"])
    assert page.as_of == behind


def test_everything_is_listed_when_the_servers_clock_was_set_back(records: Source) -> None:
    add(records, 1, c_updated="2026-01-01 08:00:00")
    sql = connector(records)
    _, _, cursor = pull(sql)
    assert cursor is not None
    assert pull(sql, cursor)[0].height == 0
    later = datetime.fromisoformat(cursor["since"]["instant"]) + timedelta(days=1)
    assert pull(sql, {**cursor, "since": {"instant": later.isoformat()}})[0].height == 1


def test_what_commits_late_with_an_earlier_time_is_found_by_the_next_fetch(records: Source) -> None:
    add(records, 1)
    sql = connector(records)
    with records.transaction() as work:
        work.exec_driver_sql(
            f"INSERT INTO t_record (pk_record, c_code, c_updated) VALUES (2, 'x', {records.here} - INTERVAL '3' MINUTE)"
        )
        frame, _, cursor = pull(sql)
        assert frame["source_key"].to_list() == ["1"]
    assert "2" in pull(sql, cursor)[0]["source_key"].to_list()


def test_all_pages_tell_one_state(records: Source) -> None:
    add(records, *range(1, 10))
    sql = connector(records, page_rows=2)
    fetch = sql.fetch(None)
    keys = list(sql.normalise(next(fetch)).records["source_key"])
    records.run("DELETE FROM t_record WHERE pk_record = 5", "UPDATE t_record SET c_status = 'DA_TRA'")
    add(records, 100)
    batches = [sql.normalise(page) for page in fetch]
    keys += [key for batch in batches for key in batch.records["source_key"]]
    assert keys == [str(number) for number in range(1, 10)]
    assert {status for batch in batches for status in batch.records["status"]} == {4}


def test_a_direct_look_finds_dossiers_by_key_and_only_those(records: Source) -> None:
    add(records, *range(1, 600))
    sql = connector(records)
    keys = [*map(str, range(590, 700)), "x", "5.5", "NaN", "1e3", "'; DROP TABLE t_record; --"]
    found = [key for page in sql.look(keys) for key in sql.normalise(page).records["source_key"]]
    assert sorted(found) == sorted(map(str, range(590, 600)))
    many = [str(number) for number in range(1, 600)]
    assert {key for page in sql.look(many) for key in sql.normalise(page).records["source_key"]} == set(many)


def test_a_direct_look_sees_through_blanks_and_decomposed_letters(source: Source) -> None:
    source.run("CREATE TABLE d (id int PRIMARY KEY, so varchar(40))")
    source.many("INSERT INTO d VALUES (:id, :so)", [{"id": 1, "so": "  A-1 "}, {"id": 2, "so": "Hô\u0300 sơ 2"}])
    sql = connector(source, query="SELECT * FROM d", key="id", cursor=None, statuses=None, columns={"source_key": "so"})
    frame, _, _ = pull(sql)
    keys = frame["source_key"].to_list()
    assert keys == ["A-1", "Hồ sơ 2"]
    looked = {key for page in sql.look(keys) for key in sql.normalise(page).records["source_key"]}
    assert looked == set(keys)


def test_a_column_is_found_whatever_its_case(records: Source) -> None:
    add(records, 1)
    columns = {**OPTIONS["columns"], "code": "C_CODE"}
    frame, _, _ = pull(connector(records, key="PK_RECORD", cursor="C_Updated", columns=columns))
    assert frame["code"].to_list() == ["000.00.01.H99-0001"]


# -- hostile rows ------------------------------------------------------------------------------------------------


def test_cells_that_cannot_be_read_cost_their_row_only(records: Source) -> None:
    add(records, 1)
    add(records, 2, c_receive_date="0001-01-01 00:00:00")
    add(records, 3, c_receive_date="9999-12-31 23:59:59")
    add(records, 4)
    add(records, 5)
    query = QUERY_WITH_LONG.format(long="repeat('y', 5000)")
    columns = {**OPTIONS["columns"], "step_name": "long_text"}
    frame, rejects, _ = pull(connector(records, query=query, columns=columns))
    assert frame["source_key"].to_list() == ["1", "4"]
    assert [(item.row, item.location, item.column) for item in rejects] == [
        (2, "query, 2", "c_receive_date"),
        (3, "query, 3", "c_receive_date"),
        (5, "query, 5", "long_text"),
    ]
    assert "outside 1990..2100" in rejects[0].reason
    assert "longer than 4000 characters" in rejects[2].reason


QUERY_WITH_LONG = (
    "SELECT r.*, NULL AS c_unit_name, CASE WHEN pk_record = 5 THEN {long} END AS long_text FROM t_record r"
)


def test_sentinel_dates_are_nothing_when_the_settings_say_so(records: Source) -> None:
    add(records, 1, c_clear_date="9999-12-31 23:59:59", c_return_date="0001-01-01 00:00:00")
    nulls = ["0001-01-01 00:00:00", "9999-12-31 23:59:59"]
    if records.backend == "mariadb":
        nulls = [value + ".000000" for value in nulls]
    frame, rejects, _ = pull(connector(records, null_values=nulls))
    assert rejects == []
    assert frame.select("finished_at", "due_current").row(0) == (None, None)


def test_personal_columns_never_leave_the_server(records: Source, caplog: pytest.LogCaptureFixture) -> None:
    add(records, *range(1, 4))
    add(records, 4, c_receive_date="0001-01-01 00:00:00")
    asked: list[str] = []
    with caplog.at_level(logging.DEBUG, logger="sqlalchemy.engine"):
        sql = connector(records, page_rows=2)
        told = [repr(page) + str(page.content.table.frame.rows()) for page in sql.fetch(None)]
        asked += [record.getMessage() for record in caplog.records]
    told += [repr(item) for page in sql.fetch(None) for item in sql.normalise(page).rejects] + sql.check()
    assert any("tthc_source" in line for line in asked)
    for poison in POISON:
        assert all(poison not in line for line in [*told, *asked])


def test_the_applicants_identity_is_a_hash_before_a_page_leaves(records: Source) -> None:
    add(records, 1)
    sql = connector(records, columns={**OPTIONS["columns"], "applicant_hash": "c_citizen_id"})
    for page in (*sql.fetch(None), *sql.look(["1"])):
        assert all(poison not in str(page.content.table.frame.rows()) for poison in POISON)
        [found] = sql.normalise(page).records["applicant_hash"]
        assert found == applicant_hash(POISON[2], b"a key of tests alone")


# -- what is told when something is wrong ------------------------------------------------------------------------


def refusal(sql: Any, error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        list(sql.fetch(None))
    message = str(caught.value)
    assert PASSWORD not in message
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    return message


def test_a_wrong_password_and_an_unknown_database_need_a_person(records: Source) -> None:
    assert "refuses the account" in refusal(connector(records, password="falsch"), PermanentSourceError)
    address = records.url.rpartition("/")[0]
    message = refusal(connector(records, url=f"{address}/khong_co"), PermanentSourceError)
    assert "database" in message


def test_a_server_that_is_away_is_tried_again(records: Source) -> None:
    parts = records.url.rpartition(":")
    message = refusal(connector(records, url=f"{parts[0]}:1/{parts[2].partition('/')[2]}"), TransientSourceError)
    assert "cannot be reached" in message and "check host, port and firewall" in message
    assert "khong-co.invalid" in refusal(
        connector(records, url=records.url.replace("127.0.0.1", "khong-co.invalid")), TransientSourceError
    )


def test_a_connection_that_breaks_between_pages_is_tried_again(records: Source) -> None:
    add(records, *range(1, 9))
    fetch = connector(records, page_rows=2).fetch(None)
    next(fetch)
    if records.backend == "postgresql":
        records.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'tthc-monitor' AND datname = current_database()"
        )
    else:
        user = records.url.partition("://")[2].partition("@")[0]
        for (number,) in records.rows(f"SELECT id FROM information_schema.processlist WHERE user = '{user}'"):
            records.run(f"KILL CONNECTION {number}")
    with pytest.raises(TransientSourceError, match="went away"):
        list(fetch)


def test_a_question_that_takes_too_long_is_stopped(source: Source) -> None:
    wait = "pg_catalog.pg_sleep(5)::text" if source.backend == "postgresql" else "SLEEP(5)"
    source.run(f"CREATE VIEW slow AS SELECT 1 AS id, {wait} AS waited")
    sql = connector(
        source,
        query="SELECT id, waited FROM slow",
        key="id",
        cursor=None,
        statuses=None,
        columns={"source_key": "id", "code": "waited"},
        statement_timeout="1s",
    )
    if source.backend == "postgresql":
        assert "stopped a question after 1 s" in refusal(sql, TransientSourceError)
    else:
        with pytest.raises(TransientSourceError, match="stopped a question after 1 s"):
            list(sql.fetch(None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": "SELECT * FROM khong_co"}, "query: .*khong_co.*; correct the query"),
        ({"query": "SELECT khong_co FROM t_record"}, "query: .*khong_co.*; correct the query"),
        ({"key": "pk_recrod"}, "'key' names column 'pk_recrod', which it lacks; it has 'pk_record'"),
        (
            {"columns": {**OPTIONS["columns"], "code": "c_cdoe"}},
            "the mapping names column 'c_cdoe', which it lacks; it has 'c_code'",
        ),
        ({"key": "c_updated"}, "key column 'c_updated' holds a date and time.*numbers or texts"),
        ({"cursor": "c_code"}, "cursor column 'c_code' holds a text, no date"),
    ],
)
def test_settings_that_do_not_fit_the_source_say_what_to_change(
    records: Source, options: dict[str, Any], message: str
) -> None:
    add(records, 1)
    with pytest.raises(ConfigError, match=message):
        list(connector(records, **options).fetch(None))


def test_a_key_that_does_not_identify_rows_is_found_before_rows_are_lost(records: Source) -> None:
    add(records, *range(1, 9))
    with pytest.raises(PermanentSourceError, match=r"the key \(fk_unit\) does not identify the rows: 8 rows share one"):
        list(connector(records, key="fk_unit", page_rows=2).fetch(None))
    records.run("UPDATE t_record SET fk_unit = NULL WHERE pk_record = 3")
    with pytest.raises(PermanentSourceError, match="is empty in some row"):
        list(connector(records, key=["fk_unit", "pk_record"]).fetch(None))


def test_rows_that_the_query_cannot_compute_are_told_without_their_values(postgres: Source) -> None:
    make_tables(postgres)
    add(postgres, 1)
    query = "SELECT pk_record, CAST(c_citizen_name AS int) AS c_code FROM t_record"
    sql = connector(
        postgres, query=query, cursor=None, statuses=None, columns={"source_key": "pk_record", "code": "c_code"}
    )
    message = refusal(sql, PermanentSourceError)
    assert "22P02" in message and POISON[0] not in message


def test_a_missing_right_is_named(records: Source) -> None:
    user = records.url.partition("://")[2].partition("@")[0]
    if records.backend == "postgresql":
        records.run(f"REVOKE SELECT ON t_unit FROM {user}")
    else:
        records.run(f"REVOKE SELECT ON {user}.* FROM '{user}'@'%'", f"GRANT SELECT ON {user}.t_record TO '{user}'@'%'")
    assert "give it SELECT on it" in refusal(connector(records), PermanentSourceError)


def test_a_query_that_writes_through_a_function_is_stopped_by_the_server(postgres: Source) -> None:
    postgres.run(
        "CREATE TABLE d (id int PRIMARY KEY)",
        "INSERT INTO d VALUES (1)",
        "CREATE FUNCTION grow(x int) RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO d VALUES (x + 100) RETURNING id'",
    )
    owner = postgres.owner.url.render_as_string(hide_password=False)
    sql = connector(
        postgres,
        url=owner,
        password=None,
        query="SELECT id, grow(id) AS g FROM d",
        key="id",
        cursor=None,
        statuses=None,
        columns={"source_key": "id", "code": "g"},
    )
    with pytest.raises(ConfigError, match="would write"):
        list(sql.fetch(None))
    assert postgres.rows("SELECT count(*) FROM d")[0][0] == 1


# -- check and secrets -------------------------------------------------------------------------------------------


def test_check_tells_rows_columns_rights_and_unknown_codes(records: Source) -> None:
    add(records, *range(1, 4))
    add(records, 4, c_status="LA")
    add(records, 5, c_receive_date="0001-01-01 00:00:00")
    lines = "\n".join(connector(records).check())
    assert "connected, its clock shows 20" in lines
    assert "the account can only read" in lines
    assert "5 rows; 7 columns matched: pk_record, c_code, " in lines
    assert "4 of the first 5 rows can be read" in lines
    assert "query, 5, row 5, would be refused: c_receive_date" in lines
    assert "status does not know 'LA' (1 of these rows)" in lines


def test_check_warns_of_an_account_that_may_write(records: Source) -> None:
    add(records, 1)
    user = records.url.partition("://")[2].partition("@")[0]
    if records.backend == "postgresql":
        records.run(f"GRANT UPDATE ON t_unit TO {user}")
        expected = "warning: the account may change the rows of 1 table; give it"
    else:
        records.run(f"GRANT INSERT, DELETE ON {user}.* TO '{user}'@'%'")
        expected = "warning: the account may change delete, insert; give it"
    assert expected in "\n".join(connector(records).check())


def test_check_fails_when_no_row_can_be_read(records: Source) -> None:
    add(records, 1, c_receive_date="0001-01-01 00:00:00")
    with pytest.raises(ConfigError, match="no row could be read"):
        connector(records).check()


def test_address_and_password_come_from_files_and_the_environment(
    records: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(records, 1)
    (tmp_path / "url").write_text(records.url + "\n", "utf-8")
    monkeypatch.setenv("MOTCUA_PASSWORD", PASSWORD)
    sql = connector(records, folder=tmp_path, url=None, url_file="url", password=None, password_env="MOTCUA_PASSWORD")
    assert pull(sql)[0].height == 1
    whole = records.url.replace("@", f":{PASSWORD}@")
    monkeypatch.setenv("MOTCUA_URL", whole)
    sql = connector(records, url=None, url_env="MOTCUA_URL", password=None)
    assert pull(sql)[0].height == 1
    assert PASSWORD not in repr(sql._options) + json.dumps(pull(sql)[2])
    with pytest.raises(ConfigError, match="another beside it"):
        list(connector(records, url=None, url_env="MOTCUA_URL").fetch(None))
    (tmp_path / "url").write_text("not an address", "utf-8")
    with pytest.raises(ConfigError, match="is not the address of a database") as caught:
        list(connector(records, folder=tmp_path, url=None, url_file="url").fetch(None))
    assert "not an address" not in str(caught.value)
    wrong = {"url": None, "url_file": "url", "query": "SELECT * FROM t_record FOR UPDATE"}
    (tmp_path / "url").write_text(records.url, "utf-8")
    with pytest.raises(ConfigError, match="query locks rows"):
        list(connector(records, folder=tmp_path, **wrong).fetch(None))
