"""Files of published figures: every kind is read alike, and what is wrong is named by its place, all at once."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.published.columns import figure_of, listed, read_count, read_decimal
from tthc_monitor.published.files import read_published, template

PORTAL = {
    "code": "OK",
    "data": {
        "overview": {"totalReceived": 12, "totalOnTime": 9, "totalOverdue": 3},
        "parent": {"departmentCode": "H99", "departmentName": "Tỉnh Mẫu", "totalReceived": 12, "totalOnTime": 9},
        "children": [
            {
                "departmentId": "x",
                "departmentCode": "H99.01",
                "departmentName": "Sở Mẫu",
                "totalReceived": 8,
                "totalOnTime": 7,
                "totalOverdue": 1,
                "avgProcessingDays": 4.25,
                "ratio": 87.5,
                "totalScore": 17.5,
                "children": [{"departmentCode": "H99.01.1", "totalReceived": 2, "totalOnTime": None}],
            },
            {"departmentCode": "H99.02", "totalReceived": 4.0, "totalOnTime": "2", "totalOverdue": 2},
        ],
    },
}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
    return path


def figures(path: Path) -> list[tuple[Any, ...]]:
    return [
        (
            row.unit_code,
            row.parent_code,
            row.sector_code,
            row.counts.get("total_received"),
            row.counts.get("total_overdue"),
        )
        for row in read_published(path)[0]
    ]


def test_a_workbook_and_a_csv_file_of_people_are_read_alike(tmp_path: Path) -> None:
    rows = [
        ["BÁO CÁO CỔNG DVCQG", "", "", ""],
        ["Mã đơn vị", "Tổng số hồ sơ", "Quá hạn", "Người lập"],
        ["H99.01", 1065150, 276538, "ai đó"],
        ["H99.02", "1.234", "0", ""],
    ]
    read = [("H99.01", None, None, 1065150, 276538), ("H99.02", None, None, 1234, 0)]
    book = workbook(tmp_path / "a.xlsx", rows)
    assert figures(book) == read
    assert read_published(book)[1] == ("Người lập",)
    for name, sign, mark in (("a.csv", ",", ""), ("b.csv", ";", "\ufeff"), ("c.csv", "\t", "")):
        lines = "\r\n".join(sign.join(str(cell) for cell in row) for row in rows) + "\r\n"
        assert figures(write(tmp_path, name, mark + lines)) == read
        assert figures(write(tmp_path, f"{name}.gz", gzip.compress(lines.encode()))) == read


def test_the_answer_of_the_portal_keeps_who_includes_whom(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", json.dumps(PORTAL))
    rows, _ = read_published(path)
    assert [(row.unit_code, row.parent_code) for row in rows] == [
        ("H99", None),
        ("H99.01", "H99"),
        ("H99.01.1", "H99.01"),
        ("H99.02", "H99"),
    ]
    one = rows[1]
    assert one.counts == {"total_received": 8, "total_on_time": 7, "total_overdue": 1}
    assert one.decimals == {"average_days": "4.25", "ratio_percent": "87.5", "score": "17.5"}
    assert (rows[2].counts, rows[3].counts["total_received"]) == ({"total_received": 2}, 4)
    assert rows[0].place == "$.data.parent"
    flat = {"code": "OK", "data": {"evaluation": PORTAL["data"]["children"]}}  # type: ignore[index]
    assert figures(write(tmp_path, "b.json", json.dumps(flat)))[0][:2] == ("H99.01", None)
    assert len(figures(write(tmp_path, "c.json.gz", gzip.compress(json.dumps(PORTAL).encode())))) == 4


def test_the_template_can_be_read_and_names_every_column(tmp_path: Path) -> None:
    assert figures(write(tmp_path, "mau.csv", template())) == [("H99.01", "H99", None, 120, 10)]
    header = template().lstrip("\ufeff").splitlines()[0].split(",")
    assert header == [name for name, _ in listed()]


def test_columns_are_known_by_english_portal_and_vietnamese_names() -> None:
    for figure, names in listed():
        assert {figure_of(name) for name in (figure, figure.upper(), *names.split(", (")[0:1])} >= {figure}
    assert figure_of(" ma  don vi ") == figure_of("departmentcode") == "unit_code"
    assert figure_of("(7)") == "finished_total" and figure_of("7") is None and figure_of("Người lập") is None


@pytest.mark.parametrize(
    ("written", "count"), [("12", 12), (" 1.065.150 ", 1065150), ("1\u00a0234", 1234), ("1,234", 1234), ("0", 0)]
)
def test_counts(written: str, count: int) -> None:
    assert read_count(written) == count


@pytest.mark.parametrize(
    "written", ["-1", "1.5", "1,234.567", "1.23.456", "1e3", "=1+1", "NaN", "9" * 16, "", "một", "12 hồ sơ"]
)
def test_what_is_no_count_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="write digits only"):
        read_count(written)


def test_decimals() -> None:
    assert [read_decimal(written) for written in ("74,04", "74.04 %", "20")] == ["74.04", "74.04", "20"]
    for written in ("-1", "1.2.3", "NaN", "1e9"):
        with pytest.raises(ValueError, match="no number"):
            read_decimal(written)


def test_everything_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    lines = "unit_code,total_received,total_overdue\nH99.01,x,-2\n,5,1\nH99.02,3,1\nH99.02,4,0\nH99.03,,\nH99.04\n\n"
    with pytest.raises(ConfigError) as error:
        read_published(write(tmp_path, "a.csv", lines))
    said = str(error.value)
    for part in (
        *("a.csv:2: total_received 'x'", "a.csv:2: total_overdue '-2'", "a.csv:3: no code of the unit"),
        *("a.csv:5: H99.02 stands at dòng 4 already", "a.csv:6: no figure at all", "a.csv:7: the record has 1 fields"),
    ):
        assert part in said, part
    many = "unit_code,total_received\n" + "".join(f"H99.{number},x\n" for number in range(400))
    with pytest.raises(ConfigError, match="and 350 problems more"):
        read_published(write(tmp_path, "b.csv", many))


HOSTILE = {
    "empty.csv": (b"", "none of the first 30 rows names the columns"),
    "no-columns.csv": (b"a,b\n1,2\n", "the code of the unit is missing"),
    "no-figure.csv": (b"unit_code,unit_name\nH99.01,x\n", "any figure is missing"),
    "twice.csv": ("unit_code,Quá hạn,Trễ hạn\nH99.01,1,2\n".encode(), "total_overdue stands in more than one column"),
    "no-rows.csv": (b"unit_code,total_received\n", "the file holds no figures"),
    "utf16.csv": ("unit_code,total_received\nH99.01,1\n".encode("utf-16"), "not UTF-8"),
    "no-workbook.xlsx": (b"PK\x03\x04", "cannot be read"),
    "empty.xlsx": (b"", "the file is empty"),
    "broken.json": (b'{"data": [', "not JSON"),
    "nan.json": (b'[{"departmentCode": "H99", "totalReceived": NaN}]', "NaN is no number"),
    "deep.json": (b"[" * 200_000, "not JSON as it should be"),
    "refused.json": (b'{"code": "ERROR", "data": null}', "the portal answered 'ERROR'"),
    "nothing.json": (b'{"code": "OK", "data": {"evaluation": []}}', "the file holds no figures"),
    "boolean.json": (
        b'[{"departmentCode": "H99", "totalReceived": true}]',
        r"\$\[0\]: total_received 'True' is no number",
    ),
    "text.txt": (b"x", "not a kind of file that can be read"),
    "no-gzip.csv.gz": (b"\x1f\x8b\x08\x00abc", "damaged|cut|cannot be"),
    "no-gzip.json.gz": (b"abc", "cannot be unpacked"),
    "circle.csv": (
        b"unit_code,parent_code,total_received\nH99.01,H99.02,1\nH99.02,H99.01,1\n",
        "stands above itself",
    ),
    "long.csv": (b"unit_code,total_received\n" + b"H" * 500 + b",1\n", "unit_code is longer than 200 characters"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_cannot_be_taken_says_why(tmp_path: Path, name: str) -> None:
    content, message = HOSTILE[name]
    with pytest.raises((ConfigError, PermanentSourceError), match=message) as error:
        read_published(write(tmp_path, name, content))
    assert name in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_published(tmp_path / "not-there.csv")


def test_a_row_that_contradicts_itself_is_kept_and_told(tmp_path: Path) -> None:
    ((row,), _) = read_published(
        write(tmp_path, "a.csv", "unit_code,total_received,total_on_time,total_overdue\nH99.01,5,3,1\n")
    )
    assert row.doubts() == ("dòng 2: total_received 5 is not total_on_time 3 + total_overdue 1",)
