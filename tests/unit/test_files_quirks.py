"""The oddities of spreadsheets that offices export: each is an option or an evident fact, none a silent guess."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from connectors.base import Cursor, Page, ReadsFiles
from connectors.csv_reader import CsvOptions, read_csv
from connectors.files import FilesConnector, FilesOptions
from tests.unit.test_files_connector import book_of, connector, csv_of, pull, surroundings
from tests.unit.xls_files import write_xls
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.domain.yaml_text import parse_yaml, validate

DAY = "%d/%m/%Y"
ROWS: list[list[Any]] = [
    ["CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", None, None, None],
    ["DANH SÁCH HỒ SƠ TRỄ HẠN", None, None, None],
    ["STT", "Đơn vị", "Mã hồ sơ", "Ngày hẹn"],
    ["(1)", "(2)", "(3)", "(4)"],
    ["1", "UBND xã A", "h1", "01/02/2026"],
    ["2", None, "h2", "02/02/2026"],
    ["3", "Xã B", "h3", "03/02/2026"],
    [None, "Cộng", None, None],
    ["4", None, "h4", "04/02/2026"],
    ["Tổng cộng: 4", None, None, None],
]
TABLE = {
    "header_row": "auto",
    "numbering_row": True,
    "fill_down": ["Đơn vị"],
    "ignore_rows": {"STT": "^tổng|^$", "Mã hồ sơ": "^$"},
}
COLUMNS = {
    "source_key": "Mã hồ sơ",
    "unit_name": {"column": "Đơn vị", "without_prefix": ["UBND", "Ủy ban nhân dân"]},
    "due_current": {"column": "Ngày hẹn", "format": DAY},
}


def as_csv(folder: Path, rows: list[list[Any]]) -> str:
    csv_of(folder, "\r\n".join(",".join("" if cell is None else str(cell) for cell in row) for row in rows))
    return "a.csv"


def as_xlsx(folder: Path, rows: list[list[Any]]) -> str:
    book_of(folder, rows)
    return "a.xlsx"


def as_xls(folder: Path, rows: list[list[Any]]) -> str:
    write_xls(folder / "a.xls", [[None, *row] for row in rows])
    return "a.xls"


Written = Callable[[Path, list[list[Any]]], str]
each_format = pytest.mark.parametrize("written", [as_csv, as_xlsx, as_xls], ids=["csv", "xlsx", "xls"])


def table(path: str, **more: Any) -> dict[str, Any]:
    return {"csv" if path.endswith("csv") else "xlsx": {**TABLE, **more}}


@each_format
def test_titles_numbers_merged_units_and_totals_are_read_as_people_read_them(written: Written, tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    frame, rejects = pull(connector(tmp_path, path, COLUMNS, **table(path)))
    assert rejects == []
    assert frame["source_key"].to_list() == ["h1", "h2", "h3", "h4"]
    assert frame["unit_name"].to_list() == ["xã A", "xã A", "Xã B", "Xã B"]
    assert frame["due_current"].dt.day().to_list() == [31, 1, 2, 3]  # midnight in Viet Nam is the evening before in UTC


@each_format
def test_without_a_rule_nothing_is_left_out_silently(written: Written, tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    bare = {"csv" if path.endswith("csv") else "xlsx": {"header_row": 3}}
    frame, rejects = pull(connector(tmp_path, path, COLUMNS, **bare))
    assert frame["source_key"].to_list() == ["h1", "h2", "h3", "h4"]
    assert [(reject.row, reject.column) for reject in rejects] == [(4, "Ngày hẹn"), (8, "Mã hồ sơ"), (10, "Mã hồ sơ")]


def test_a_row_that_is_no_numbering_is_a_record(tmp_path: Path) -> None:
    book_of(tmp_path, [row for row in ROWS if row[0] != "(1)"])
    frame, _ = pull(connector(tmp_path, "a.xlsx", COLUMNS, **table("a.xlsx")))
    assert frame["source_key"].to_list() == ["h1", "h2", "h3", "h4"]


@pytest.mark.parametrize(
    ("row", "left_out"),
    [
        (["(1)", "(2)"], True), (["1", "2"], True), (["A", "2"], True), (["[1]", "(2)=(1)+5"], True), (["(3)", None], True),
        (["1", "1"], False), (["2", "1"], False), (["B", "A"], False), (["17", None], False), (["1", "Sở A"], False), (["1000", "2000"], False), (["AB", "C"], False),
    ],
)  # fmt: skip
def test_numbering_is_what_numbers_the_columns(row: list[Any], left_out: bool, tmp_path: Path) -> None:
    book_of(tmp_path, [["id", "u"], row, ["x", "y"]])
    frame, _ = pull(connector(tmp_path, "a.xlsx", {"source_key": "id", "unit_name": "u"}, xlsx={"numbering_row": True}))
    assert frame["source_key"].to_list() == (["x"] if left_out else [row[0], "x"])


def test_cells_are_filled_down_across_pieces(tmp_path: Path) -> None:
    rows = [["u", "id"], *(["A" if number == 0 else "B" if number == 900 else None, number] for number in range(1000))]
    as_csv(tmp_path, rows)
    pieces = list(read_csv(tmp_path / "a.csv", "a.csv", CsvOptions(fill_down=("u",)), ["id", "u"], block_bytes=64))
    assert len(pieces) > 10
    assert [unit for piece in pieces for unit in piece.frame["u"]] == ["A"] * 900 + ["B"] * 100


@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_nothing_is_filled_down_across_a_row_that_cannot_be_read(block_bytes: int, tmp_path: Path) -> None:
    """It may have begun the next unit's rows."""
    lines = ["A,1,p", ",2,", ",3", ",4,", ",5,q", "B,6,", ",7,", "C,8", "D,9,r", ",10,"]
    csv_of(tmp_path, "\n".join(["u,id,v", *lines]))
    options = CsvOptions(fill_down=("u", "v"))
    pieces = list(read_csv(tmp_path / "a.csv", "a.csv", options, ["id", "u", "v"], block_bytes=block_bytes))
    rows = [row for piece in pieces for row in piece.frame.select("u", "id", "v").rows()]
    told = [("A", "1", "p"), ("A", "2", "p"), ("B", "6", "q"), ("B", "7", "q"), ("D", "9", "r"), ("D", "10", "r")]
    assert rows == told
    refused = [(reject.row, reject.column) for piece in pieces for reject in piece.broken]
    assert sorted(refused, key=str) == [(4, None), (5, "u"), (6, "u"), (9, None)]


