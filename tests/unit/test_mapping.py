"""The mapping: what its model refuses, and how cells become values."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mapping import MappingOptions
from connectors.mapping_engine import Mapped, Mapper, applicant_hash
from connectors.raw_table import RawTable
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.records import RECORD_SCHEMA
from tthc_monitor.domain.yaml_text import parse_yaml, validate

DAY = "%d/%m/%Y"
TIME = "%d/%m/%Y %H:%M"


def options(columns: dict[str, Any], **more: Any) -> MappingOptions:
    return MappingOptions.model_validate(
        {"zone": "Asia/Ho_Chi_Minh", "columns": {"source_key": "id", **columns}, **more}
    )


def apply(columns: dict[str, Any], rows: dict[str, list[str | None]], key: bytes | None = None, **more: Any) -> Mapped:
    size = len(next(iter(rows.values())))
    cells = {"id": [f"k{i}" for i in range(size)], **rows}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
    return Mapper(options(columns, **more), key).apply(RawTable("f.csv", frame, first_row=2))


def due(value: str, zone: str = "Asia/Ho_Chi_Minh", **spec: Any) -> Mapped:
    return apply({"due_current": {"column": "d", "format": TIME, **spec}}, {"d": [value]}, zone=zone)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(MappingOptions, parse_yaml(text, "x.yaml"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("columns: {code: a}", "source_key is required"),
        ("columns: {source_key: a, recieved_at: b}", "use received_at"),
        ("columns: {source_key: a, kind: b}", "set 'kind' beside"),
        ("columns: {source_key: a, due_current: {column: b, format: '%d/%m/%Y'}}", "set 'zone'"),
        ("columns: {source_key: a, due_current: b}", "set 'zone'"),
        ("zone: Asia/Hanoi\ncolumns: {source_key: a}", "unknown zone 'Asia/Hanoi'"),
        ("columns: {source_key: a, code: {column: b, format: '%d'}}", "code is not an instant"),
        ("columns: {source_key: a, code: {column: b, const: c}}", "exactly one of"),
        ("columns: {source_key: a, code: {colum: b}}", "unknown key"),
        ("columns: {source_key: a, status: {column: b, lookup: {x: 11}}}", "national code from 1 to 10"),
        ("columns: {source_key: a, status: {column: b, lookup: statuses}}", "which is missing"),
        ("statuses: {x: 4}\ncolumns: {source_key: a}", "'statuses' is not used"),
        ("columns: {source_key: a, channel: {const: web}}", "use direct, online"),
        ("columns: {source_key: a, channel: {column: b, lookup: {No: online}}}", "quotation marks"),
        ("zone: UTC\ncolumns: {source_key: a, due_current: {column: b, format: yyyy}}", "no strftime code"),
        ("zone: UTC\ncolumns: {source_key: a, due_current: {column: b, format: '%d %Z'}}", "ambiguous"),
        ("zone: UTC\ncolumns: {source_key: a, due_current: {column: b, date_only: noon}}", "end_of_day"),
        ("zone: UTC\ncolumns: {source_key: a, due_current: {column: b, default: x}}", "is an instant"),
        ("columns: {source_key: {column: a, default: x}}", "must differ from row to row"),
        ("columns: {source_key: {column: a, present: x}}", "takes its value from the cell"),
        ("zone: UTC\ncolumns: {source_key: a, due_current: {column: b, absent: x}}", "takes its value from the cell"),
        ("columns: {source_key: a, code: {column: b, present: x, default: y}}", "remove 'lookup' and 'default'"),
        ("columns: {source_key: a, source_verdict: {column: b, present: yes}}", "source_verdict cannot be"),
        ("columns: {source_key: a, status: {column: b, present: 11}}", "national code from 1 to 10"),
        ("zone: UTC\ncolumns: {source_key: a, due_current: {column: b, pad: 3}}", "no use for 'without_prefix', 'pad'"),
        ("columns: {source_key: a, supplement_count: {column: b, decimals: 3}}", "no use for 'without_prefix', 'pad'"),
        ("columns: {source_key: a, code: {column: b, thousands: '.'}}", "no use for 'thousands'"),
        ("columns: {source_key: a, code: {column: b, without_prefix: ['']}}", "an empty prefix"),
        ("columns: {source_key: a, code: {column: b, pad: 0}}", "greater than or equal to 1"),
    ],
)
def test_a_wrong_mapping_is_refused_when_loaded(yaml: str, said: str) -> None:
    assert said in refused(yaml)


def test_problems_carry_the_line_of_the_columns() -> None:
    assert refused("zone: UTC\ncolumns:\n  source_key: a\n  nonsense: b\n").startswith("x.yaml:2: ")


def test_an_offset_in_the_text_needs_no_zone() -> None:
    mapped = apply(
        {"due_current": {"column": "d", "format": "%Y-%m-%dT%H:%M:%S%z"}},
        {"d": ["2026-01-02T10:00:00+07:00", "2026-01-02T10:00:00Z", "2026-01-02T10:00:00"]},
        zone=None,
    )
    assert mapped.records["due_current"].to_list() == [
        datetime(2026, 1, 2, 3, tzinfo=UTC),
        datetime(2026, 1, 2, 10, tzinfo=UTC),
    ]
    assert [reject.row for reject in mapped.rejects] == [4]


def test_records_have_the_canonical_schema_and_the_kind() -> None:
    mapped = apply({"code": "id"}, {"x": ["1"]}, kind="petition")
    assert mapped.records.schema == pl.Schema(RECORD_SCHEMA)
    assert mapped.records["kind"].to_list() == ["petition"]


def test_texts_are_nfc_and_stripped_and_nulls_are_null() -> None:
    mapped = apply(
        {"unit_name": "u", "code": {"column": "c", "default": "KHAC"}},
        {"u": ["  Ho\u0302\u0300 so\u031b\u00a0", "NA"], "c": ["", "2111.0"]},
        null_values=["NA"],
    )
    assert mapped.records["unit_name"].to_list() == ["Hồ sơ", None]
    assert mapped.records["code"].to_list() == ["KHAC", "2111.0"]


def test_statuses_ignore_case_and_unknown_ones_are_kept_and_counted() -> None:
    mapped = apply(
        {"status": "s"},
        {"s": [" đang xử lý ", "XONG", "lạ", "lạ", None]},
        statuses={"Đang xử lý": 4, "Xong": 9},
    )
    assert mapped.records["status"].to_list() == [4, 9, None, None, None]
    assert mapped.records["source_status"].to_list() == ["đang xử lý", "XONG", "lạ", "lạ", None]
    assert mapped.unknown == {("status", "lạ"): 2}
    assert mapped.rejects == ()


def test_national_codes_need_no_table_and_a_mapped_source_status_wins() -> None:
    mapped = apply({"status": "s", "source_status": "t"}, {"s": ["10", "11"], "t": ["a", "b"]})
    assert mapped.records["status"].to_list() == [10, None]
    assert mapped.records["source_status"].to_list() == ["a", "b"]


def test_lookups_const_and_first_of_several_columns() -> None:
    mapped = apply(
        {
            "channel": {"const": "online"},
            "source_verdict": {"column": "v", "lookup": {"OVERDUE": "late"}},
            "unit_code": {"columns": ["u", "w"], "lookup": {"sở": "H01"}},
        },
        {"v": ["overdue", "?"], "u": ["SỞ", None], "w": ["x", "y"]},
    )
    assert mapped.records["channel"].to_list() == ["online", "online"]
    assert mapped.records["source_verdict"].to_list() == ["late", None]
    assert mapped.records["unit_code"].to_list() == ["H01", "y"]
    assert mapped.unknown == {("source_verdict", "?"): 1}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("32/01/2026 08:00", "not an instant written as"),
        ("01/01/0018 08:00", "year 18"),
        ("01/01/2101 08:00", "year 2101"),
    ],
)
def test_what_cannot_be_read_rejects_the_row_alone(value: str, said: str) -> None:
    mapped = apply({"due_current": {"column": "d", "format": TIME}}, {"d": ["01/01/2026 08:00", value, None]})
    assert mapped.records["source_key"].to_list() == ["k0", "k2"]
    (reject,) = mapped.rejects
    assert (reject.location, reject.row, reject.column, reject.value) == ("f.csv", 3, "d", value)
    assert said in reject.reason
    assert "correct" in reject.reason
    assert mapped.rows_read == 3


def test_a_missing_key_a_bad_count_and_a_nul_are_rejects_with_short_excerpts() -> None:
    mapped = apply(
        {"source_key": "k", "supplement_count": "n", "code": "c"},
        {"k": ["a", " ", "b", "c"], "n": ["2.0", "1", "x" * 200, "40000"], "c": ["ok", "ok", "ok", "ok"]},
    )
    assert mapped.records["supplement_count"].to_list() == [2]
    assert [(reject.row, reject.column) for reject in mapped.rejects] == [(3, "k"), (4, "n"), (5, "n")]
    assert mapped.rejects[1].value == "x" * 80
    nul = apply({"code": "c"}, {"c": ["a\0b"]})
    assert "NUL" in nul.rejects[0].reason


def test_a_skipped_hour_is_a_reject_and_a_repeated_one_is_the_earlier() -> None:
    gap = due("08/03/2015 02:30", "America/New_York")
    assert "skip this time" in gap.rejects[0].reason
    fold = due("01/11/2015 01:30", "America/New_York")
    assert fold.records["due_current"].to_list() == [datetime(2015, 11, 1, 5, 30, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("date_only", "instant"),
    [
        ("start_of_day", datetime(2026, 1, 1, 17, tzinfo=UTC)),
        ("end_of_day", datetime(2026, 1, 2, 16, 59, 59, 999999, tzinfo=UTC)),
        ("16:30", datetime(2026, 1, 2, 9, 30, tzinfo=UTC)),
    ],
)
def test_a_date_becomes_the_chosen_instant(date_only: str, instant: datetime) -> None:
    mapped = apply({"due_current": {"column": "d", "format": DAY, "date_only": date_only}}, {"d": ["02/01/2026"]})
    assert mapped.records["due_current"].to_list() == [instant]


def test_a_date_with_a_time_of_day_stays_as_it_is() -> None:
    mapped = apply(
        {"due_current": {"column": "d", "format": [TIME, DAY], "date_only": "end_of_day"}},
        {"d": ["02/01/2026 11:00", "02/01/2026"]},
    )
    assert mapped.records["due_current"].to_list() == [
        datetime(2026, 1, 2, 4, tzinfo=UTC),
        datetime(2026, 1, 2, 16, 59, 59, 999999, tzinfo=UTC),
    ]


def test_days_whose_midnight_the_clock_skips_still_begin_and_end() -> None:
    # Havana, 8 March 2015: 00:00 became 01:00.
    begin = due("08/03/2015 00:00", "America/Havana", date_only="start_of_day")
    assert begin.records["due_current"].to_list() == [datetime(2015, 3, 8, 5, tzinfo=UTC)]
    end = due("07/03/2015 00:00", "America/Havana", date_only="end_of_day")
    assert end.records["due_current"].to_list() == [datetime(2015, 3, 8, 4, 59, 59, 999999, tzinfo=UTC)]


def test_a_date_with_offset_is_taken_in_the_zone() -> None:
    spec = {"column": "d", "format": "%Y-%m-%dT%H:%M:%S%z", "date_only": "end_of_day"}
    mapped = apply({"due_current": spec}, {"d": ["2026-01-01T17:00:00Z", "2026-01-02T01:00:00Z"]})
    assert mapped.records["due_current"].to_list() == [
        datetime(2026, 1, 2, 16, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 1, 2, 1, tzinfo=UTC),
    ]


def test_the_applicant_leaves_only_as_a_keyed_hash() -> None:
    rows: dict[str, list[str | None]] = {"cccd": ["001 A", " 1  a ", None]}
    mapped = apply({"applicant_hash": "cccd"}, rows, key=b"secret")
    first, second, third = mapped.records["applicant_hash"].to_list()
    assert first == second == applicant_hash("001 a", b"secret")
    assert third is None
    assert apply({"applicant_hash": "cccd"}, rows).records["applicant_hash"].to_list() == [None] * 3


@pytest.mark.parametrize("key", [b"secret", None])
def test_a_veiled_table_holds_no_applicant_and_gives_the_same_records(key: bytes | None) -> None:
    cells = {"id": ["1", "2", "3"], "cccd": ["001 A", None, " "], "mst": ["x", "0017", "NA"]}
    table = RawTable("f.csv", pl.DataFrame(cells))
    mapper = Mapper(options({"applicant_hash": {"columns": ["cccd", "mst"]}}, null_values=["NA"]), key)
    veiled = mapper.veiled(table)
    hashes = {applicant_hash(text, b"secret") for text in ("001 A", "x", "0017")}
    assert {*veiled.frame["cccd"], *veiled.frame["mst"]} <= {None, *hashes}
    assert mapper.apply(veiled).records.equals(mapper.apply(table).records)
    used = Mapper(options({"applicant_hash": "cccd", "code": "cccd"}), key)
    assert used.veiled(table) is table


def test_an_empty_table_gives_empty_records() -> None:
    mapped = apply({"status": "s", "channel": {"const": "online"}}, {"s": []})
    assert mapped.records.height == 0
    assert mapped.records.schema == pl.Schema(RECORD_SCHEMA)


def test_presence_alone_decides_where_that_is_told() -> None:
    mapped = apply(
        {
            "source_verdict": {"column": "who", "present": "late", "absent": "on_time"},
            "status": {"column": "done", "present": 10},
            "supplement_count": {"column": "n", "present": 1, "absent": 0},
        },
        {"who": ["Tổ 1", " ", None], "done": ["x", "-", None], "n": ["nhiều", None, ""]},
        null_values=["-"],
    )
    assert mapped.records["source_verdict"].to_list() == ["late", "on_time", "on_time"]
    assert mapped.records["status"].to_list() == [10, None, None]
    assert mapped.records["supplement_count"].to_list() == [1, 0, 0]
    assert (mapped.rejects, mapped.unknown) == ((), {})


ZONES = ("Asia/Ho_Chi_Minh", "UTC", "America/New_York", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia")


@given(
    days=st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2090, 12, 31)), min_size=1, max_size=3),
    zone=st.sampled_from(ZONES),
    date_only=st.sampled_from([None, "start_of_day", "end_of_day", "16:30"]),
)
def test_an_instant_is_what_the_zones_own_rules_say(days: list[datetime], zone: str, date_only: str | None) -> None:
    texts = [day.strftime("%Y-%m-%d %H:%M:%S.%f") for day in days]
    spec = {"column": "d", "format": "%Y-%m-%d %H:%M:%S%.f", "date_only": date_only}
    mapped = apply({"due_current": spec}, {"d": texts}, zone=zone)
    found = dict(mapped.records.select("source_key", "due_current").iter_rows())
    for number, day in enumerate(days):
        moved, midnight = day, day.time() == time()
        if midnight and date_only == "end_of_day":
            moved = day + timedelta(days=1, microseconds=-1)
        elif midnight and date_only == "16:30":
            moved = day + timedelta(hours=16, minutes=30)
        fold = int(midnight and date_only == "end_of_day")
        expected = moved.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
        if expected.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moved:  # the clock shows this time
            assert found[f"k{number}"] == expected
        elif not midnight:
            assert f"k{number}" not in found


@pytest.mark.parametrize("rows", [10, 5_000])
def test_many_rows_are_read_as_few_are(rows: int) -> None:
    """Columns that repeat few texts take another way."""
    cells = ["  Ho\u0302\u0300 so\u031b", "NA", "", "UBND xã A", "lạ\0"]
    mapped = apply(
        {"unit_name": {"column": "u", "without_prefix": "UBND"}, "status": "s", "supplement_count": "n"},
        {"u": [cells[i % 5] for i in range(rows)], "s": [" Xong ", "lạ"] * (rows // 2), "n": ["1", "2"] * (rows // 2)},
        null_values=["NA"],
        statuses={"XONG": 9},
    )
    assert mapped.records["unit_name"].unique(maintain_order=True).to_list() == ["Hồ sơ", None, "xã A"]
    assert len(mapped.rejects) == rows // 5
    assert mapped.unknown == {("status", "lạ"): mapped.records["status"].null_count()}
    assert mapped.records["supplement_count"].sum() == sum(1 + i % 2 for i in range(rows) if i % 5 != 4)
