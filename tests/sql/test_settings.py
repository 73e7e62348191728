"""The settings of a database source: each problem at once, with its line, and no secret told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from connectors.registry import connector_class
from connectors.sql import SqlConnector, SqlOptions
from connectors.sql.address import read_address
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.yaml_text import parse_yaml, validate

GOOD: dict[str, Any] = {
    "url": "mysql://giamsat@10.0.0.5/motcua",
    "query": "SELECT * FROM t",
    "key": "id",
    "zone": "Asia/Ho_Chi_Minh",
    "columns": {"source_key": "id"},
}


def problem(**options: Any) -> str:
    chosen = {name: value for name, value in {**GOOD, **options}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        SqlOptions.model_validate(chosen)
    return "\n".join(item["msg"] for item in caught.value.errors())


def test_the_kind_is_found_by_its_name() -> None:
    assert connector_class("sql") is SqlConnector


@pytest.mark.parametrize(
    ("address", "driver"),
    [
        ("postgresql://a@b/c", "postgresql+psycopg2"),
        ("postgres://a@b/c?sslmode=verify-full", "postgresql+psycopg2"),
        ("mysql://a@b:3306/c", "mysql+pymysql"),
        ("mariadb://a@b/c", "mariadb+pymysql"),
        ("mysql+pymysql://a@b/c", "mysql+pymysql"),
        ("mssql://a@b/c?Encrypt=yes", "mssql+mssqlpython"),
        ("oracle://a@b/?service_name=motcua", "oracle+oracledb"),
    ],
)
def test_each_kind_of_server_has_its_driver(address: str, driver: str) -> None:
    assert read_address(address).url.drivername == driver


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.0.0.5/motcua", "is not the address of a database; write it like mysql://"),
        (
            "sqlite:///x.db",
            "a kind of database that is not read here; use one of mariadb, mssql, mysql, oracle, postgresql",
        ),
        ("mysql+mysqldb://a@b/c", "another driver than the one used here; write mysql:// alone"),
        ("mysql://a@b", "names no database; add it"),
        ("mysql://a@b/c?init_command=DROP", r"not taken \(init_command\); remove them"),
        ("postgresql://a@b/c?options=-cx", r"not taken \(options\); remove them"),
    ],
)
def test_an_address_that_is_not_used_is_refused(address: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_address(address)


def test_an_address_shows_neither_account_nor_password() -> None:
    address = read_address("mysql://giamsat:bi-mat@10.0.0.5:3307/motcua")
    assert address.shown == "MySQL at 10.0.0.5:3307"
    options = SqlOptions.model_validate({**GOOD, "url": "mysql://giamsat:bi-mat@10.0.0.5/motcua"})
    assert "bi-mat" not in f"{options!r} {options} {options.model_dump_json()} {address!r}"
    assert "bi-mat" not in problem(url="mysql+mysqldb://giamsat:bi-mat@10.0.0.5/motcua")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": None}, "exactly one of url, url_file and url_env must be given"),
        ({"url_file": "x"}, "exactly one of url, url_file and url_env must be given"),
        ({"password": "a", "password_env": "B"}, "at most one of password"),
        ({"url": "mysql://a:b@c/d", "password": "e"}, "another beside it; remove one of the two"),
        ({"key": []}, "at least 1 item"),
        ({"key": ["a", " a"]}, "names a column twice"),
        ({"overlap": "10m"}, "overlap mean nothing without 'cursor'"),
        ({"sweep_every": "1d", "overlap": "10m"}, "overlap and sweep_every mean nothing without 'cursor'"),
        ({"cursor": "c", "overlap": "59s"}, "shorter than a minute"),
        ({"cursor": "c", "zone": None}, "set 'zone'"),
        ({"page_rows": 0}, "greater than or equal to 1"),
        ({"statement_timeout": 5}, "is not a period"),
        ({"columns": {"source_key": {"column": "id", "lookup": {"1": "2"}}}}, r"source_key is rewritten \(lookup\)"),
        ({"columns": {"source_key": {"column": "id", "pad": 5}}}, r"source_key is rewritten \(pad\)"),
        ({"query": "SELECT * FROM t LIMIT 5"}, "is cut by LIMIT"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError) if message == "" else pytest.raises(ValidationError, match=message):
        SqlOptions.model_validate({k: v for k, v in {**GOOD, **options}.items() if v is not None})


def test_a_query_is_refused_with_its_line_in_the_file() -> None:
    text = """\
url: postgresql://giamsat@db/motcua
key: id
query: |
  SELECT *
  FROM t
  FOR UPDATE
columns: {source_key: id}
"""
    with pytest.raises(ConfigError) as caught:
        validate(SqlOptions, parse_yaml(text, "a.yaml"))
    assert str(caught.value) == "a.yaml:3: 'query': locks rows (FOR in line 3, or LOCK IN SHARE MODE); remove the lock"


def test_special_signs_in_a_password_arrive_as_they_are() -> None:
    address = read_address("mysql://giamsat@db/motcua").with_password("p@ss:w/o?rd%41")
    assert make_url(address.url.render_as_string(hide_password=False)).password == "p@ss:w/o?rd%41"