def test_dates_are_filled_down_with_their_cells(tmp_path: Path) -> None:
    book_of(tmp_path, [["id", "d"], ["1", date(2026, 2, 1)], ["2", None]])
    mapping = {"source_key": "id", "due_current": "d"}
    frame, _ = pull(connector(tmp_path, "a.xlsx", mapping, xlsx={"fill_down": ["d"]}))
    assert frame["due_current"].to_list() == [datetime(2026, 1, 31, 17, tzinfo=UTC)] * 2


def test_names_in_two_rows_are_called_by_the_lower(tmp_path: Path) -> None:
    book_of(tmp_path, [["Mã", "Thời gian", None], [None, "Nhận", "Hẹn"], ["1", "x", "01/02/2026"]])
    mapping = {"source_key": "Mã", "due_current": {"column": "Hẹn", "format": DAY}}
    for row in (1, "auto"):
        frame, _ = pull(connector(tmp_path, "a.xlsx", mapping, xlsx={"header_row": row, "header_rows": 2}))
        assert frame["source_key"].to_list() == ["1"]


@each_format
def test_the_second_row_of_names_under_a_title_is_no_record(written: Written, tmp_path: Path) -> None:
    rows = [["DANH SÁCH", None, None], ["Mã", "Hẹn", "Thời gian"], [None, None, "Nhận"], ["1", "01/02/2026", "x"]]
    path = written(tmp_path, rows)
    mapping = {"source_key": "Mã", "due_current": {"column": "Hẹn", "format": DAY}}
    for above in (0, 1):
        path = written(tmp_path, rows[above:])
        rules = {"csv" if path.endswith("csv") else "xlsx": {"header_row": "auto", "header_rows": 2}}
        frame, rejects = pull(connector(tmp_path, path, mapping, **rules))
        assert (frame["source_key"].to_list(), rejects) == (["1"], [])


