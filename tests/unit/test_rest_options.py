"""The settings of the rest connector: every problem at once, each with its line; and what expressions make of JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import ConnectorOptions
from connectors.igate import IgateOptions
from connectors.mapping_engine import Mapper
from connectors.rest import RestOptions
from connectors.rest.cells import Cells
from connectors.rest.connector import filled
from connectors.rest.expressions import checked
from connectors.rest.options import Changes
from connectors.rest.paging import next_link
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.yaml_text import Document, parse_yaml, validate

GOOD = """\
url: https://motcua.example.gov.vn/api
path: records
records: data.items
columns:
  source_key: id
  received_at: {column: received.at, format: epoch_ms}
"""


def options(text: str) -> RestOptions:
    return validate(RestOptions, parse_yaml(text, "nguon.yaml"))


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        options(text)
    return str(caught.value).splitlines()


def test_all_problems_are_told_at_once_with_their_lines() -> None:
    found = problems(
        """\
url: ftp://motcua.example.gov.vn
records: data.items[
total: size(@)
paging:
  by: page
  last: is-last
  pages: 7
changes:
  from_param: since
  format: yyyy
columns:
  source_key: dossier-no
  code: join(',')
  received_at: {column: received.at, format: epoch_ms}
columnns: {}
"""
    )
    assert [line.partition(": ")[0].removeprefix("nguon.yaml:") for line in sorted(found, key=lambda line: int(line.split(":")[1]))] == [
        "1", "2", "3", "6", "7", "10", "12", "13", "15",
    ]  # fmt: skip
    told = "\n".join(found)
    for remedy in (
        "is not an http or https address; write it like",
        "'data.items[' is not a JMESPath expression",
        "calls size(), which JMESPath does not have",
        "unknown key 'paging.page.pages'",
        "has no strftime code",
        """put double quotation marks around a field's name with other signs than letters, digits and _: '"dossier-no"'""",
        "gives join() 1 arguments instead of 2",
        "unknown key 'columnns'",
    ):
        assert remedy in told


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ("params: {page: 1}\npaging: {by: page}", "parameter page is set by more than one of params, paging and changes"),
        ("params: {a: 1}\nchanges: {from_param: a}", "parameter a is set by more than one"),
        ("body: {a: 1}", "a GET has no body; set method: POST"),
        ("method: POST\npaging: {by: link_header}", "a POST cannot follow links"),
        ("records: \"data[?x=='y']\"\npaging: {by: page}", "take the whole list, and let the source choose"),
        ("steady: true", "steady is used only with paging by page"),
        ("total: a\ntotal_header: X-Total", "total and total_header are both given"),
        ("headers: {authorization: x}", "describe it under auth"),
        ("auth: {kind: basic, username: a}", "exactly one of password, password_file and password_env"),
        ("auth: {kind: bearer, token: a, token_env: b}", "exactly one of token, token_file and token_env"),
        ("auth: {kind: key, name: k}", "exactly one of key, key_file and key_env"),
        ("auth: {kind: client_credentials, token_url: 'https://a.vn/t', client_id: a}", "exactly one of client_secret"),
        ("auth: {kind: oauth}", "'oauth'"),
        ("look: {path: one}", "look.path"),
        ("proxy: socks5://a", "proxy"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(change: str, remedy: str) -> None:
    assert any(
        remedy in line
        for line in problems(
            GOOD.replace("records: data.items\n", "" if "records:" in change else "records: data.items\n") + change
        )
    )


def test_an_instant_without_format_is_refused() -> None:
    [problem] = problems("zone: Asia/Ho_Chi_Minh\n" + GOOD.replace(", format: epoch_ms", ""))
    assert "JSON has no dates" in problem


def test_secrets_are_not_shown() -> None:
    shown = options(GOOD + "auth: {kind: bearer, token: bi-mat}")
    assert "bi-mat" not in repr(shown)
    [problem] = problems(GOOD + "auth: {kind: bearer, token: bi-mat, tokens: 1}")
    assert "bi-mat" not in problem


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9223372036854775808, "9223372036854775808"),
        (10**30, "1" + "0" * 30),
        ("0012", "0012"),
        (2111.0, "2111.0"),
        (0.1, "0.1"),
        (True, "true"),
        (False, "false"),
        (None, None),
        (float("nan"), None),
        ("", ""),
    ],
)
def test_a_value_becomes_the_text_that_was_written(value: Any, text: str | None) -> None:
    table = Cells(["a.b"]).table([{"a": {"b": json.loads(json.dumps(value))}}], "here")
    assert table.frame.rows() == [(text,)]
    assert table.broken == ()


