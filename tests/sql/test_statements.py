"""The statements as each server gets them. SQL Server and Oracle have no server here: their texts stand for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import mssql as mssql_dialect
from sqlalchemy.dialects import oracle as oracle_dialect
from sqlalchemy.dialects.mysql import pymysql
from sqlalchemy.dialects.postgresql import psycopg2
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError

from connectors.sql.address import Address, read_address
from connectors.sql.cells import table_of
from connectors.sql.failures import told
from connectors.sql.flavour import Flavour, Kind, instant_of
from connectors.sql.mssql import MsSql
from connectors.sql.mysql import MySql
from connectors.sql.oracle import Oracle
from connectors.sql.postgresql import PostgreSql
from connectors.sql.statements import Column, Statements, bracketed, sample, shape
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError, TthcError

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SINCE = datetime(2026, 10, 5, 2, 30, 15, 999, tzinfo=UTC)
DIALECTS: dict[str, tuple[Flavour, Dialect]] = {
    "postgresql": (PostgreSql(), psycopg2.dialect()),
    "mysql": (MySql(), pymysql.dialect()),
    "mssql": (MsSql(), mssql_dialect.dialect()),
    "oracle": (Oracle(), oracle_dialect.dialect()),
}


def statements(name: str, kinds: tuple[Kind, Kind, Kind] = (Kind.TEXT, Kind.INTEGER, Kind.INSTANT)) -> Statements:
    text, number, changed = kinds
    flavour = DIALECTS[name][0]
    wanted = (Column("SO_HS", text), Column("ngày nhận", Kind.INSTANT))
    return Statements(
        "SELECT 'a:b' FROM t", flavour, ZONE, wanted, (Column("A", number), Column("b", text)), Column("sua", changed)
    )


def written(name: str, statement: Select[Any]) -> str:
    compiled = statement.compile(dialect=DIALECTS[name][1], compile_kwargs={"literal_binds": True})
    return " ".join(str(compiled).split())


PAGES = {
    "postgresql": (
        'SELECT left(CAST(tthc_source."SO_HS" AS TEXT), 4001) AS c0, left(CAST(tthc_source."ngày nhận" AS TEXT), 4001) AS '
        'c1, tthc_source."A" AS k0, tthc_source."b" AS k1 FROM (SELECT \'a:b\' FROM t ) AS tthc_source WHERE '
        '(tthc_source."sua" >= \'2026-10-05T09:30:15\' OR tthc_source."sua" IS NULL) AND '
        '(tthc_source."A" > 7 OR tthc_source."A" = 7 AND tthc_source."b" > \'x\') '
        'ORDER BY tthc_source."A", tthc_source."b" LIMIT 500'
    ),
    "mysql": (
        "SELECT left(tthc_source.`SO_HS`, 4001) AS c0, tthc_source.`ngày nhận` AS c1, tthc_source.`A` AS k0, "
        "tthc_source.`b` AS k1 FROM (SELECT 'a:b' FROM t ) AS tthc_source WHERE "
        "(tthc_source.`sua` >= '2026-10-05 09:30:15' OR tthc_source.`sua` IS NULL OR tthc_source.`sua` < '1000-01-01') AND "
        "(tthc_source.`A` > 7 OR tthc_source.`A` = 7 AND tthc_source.`b` > 'x') "
        "ORDER BY tthc_source.`A`, tthc_source.`b` LIMIT 500"
    ),
    "mssql": (
        "SELECT TOP 500 left(CAST(tthc_source.[SO_HS] AS NVARCHAR(max)), 4001) AS c0, tthc_source.[ngày nhận] AS c1, "
        "tthc_source.[A] AS k0, tthc_source.[b] AS k1 FROM (SELECT 'a:b' FROM t ) AS tthc_source WHERE "
        "(tthc_source.[sua] >= '2026-10-05 09:30:15' OR tthc_source.[sua] IS NULL) AND "
        "(tthc_source.[A] > 7 OR tthc_source.[A] = 7 AND tthc_source.[b] > 'x') "
        "ORDER BY tthc_source.[A], tthc_source.[b]"
    ),
    "oracle": (
        'SELECT substr(tthc_source."SO_HS", 1, 4001) AS c0, tthc_source."ngày nhận" AS c1, tthc_source."A" AS k0, '
        "tthc_source.\"b\" AS k1 FROM (SELECT 'a:b' FROM t ) tthc_source WHERE "
        "(tthc_source.\"sua\" >= TO_DATE('2026-10-05 09:30:15', 'YYYY-MM-DD HH24:MI:SS') OR "
        'tthc_source."sua" IS NULL) AND (tthc_source."A" > 7 OR tthc_source."A" = 7 AND tthc_source."b" > \'x\') '
        'ORDER BY tthc_source."A", tthc_source."b" FETCH FIRST 500 ROWS ONLY'
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_page_is_asked_for_in_the_words_of_each_server(name: str) -> None:
    key = (b"7", b"x") if name == "mysql" else (7, "x")
    assert written(name, statements(name).page(SINCE, key, 500)) == PAGES[name]


@pytest.mark.parametrize("name", DIALECTS)
def test_rows_and_keys_are_counted_by_one_question(name: str) -> None:
    text = written(name, statements(name).count(None))
    a = {"mysql": "tthc_source.`A`", "mssql": "tthc_source.[A]"}.get(name, 'tthc_source."A"')
    b = a.replace("A", "b")
    assert f"max(CASE WHEN ({a} IS NULL OR {b} IS NULL) THEN 1 ELSE 0 END)" in text
    assert f"GROUP BY {a}, {b})" in text
    assert text.startswith("SELECT sum(tthc_keys.n) AS sum_1, max(tthc_keys.n) AS max_1, max(tthc_keys.incomplete)")


@pytest.mark.parametrize("name", DIALECTS)
def test_a_direct_look_asks_for_a_few_keys_and_then_trims(name: str) -> None:
    so_hs = Column("SO_HS", Kind.TEXT)
    plain = written(name, statements(name).among([(so_hs, ["a", "b"])], trimmed=False))
    trimmed = written(name, statements(name).among([(so_hs, ["a"])], trimmed=True))
    column = {"mysql": "tthc_source.`SO_HS`", "mssql": "tthc_source.[SO_HS]"}.get(name, 'tthc_source."SO_HS"')
    assert plain.endswith(f"WHERE {column} IN ('a', 'b')")
    assert trimmed.endswith(f"WHERE trim({column}) IN ('a')")


def test_the_shape_of_a_query_is_asked_for_without_a_row() -> None:
    assert written("oracle", shape("SELECT 1 FROM t")) == "SELECT * FROM (SELECT 1 FROM t ) tthc_source WHERE 1 = 0"
    assert written("mssql", sample("SELECT a FROM t", "a")).startswith("SELECT TOP 1 tthc_source.[a]")


def test_colons_percents_and_a_comment_in_the_last_line_do_no_harm() -> None:
    query = r"SELECT 'a:b' AS x, c::text, '%s', '\:y', E'\\:z' FROM t WHERE d = '10:30' -- :end"
    compiled = str(bracketed(query, ("x",)).select().compile(dialect=psycopg2.dialect()))
    assert query.replace("%", "%%") + "\n)" in compiled


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("postgresql", Kind.DATE, "2026-10-05"),
        ("postgresql", Kind.INSTANT_UTC, "2026-10-05T02:30:15.000999+00:00"),
        ("mysql", Kind.DATE, "2026-10-05"),
        ("mssql", Kind.DATE, date(2026, 10, 5)),
        ("mssql", Kind.INSTANT_UTC, SINCE),
        ("oracle", Kind.INSTANT, datetime(2026, 10, 5, 9, 30, 15)),
    ],
)
def test_the_start_of_a_fetch_is_never_later_than_it_should_be(name: str, kind: Kind, expected: Any) -> None:
    assert DIALECTS[name][0].instant(SINCE, kind, ZONE) == expected


@pytest.mark.parametrize("name", ["postgresql", "mysql", "mssql", "oracle"])
def test_before_clocks_are_set_back_a_fetch_begins_an_hour_early_on_the_wall(name: str) -> None:
    at = datetime(2026, 10, 25, 0, 40, tzinfo=UTC)
    start = DIALECTS[name][0].instant(at, Kind.INSTANT, ZoneInfo("Europe/Paris"))
    assert str(start).replace("T", " ") == "2026-10-25 01:40:00"


def test_offsets_of_sql_server_are_told_by_a_value_and_those_of_oracle_by_the_server() -> None:
    offset = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=7)))
    assert MsSql().refine(Kind.INSTANT, offset) is Kind.INSTANT_UTC
    assert MsSql().refine(Kind.INSTANT, offset.replace(tzinfo=None)) is Kind.INSTANT
    column = Statements(
        "SELECT 1", Oracle(), ZONE, (Column("d", Kind.INSTANT_UTC),), (Column("a", Kind.INTEGER),), None
    )
    assert 'sys_extract_utc(tthc_source."d") AS c0' in written("oracle", column.page(None, None, 1))
    assert instant_of(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)


def test_values_of_every_driver_become_exact_texts() -> None:
    values: list[tuple[Any, str | None]] = [
        (None, None),
        (2**63, "9223372036854775808"),
        (Decimal("1E+20"), "100000000000000000000"),
        (Decimal("0.10"), "0.10"),
        (1.5, "1.5"),
        (True, "true"),
        (b"H\xe1\xbb\x93", "Hồ"),
        (memoryview(b"x"), "x"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(1, 1, 1), "0001-01-01"),
        (datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02 03:04:05.000006"),
    ]
    table = table_of(
        [(value,) for value, _ in values],
        [("a", Column("a", Kind.OTHER))],
        location="query",
        first_row=1,
        zone=ZONE,
        null_values=(),
    )
    assert table.frame["a"].to_list() == [text for _, text in values]
    assert table.broken == ()


def test_instants_are_told_in_the_zone_and_what_is_none_stays_a_text() -> None:
    offset = timezone(timedelta(hours=-3))
    cells: list[tuple[Any, Any]] = [
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T10:04:00"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=offset), "2026-01-02T13:04:00"),
        ("2026-01-02 03:04:05.5+00", "2026-01-02T10:04:05.500000"),
        ("infinity", None),
        ("0044-03-15 00:00:00+00 BC", None),
        ("10000-01-01 00:00:00+00", None),
        (b"0000-00-00 00:00:00", None),
        ("", None),
        (None, None),
    ]
    table = table_of(
        [(value,) for value, _ in cells],
        [("a", Column("a", Kind.INSTANT_UTC))],
        location="query",
        first_row=1,
        zone=ZONE,
        null_values=("",),
    )
    assert table.typed is not None
    assert [item and item.isoformat() for item in table.typed["a"]] == [expected for _, expected in cells]
    assert table.frame["a"].to_list()[3:6] == [value for value, _ in cells[3:6]]
    assert table.frame["a"].to_list()[6:] == [None] * 3


def test_the_first_and_the_last_day_there_is_are_read_wherever_their_offset_puts_them() -> None:
    ends = [datetime.min.replace(tzinfo=ZONE), datetime.max.replace(tzinfo=timezone(timedelta(hours=-7)))]
    table = table_of(
        [(value,) for value in ends],
        [("a", Column("a", Kind.INSTANT_UTC))],
        location="query",
        first_row=1,
        zone=ZONE,
        null_values=("9999-12-31 23:59:59.999999-07:00",),
    )
    assert table.typed is not None
    assert table.typed["a"].to_list() == [None, None]
    assert [item and item[:10] for item in table.frame["a"]] == ["0001-01-01", None]


def test_rows_that_cannot_be_read_leave_the_numbers_of_the_others_alone() -> None:
    table = table_of(
        [("a",), (b"\xff",), ("x" * 4001,), ("b",)],
        [("so", Column("SO", Kind.TEXT))],
        location="query",
        first_row=11,
        zone=ZONE,
        null_values=(),
    )
    assert table.frame["so"].to_list() == ["a", "b"]
    assert [table.row(0), table.row(1)] == [11, 14]
    assert [(item.row, item.column) for item in table.broken] == [(12, "SO"), (13, "SO")]
    assert all(item.value is None for item in table.broken)


class DriverError(Exception):
    """As drivers raise it."""


def raised(address: Address, message: str) -> TthcError:
    with pytest.raises(TthcError) as caught, told(address, timedelta(seconds=60)):
        raise DBAPIError("SELECT secret", {}, DriverError(message))
    return caught.value


@pytest.mark.parametrize(
    ("address", "message", "error", "expected"),
    [
        ("mssql", "Login failed for user 'giamsat'.", PermanentSourceError, "refuses the account"),
        ("mssql", 'Cannot open database "x" requested by the login', PermanentSourceError, "check its name"),
        ("mssql", "Invalid object name 'dbo.khong_co'.", ConfigError, "Invalid object name 'dbo.khong_co'; correct"),
        ("mssql", "The SELECT permission was denied on the object", PermanentSourceError, "give it SELECT"),
        ("mssql", "Query timeout expired", TransientSourceError, "stopped a question after 60 s"),
        ("mssql", "Communication link failure", TransientSourceError, "went away"),
        ("mssql", "Conversion failed when converting 'Nguyễn Văn A' to int", PermanentSourceError, "for some row"),
        ("oracle", "ORA-01017: invalid username/password", PermanentSourceError, "refuses the account"),
        ("oracle", 'ORA-00942: table or view "X" does not exist', ConfigError, "ORA-00942.*correct the query"),
        ("oracle", "DPY-6005: cannot connect to database", TransientSourceError, "went away"),
        ("oracle", "ORA-01555: snapshot too old", TransientSourceError, "too busy"),
        ("oracle", "DPY-4024: call timeout of 60000 ms exceeded", TransientSourceError, "stopped a question"),
        ("oracle", "ORA-01456: may not perform insert inside a READ ONLY transaction", ConfigError, "would write"),
        ("oracle", "ORA-01722: invalid number", PermanentSourceError, "for some row"),
        ("oracle", "ORA-99999: 'Nguyễn Văn A'", PermanentSourceError, "refuses a question"),
    ],
)
def test_errors_of_servers_that_are_not_here_are_told_by_remedy(
    address: str, message: str, error: type[TthcError], expected: str
) -> None:
    found = raised(read_address(f"{address}://giamsat@db/motcua"), message)
    assert type(found) is error
    assert expected.partition(".*")[0] in str(found) and expected.rpartition(".*")[2] in str(found)
    assert "Nguyễn" not in str(found) and "secret" not in str(found)


def test_a_missing_driver_says_what_to_install() -> None:
    address = read_address("oracle://giamsat@db/motcua")
    with pytest.raises(ConfigError, match=r"run: pip install 'tthc-monitor\[oracle\]'"), told(address, timedelta(1)):
        raise ModuleNotFoundError("no module", name="oracledb")