@each_format
def test_a_header_that_is_nowhere_is_told_by_its_closest_row(written: Written, tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    mapping = {**COLUMNS, "code": "Số biên nhận"}
    with pytest.raises(ConfigError, match="'Số biên nhận', which the file lacks; it has "):
        pull(connector(tmp_path, path, mapping, **table(path)))
    with pytest.raises(ConfigError, match="none of the first 30 rows holds the columns 'Số biên nhận'"):
        pull(connector(tmp_path, path, {"source_key": "Số biên nhận"}, **table(path, fill_down=[], ignore_rows={})))


def test_a_row_taken_for_the_header_by_mistake_is_not_shown(tmp_path: Path) -> None:
    """It may be a record, and records hold names."""
    for path in (as_csv(tmp_path, [["1", "Nguyễn Văn Mẫu"]]), as_xlsx(tmp_path, [["1", "Nguyễn Văn Mẫu"]])):
        with pytest.raises(ConfigError, match="none of the columns of the mapping") as caught:
            pull(connector(tmp_path, path, {"source_key": "Mã hồ sơ"}))
        assert "Nguyễn" not in str(caught.value)


def test_units_are_one_with_and_without_ubnd(tmp_path: Path) -> None:
    names = ["UBND xã A", "Xã A", "ủy  ban nhân dân XÃ A", "UBND: xã a", "UBNDX", "UBND", None]
    book_of(tmp_path, [["id", "u"], *([str(number), name] for number, name in enumerate(names))])
    unit = {"column": "u", "without_prefix": ["UBND", "Ủy ban nhân dân"], "lookup": {"UBND xã A": "H99.01"}}
    frame, _ = pull(connector(tmp_path, "a.xlsx", {"source_key": "id", "unit_code": unit}))
    assert frame["unit_code"].to_list() == ["H99.01"] * 4 + ["UBNDX", "UBND", None]


def test_codes_get_back_the_zeros_that_spreadsheets_drop(tmp_path: Path) -> None:
    rows = [
        ["id", "Mã", "TTHC"],
        [123456.0, 12, 1.00386],
        ["a7", "0012", "2.001000"],
        [3, "12B", 1],
        [4, None, "1.00386 (cũ)"],
    ]
    book_of(tmp_path, rows)
    mapping = {
        "source_key": {"column": "id", "pad": 13},
        "code": {"column": "Mã", "pad": 4},
        "procedure_code": {"column": "TTHC", "decimals": 6},
    }
    frame, _ = pull(connector(tmp_path, "a.xlsx", mapping))
    assert frame["source_key"].to_list() == ["0000000123456", "a7", "0000000000003", "0000000000004"]
    assert frame["code"].to_list() == ["0012", "0012", "12B", None]
    assert frame["procedure_code"].to_list() == ["1.003860", "2.001000", "1.000000", "1.00386 (cũ)"]


@pytest.mark.parametrize(
    ("cell", "thousands", "number"),
    [
        ("1.234", ".", 1234), ("12.345", ".", 12345), ("7", ".", 7), ("1 234", " ", 1234), ("1,234", ",", 1234),
        ("1.234", None, None), ("1.23", ".", None), ("1.2345", ".", None), ("99.999", ".", None), ("-1", None, None),
    ],
)  # fmt: skip
def test_numbers_with_marked_thousands_are_read_only_when_the_mark_is_told(
    cell: str, thousands: str | None, number: int | None, tmp_path: Path
) -> None:
    book_of(tmp_path, [["id", "n"], ["1", cell]])
    count = {"column": "n", "thousands": thousands}
    frame, rejects = pull(connector(tmp_path, "a.xlsx", {"source_key": "id", "supplement_count": count}))
    assert frame["supplement_count"].to_list() == ([] if number is None else [number])
    assert [reject.value for reject in rejects] == ([cell] if number is None else [])


@pytest.mark.parametrize(
    ("cell", "form", "utc"),
    [
        ("46054", "serial_1900", datetime(2026, 1, 31, 17, tzinfo=UTC)),
        ("46054.6875", "serial_1900", datetime(2026, 2, 1, 9, 30, tzinfo=UTC)),
        ("44592.354166666664", "serial_1904", datetime(2026, 2, 1, 1, 30, tzinfo=UTC)),
        ("01/02/2026", "serial_1900", None),
        ("20260201", "serial_1900", None),
        ("999999", "serial_1900", None),
    ],
)
def test_dates_are_numbers_of_days_where_that_is_told(
    cell: str, form: str, utc: datetime | None, tmp_path: Path
) -> None:
    mapping = {"source_key": "id", "due_current": {"column": "d", "format": form}}
    as_csv(tmp_path, [["id", "d"], ["1", cell]])
    book_of(tmp_path, [["id", "d"], ["1", float(cell) if utc else cell]])
    for path in ("a.csv", "a.xlsx"):
        frame, rejects = pull(connector(tmp_path, path, mapping))
        assert frame["due_current"].to_list() == ([] if utc is None else [utc])
        assert len(rejects) == (utc is None)


@pytest.mark.parametrize("epoch_1904", [False, True])
def test_date_cells_of_either_epoch_are_dates(epoch_1904: bool, tmp_path: Path) -> None:
    write_xls(tmp_path / "a.xls", [[None, "id", "d"], [None, 7, date(2026, 2, 1)]], epoch_1904=epoch_1904)
    frame, rejects = pull(connector(tmp_path, "a.xls", {"source_key": "id", "due_current": "d"}))
    assert (frame["source_key"].to_list(), rejects) == (["7"], [])
    assert frame["due_current"].to_list() == [datetime(2026, 1, 31, 17, tzinfo=UTC)]


def test_a_protected_xls_is_named_so(tmp_path: Path) -> None:
    write_xls(tmp_path / "a.xls", [["id"], ["1"]], protected=True)
    with pytest.raises(PermanentSourceError, match="protected by a password"):
        pull(connector(tmp_path, "a.xls", {"source_key": "id"}))


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8-sig", ";"), ("cp1258", ";"), ("utf-16", "\t"), ("utf-8", ",")]
)
def test_a_list_is_the_same_in_every_encoding(encoding: str, separator: str, tmp_path: Path) -> None:
    text = "\n".join(separator.join("" if cell is None else cell for cell in row) for row in ROWS)
    content = cp1258(text) if encoding == "cp1258" else unicodedata.normalize("NFD", text).encode(encoding)
    csv_of(tmp_path, content)
    settings = {**TABLE, "encoding": encoding, "separator": separator}
    frame, rejects = pull(connector(tmp_path, "a.csv", COLUMNS, csv=settings))
    assert rejects == []
    assert frame["unit_name"].to_list() == ["xã A", "xã A", "Xã B", "Xã B"]