@pytest.mark.parametrize(
    ("record", "column", "reason"),
    [
        ({"id": ["1"]}, "id", "is a list, not one value; choose one in the mapping, for example by id[0]"),
        ({"id": {"secret": "Nguyễn Thị Giả"}}, "id", "is an object, not one value"),
        ("Nguyễn Thị Giả", None, "is not a record; correct 'records'"),
        (None, None, "is not a record"),
        ({"id": "1", "at": 5}, "length(at)", "cannot be applied (JMESPathTypeError); make it fit"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_alone_and_not_shown(
    record: Any, column: str | None, reason: str
) -> None:
    table = Cells(["id", "length(at)"]).table([{"id": 1, "at": "a"}, record, {"id": 3, "at": "abc"}], "here")
    assert table.frame.rows() == [("1", "1"), ("3", "3")]
    assert [table.row(0), table.row(1)] == [1, 3]
    [reject] = table.broken
    assert (reject.row, reject.column, reject.value) == (2, column, None)
    assert reason in reject.reason
    assert "Giả" not in repr(reject)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "at", "b"]), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(JSON, max_size=6))
def test_any_json_becomes_rows_and_rejects_and_nothing_is_lost(records: list[Any]) -> None:
    mapped = Mapper(options(GOOD.replace("received.at", "at"))).apply(Cells(["id", "at"]).table(records, "here"))
    assert mapped.rows_read == len(records)
    assert mapped.records.height + len(mapped.rejects) == len(records)
    assert [item.row for item in mapped.rejects] == sorted({item.row or 0 for item in mapped.rejects})


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_an_expression_or_refused_with_a_remedy(text: str) -> None:
    told = ""
    try:
        assert checked(text) == text
    except ValueError as error:
        told = str(error)
    assert not told or "correct it" in told


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("epoch_s", 1760000000),
        ("epoch_ms", 1760000000123),
        ("%Y-%m-%dT%H:%M:%S%z", "2025-10-09T15:53:20+0700"),
        ("%d/%m/%Y", "09/10/2025"),
    ],
)
def test_the_begin_of_changes_is_written_in_the_form_of_the_source(form: str, written: str | int) -> None:
    zone = options(GOOD + "zone: Asia/Ho_Chi_Minh").zone
    assert zone is not None
    instant = datetime(2025, 10, 9, 8, 53, 20, 123_456, tzinfo=UTC)
    assert Changes(from_param="since", format=form).written(instant, ZoneInfo(zone)) == written


def blocks(kind: str) -> list[Document]:
    """Sources of a kind in the document about connectors."""
    text = (Path(__file__).parents[2] / "docs" / "connectors.md").read_text("utf-8")
    found = [parse_yaml(block, "connectors.md") for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    return [one.at(0, "options") for one in found if isinstance(one.data, list) and one.data[0].get("kind") == kind]


@pytest.mark.parametrize(("kind", "model"), [("rest", RestOptions), ("igate", IgateOptions)])
def test_what_the_document_shows_is_accepted(kind: str, model: type[ConnectorOptions]) -> None:
    shown = blocks(kind)
    assert shown
    for document in shown:
        validate(model, document)


def test_parameters_find_their_place_in_a_body() -> None:
    body = {"filter": {"kind": "tthc"}, "page": None}
    assert filled(body, {"filter.since": "x", "paging.page": 2, "page": 1}) == {
        "filter": {"kind": "tthc", "since": "x"}, "page": 1, "paging": {"page": 2},
    }  # fmt: skip
    assert body == {"filter": {"kind": "tthc"}, "page": None}


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://a.vn/x?page=2>; rel="next"', "https://a.vn/x?page=2"),
        ('</x?a=1,2>; rel="first", </x?b=3;c>; title="next, please"; rel=next', "/x?b=3;c"),
        ('<x>; rel="prev next"', "x"),
        ('<x>; rel="prev"', None),
        ("", None),
    ],
)
def test_the_next_page_in_a_link_header(header: str, link: str | None) -> None:
    assert next_link({"link": header} if header else {}) == link