def cp1258(text: str) -> bytes:
    """As Windows writes it: letters of the code page whole, tone marks after them."""
    written = ""
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        tone = "".join(mark for mark in parts if mark in "\u0300\u0301\u0303\u0309\u0323")
        written += unicodedata.normalize("NFC", "".join(part for part in parts if part not in tone)) + tone
    return written.encode("cp1258")


def test_sheets_are_read_one_several_or_all_that_are_shown(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name, key in (("Tháng 1", "a"), ("Tháng 2", "b"), ("Ẩn", "c"), ("Trống", None)):
        sheet = book.create_sheet(name)
        for row in [["id"], [key]] if key else []:
            sheet.append(row)
    book.remove(book["Sheet"])
    book["Ẩn"].sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")

    def keys(sheet: Any) -> list[str]:
        return pull(connector(tmp_path, "a.xlsx", {"source_key": "id"}, xlsx={"sheet": sheet}))[0][
            "source_key"
        ].to_list()

    assert keys("*") == ["a", "b"]
    assert keys("Tháng ?") == ["a", "b"]
    assert keys([3, "Tháng 1"]) == ["c", "a"]
    with pytest.raises(ConfigError, match=r"no sheet 'Quý \*'; it has 1 'Tháng 1'"):
        keys("Quý *")
    with pytest.raises(PermanentSourceError, match="'Trống': row 1 holds no column names"):
        keys([1, "Trống"])


IGATE = """
path: danh-sach.csv
zone: Asia/Ho_Chi_Minh
columns:
  source_key: dossierNo
  code: dossierNo
  sector_name: sectorName
  procedure_name: procedureName
  status: {column: dossierStatusName}
  received_at: {column: acceptedDate, format: "%d/%m/%Y"}
  due_current: {column: appointmentDate, format: "%d/%m/%Y", date_only: end_of_day}
  source_verdict: {column: overDueByUser, present: late, absent: on_time}
statuses: {Đang xử lý: 4, Đã trả kết quả: 10}
"""


def test_igates_list_tells_late_by_a_name_that_never_leaves_the_file(tmp_path: Path) -> None:
    csv_of(
        tmp_path,
        "dossierNo,dossierStatusName,sectorName,procedureName,acceptedDate,appointmentDate,overDueByUser\n"
        "H99.01-260105-0001,Đang xử lý,Đất đai,Cấp đổi,05/01/2026,12/01/2026,Nguyễn Văn Mẫu\n"
        "H99.01-260105-0002,Đã trả kết quả,Đất đai,Cấp đổi,05/01/2026,12/01/2026,  \n",
        "danh-sach.csv",
    )
    options = validate(FilesOptions, parse_yaml(IGATE, "igate.yaml"))
    frame, rejects = pull(FilesConnector("igate", options, surroundings(tmp_path)))
    assert rejects == []
    assert frame["source_verdict"].to_list() == ["late", "on_time"]
    assert frame["status"].to_list() == [4, 10]
    assert "Mẫu" not in frame.write_csv()


def test_petitions_of_a_hotline_are_petitions(tmp_path: Path) -> None:
    book_of(tmp_path, [["Mã phản ánh", "Hạn"], ["PA1", "01/02/2026"]])
    mapping = {"source_key": "Mã phản ánh", "due_current": {"column": "Hạn", "format": DAY}}
    frame, _ = pull(connector(tmp_path, "a.xlsx", mapping, kind="petition"))
    assert frame["kind"].to_list() == ["petition"]


def test_a_file_handed_in_is_read_instead_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    csv_of(tmp_path, "id,unit\n1,a\n", "in/a.csv")
    csv_of(tmp_path, "id,unit\n2,b\n", "upload-7f3a")
    mapping = {"source_key": "id", "unit_name": "unit"}
    files = connector(tmp_path, "in", mapping, reread="changed")
    assert isinstance(files, ReadsFiles)
    over = files.over(tmp_path / "upload-7f3a", "danh-sach.csv")
    (page,) = over.fetch(None)
    assert (page.location, page.cursor, page.listed_all) == ("danh-sach.csv", None, False)
    assert over.normalise(page).records["source_key"].to_list() == ["2"]
    assert over.provides == files.provides
    assert [page.location for page in files.fetch(None)] == ["in/a.csv"]
    with pytest.raises(ConfigError, match=r"ảnh\.png: the file's ending does not tell its format"):
        list(files.over(tmp_path / "upload-7f3a", "ảnh.png").fetch(None))


@pytest.mark.parametrize("path", ["a.csv", "in", "not-there", "*.csv", None])
@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_a_file_handed_in_lists_all_only_when_it_is_said_to_be_whole(
    path: str | None, lists: bool, whole: bool, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    csv_of(tmp_path, "id\n2\n", "new.csv")
    options = FilesOptions.model_validate({"path": path, "columns": {"source_key": "id"}, "lists_all_open": lists})
    files = FilesConnector("test", options, surroundings(tmp_path))
    (page,) = files.over(tmp_path / "new.csv", "new.csv", whole=whole).fetch(None)
    assert (page.listed_all, page.part) == (whole and lists, not whole)
    (page,) = files.over(tmp_path / "new.csv", "new.csv").fetch(None)
    assert (page.listed_all, page.part) == (False, True)


def test_a_file_handed_in_is_as_old_as_is_said_or_undated(tmp_path: Path) -> None:
    """When it was saved by us tells nothing of when it was written."""
    csv_of(tmp_path, "id\n2\n", "new.csv")
    files = connector(tmp_path, None, {"source_key": "id"})
    (page,) = files.over(tmp_path / "new.csv", "new.csv").fetch(None)
    assert (page.as_of, page.undated) == (None, True)
    written = datetime(2026, 2, 1, 9, tzinfo=UTC)
    (page,) = files.over(tmp_path / "new.csv", "new.csv", as_of=written).fetch(None)
    assert (page.as_of, page.undated) == (written, False)
    (page,) = connector(tmp_path, "new.csv", {"source_key": "id"}).fetch(None)
    assert (page.as_of is not None, page.undated) == (True, False)


def test_of_several_files_the_newest_comes_last(tmp_path: Path) -> None:
    for name, second in (("so-10.csv", 20), ("so-9.csv", 10), ("so-8.csv", 20), ("so-11.csv", 5)):
        path = csv_of(tmp_path, "id\n1\n", name)
        os.utime(path, (second, second))
    for chosen in (".", "so-*.csv"):
        pages = list(connector(tmp_path, chosen, {"source_key": "id"}).fetch(None))
        assert [page.location for page in pages] == ["so-11.csv", "so-9.csv", "so-10.csv", "so-8.csv"]


def test_files_are_read_again_under_another_key_of_applicants(tmp_path: Path) -> None:
    """Hashes of two keys never meet: those of the old one are made anew."""
    csv_of(tmp_path, "id,name\n1,x\n")
    columns = {"source_key": "id", "applicant_hash": "name"}
    options = FilesOptions.model_validate({"path": "a.csv", "reread": "changed", "columns": columns})

    def pages(key: bytes, cursor: Cursor | None) -> list[Page]:
        return list(FilesConnector("test", options, surroundings(tmp_path, key)).fetch(cursor))

    cursor = pages(b"old", None)[-1].cursor
    assert pages(b"old", cursor) == []
    assert len(pages(b"new", cursor)) == 1
    assert "old" not in str(cursor)


def test_a_source_without_path_waits_for_files(tmp_path: Path) -> None:
    options = FilesOptions.model_validate({"columns": {"source_key": "id"}})
    files = FilesConnector("test", options, surroundings(tmp_path))
    assert list(files.fetch(None)) == []
    assert files.check() == ["no 'path' is set: files are handed in, nothing is pulled"]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("xlsx: {header_row: auto, first_row: 4}", "first_row cannot be known"),
        ("xlsx: {header_row: 0}", "header_row"),
        ("xlsx: {ignore_rows: {STT: '('}}", "not a regular expression"),
        ("xlsx: {sheet: []}", "names no sheet"),
        ("csv: {numbering_row: 3}", "numbering_row"),
        ("reread: changed", "reread has no meaning without 'path'"),
    ],
)
def test_rules_that_cannot_work_are_refused_when_loaded(extra: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(FilesOptions, parse_yaml("columns: {source_key: id}\n" + extra, "x.yaml"))
    assert said in str(caught.value)


def test_pulled_frames_have_one_schema_whatever_the_rules(tmp_path: Path) -> None:
    path = as_xlsx(tmp_path, ROWS)
    frame, _ = pull(connector(tmp_path, path, COLUMNS, **table(path)))
    csv_frame, _ = pull(connector(tmp_path, as_csv(tmp_path, ROWS), COLUMNS, csv=TABLE))
    assert isinstance(frame, pl.DataFrame)
    assert frame.equals(csv_frame)
