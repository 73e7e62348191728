"""The files connector against the files that offices really send."""

from __future__ import annotations

import gzip
import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Connector, Surroundings
from connectors.csv_exact import Dialect, Record, records_of
from connectors.csv_reader import CsvOptions, read_csv
from connectors.files import FilesConnector, FilesOptions
from tests.shared_data import shared
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.domain.records import Reject
from tthc_monitor.domain.yaml_text import parse_yaml, validate

DUE = {"column": "due", "format": "%d/%m/%Y"}


def surroundings(folder: Path, key: bytes | None = None) -> Surroundings:
    return Surroundings(lambda: datetime.now(UTC), folder, applicant_key=key)


def connector(
    folder: Path, path: str | None = "a.csv", columns: dict[str, Any] | None = None, **more: Any
) -> FilesConnector:
    mapping = {"source_key": "id", "unit_name": "unit", "due_current": DUE} if columns is None else columns
    options = FilesOptions.model_validate({"path": path, "zone": "Asia/Ho_Chi_Minh", "columns": mapping, **more})
    return FilesConnector("test", options, surroundings(folder))


def pull(files: FilesConnector) -> tuple[pl.DataFrame, list[Reject]]:
    batches = [files.normalise(page) for page in files.fetch(None)]
    for batch in batches:
        assert batch.rows_read == batch.records.height + len(batch.rejects)
    return pl.concat(batch.records for batch in batches), [reject for batch in batches for reject in batch.rejects]


def csv_of(folder: Path, content: bytes | str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def book_of(folder: Path, rows: list[list[Any]], name: str = "a.xlsx") -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / name)
    return folder / name


HEAD = "id,name,unit,due\n"


def test_it_is_a_connector(tmp_path: Path) -> None:
    assert isinstance(connector(tmp_path), Connector)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_bom_line_ends_quoted_line_breaks_and_nfd(tmp_path: Path, bom: bytes, ends: str) -> None:
    text = HEAD + '1,x,"Sơ\u0309, ""A""\nB",01/02/2026\n\n2,x,y,31/02/2026\n3,x,z,02/02/2026'
    csv_of(tmp_path, bom + text.replace("\n", ends).encode())
    frame, rejects = pull(connector(tmp_path))
    assert frame["source_key"].to_list() == ["1", "3"]
    assert frame["unit_name"][0] == 'Sở, "A"\nB'
    assert [(reject.location, reject.row, reject.value) for reject in rejects] == [("a.csv", 5, "31/02/2026")]


def test_cp1258_and_utf16_are_read_when_they_are_set(tmp_path: Path) -> None:
    text = "id,name,unit,due\n1,x,Hô\u0300 sơ câ\u0301p,01/02/2026\n"
    csv_of(tmp_path, text.encode("cp1258"))
    with pytest.raises(PermanentSourceError, match=r"a\.csv: byte 22 \(line 2\) is not utf-8 .*set csv\.encoding"):
        pull(connector(tmp_path))
    frame, _ = pull(connector(tmp_path, csv={"encoding": "cp1258"}))
    assert frame["unit_name"].to_list() == ["Hồ sơ cấp"]
    csv_of(tmp_path, text.encode("utf-16"))
    with pytest.raises(PermanentSourceError, match="utf-16"):
        pull(connector(tmp_path))
    assert pull(connector(tmp_path, csv={"encoding": "utf-16"}))[0]["unit_name"].to_list() == ["Hồ sơ cấp"]


@pytest.mark.parametrize("block", [7, 64, 1 << 20])
def test_ragged_lines_become_rejects_and_never_shift(tmp_path: Path, block: int) -> None:
    lines = [f"{i},x,u{i},01/02/2026" for i in range(2, 30)]
    lines[3] = "5,x,01/02/2026"
    lines[10] = "12,x,u12,01/02/2026,extra"
    path = csv_of(tmp_path, HEAD + "\n".join(lines) + "\n")
    tables = list(read_csv(path, "a.csv", CsvOptions(), ["id", "due"], block))
    broken = [reject for table in tables for reject in table.broken]
    assert [reject.row for reject in broken] == [5, 12]
    assert "3 fields where the header has 4" in broken[0].reason
    assert all(reject.value is None for reject in broken)
    seen = {table.row(i): key for table in tables for i, key in enumerate(table.frame["id"])}
    assert seen == {line: str(line) for line in range(2, 30) if line not in (5, 12)}
    assert {due for table in tables for due in table.frame["due"]} == {"01/02/2026"}


@pytest.mark.parametrize("block", [16, 1 << 20])
def test_stray_quotes_cost_their_line_only(tmp_path: Path, block: int) -> None:
    text = HEAD + '2,x,"never closed,01/02/2026\n3,x,"ok",01/02/2026\n4,x,"5" pipe,01/02/2026\n5,x,5" pipe,01/02/2026\n'
    path = csv_of(tmp_path, text)
    tables = list(read_csv(path, "a.csv", CsvOptions(), ["id", "unit"], block))
    assert [row for table in tables for row in table.frame.rows()] == [("3", "ok"), ("5", '5" pipe')]
    assert [reject.row for table in tables for reject in table.broken] == [2, 4]


def test_the_fast_and_the_exact_way_agree(tmp_path: Path) -> None:
    text = "id,t\n" + "".join(f'{i},"a{i}, ""q""{chr(10) * (i % 3)}z"\n' for i in range(200))
    path = csv_of(tmp_path, text)
    exact = [
        (record.line, *record.fields)
        for record in records_of(text.split("\n")[1:], 2, Dialect(",", '"'))
        if isinstance(record, Record)
    ]
    for block in (50, 1000, 1 << 20):
        tables = list(read_csv(path, "a.csv", CsvOptions(), ["id", "t"], block))
        fast = [(table.row(i), *row) for table in tables for i, row in enumerate(table.frame.rows())]
        assert fast == exact


@given(
    pieces=st.lists(
        st.sampled_from(
            ["1,2,3", '"q","r, ""s""","t\nu"', "", "1,2", "1,2,3,4", "é,ơ,", '"","",""', '"', 'a,"b,c', '""x,y,z']
        )
        | st.text('x,"\n é', max_size=9),
        max_size=12,
    ),
    block=st.sampled_from([3, 17, 10_000]),
    ends=st.sampled_from(["\n", "\r\n"]),
)
def test_any_text_is_cut_alike_whatever_the_block(pieces: list[str], block: int, ends: str) -> None:
    text = "\n".join(["a,b,c", *pieces])
    records = list(records_of(text.split("\n")[1:], 2, Dialect(",", '"')))
    good = [record for record in records if isinstance(record, Record) and len(record.fields) == 3]
    with tempfile.TemporaryDirectory() as folder:
        path = csv_of(Path(folder), text.replace("\n", ends))
        tables = list(read_csv(path, "a.csv", CsvOptions(), ["a", "b", "c"], block))
    rows = [(table.row(i), list(row)) for table in tables for i, row in enumerate(table.frame.rows())]
    assert rows == [(record.line, record.fields) for record in good]
    broken = [reject.row for table in tables for reject in table.broken]
    assert broken == [record.line for record in records if record not in good]


def test_gzip_semicolons_and_a_title_above_the_header(tmp_path: Path) -> None:
    text = "Danh sách hồ sơ\nid;unit;due\n1;a,b;01/02/2026\n2;c;x\n"
    csv_of(tmp_path, gzip.compress(text.encode()), "a.csv.gz")
    settings = {"separator": ";", "header_row": 2, "quote": None}
    frame, rejects = pull(connector(tmp_path, "*.gz", csv=settings))
    assert frame["unit_name"].to_list() == ["a,b"]
    assert rejects[0].row == 4
    csv_of(tmp_path, gzip.compress(text.encode())[:-12], "a.csv.gz")
    with pytest.raises(PermanentSourceError, match="damaged or cut short"):
        pull(connector(tmp_path, "*.gz", csv=settings))


def test_a_missing_column_names_the_closest(tmp_path: Path) -> None:
    csv_of(tmp_path, "id,zzz,units,due\n")
    with pytest.raises(ConfigError, match=r"a\.csv: .*'unit', which the file lacks; it has 'units', "):
        pull(connector(tmp_path))
    csv_of(tmp_path, "id;unit;due\n")
    with pytest.raises(ConfigError, match=r"csv\.separator \(';', it seems\)"):
        pull(connector(tmp_path))
    csv_of(tmp_path, "id,unit,unit,due\n")
    with pytest.raises(ConfigError, match="stands 2 times"):
        pull(connector(tmp_path))


def test_nothing_there_and_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(PermanentSourceError, match=r"no file found under .*put the file there"):
        pull(connector(tmp_path, "*.csv"))
    csv_of(tmp_path, b"")
    with pytest.raises(PermanentSourceError, match="is empty"):
        pull(connector(tmp_path))
    csv_of(tmp_path, HEAD)
    assert pull(connector(tmp_path))[0].height == 0
    csv_of(tmp_path, b"\n\n")
    with pytest.raises(PermanentSourceError, match="no header"):
        pull(connector(tmp_path))


def test_personal_columns_never_leave_a_file(tmp_path: Path) -> None:
    csv_of(tmp_path, HEAD + "1,Nguyễn Văn A,u,bad\n2,Trần B,u\n")
    book_of(tmp_path, [["id", "name", "unit", "due"], [1, "Nguyễn Văn A", "u", "bad"]])
    for path in ("a.csv", "a.xlsx"):
        files = connector(tmp_path, path)
        for page in files.fetch(None):
            assert "name" not in page.content.frame.columns
            assert "Nguyễn" not in repr(page.content) + repr(files.normalise(page))
        with pytest.raises(ConfigError) as caught:
            files.check()
        assert "Nguyễn" not in str(caught.value)


def test_unchanged_files_are_skipped_when_asked(tmp_path: Path) -> None:
    csv_of(tmp_path, HEAD + "1,x,u,01/02/2026\n")
    csv_of(tmp_path, HEAD + "2,x,u,01/02/2026\n", "b.csv")
    always = connector(tmp_path, ".")
    assert [page.cursor for page in always.fetch(None)] == [None, None]
    files = connector(tmp_path, ".", reread="changed")
    pages = list(files.fetch(None))
    cursor = json.loads(json.dumps(pages[-1].cursor))
    assert list(files.fetch(cursor)) == []
    csv_of(tmp_path, HEAD + "2,x,u,01/02/2026\n3,x,u,01/02/2026\n", "b.csv")
    assert [page.location for page in files.fetch(cursor)] == ["b.csv"]
    assert pages[0].cursor is None
    other = connector(tmp_path, ".", reread="changed", null_values=["u"])
    assert len(list(other.fetch(cursor))) == 2


def test_check_says_what_was_found(tmp_path: Path) -> None:
    csv_of(tmp_path, "id,s\n1,lạ\n2,Xong\n")
    lines = connector(tmp_path, columns={"source_key": "id", "status": "s"}, statuses={"xong": 9}).check()
    assert lines == [
        "1 file found under a.csv",
        "a.csv: 2 columns matched: id, s",
        "a.csv: 2 of the first 2 rows can be read",
        "a.csv: status does not know 'lạ' (1 of these rows)",
    ]
    csv_of(tmp_path, HEAD + "1,x,u,2026-02-01\n")
    with pytest.raises(ConfigError, match=r"a\.csv, row 2, column due: .*no row could be read"):
        connector(tmp_path).check()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("path: a.csv\ncolumns: {source_key: id, due_current: due}", "give each a 'format'"),
        ("path: a.csv\nxlsx: {sheet: 2}\ncolumns: {source_key: id}", "is not used for files of format csv"),
        ("path: a.xlsx\nxlsx: {sheet: 0}\ncolumns: {source_key: id}", "greater than or equal to 1"),
        ("path: a.xlsx\nxlsx: {first_row: 1}\ncolumns: {source_key: id}", "not below header_row"),
        ("path: a.csv\ncsv: {separator: ab}\ncolumns: {source_key: id}", "one ASCII character"),
        ("path: a.csv\ncsv: {encoding: tcvn3}\ncolumns: {source_key: id}", "unknown encoding"),
    ],
)
def test_options_that_cannot_work_are_refused_when_loaded(extra: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(FilesOptions, parse_yaml("zone: UTC\n" + extra, "x.yaml"))
    assert said in str(caught.value)


def test_a_file_of_unknown_ending_needs_a_format(tmp_path: Path) -> None:
    csv_of(tmp_path, HEAD + "1,x,u,01/02/2026\n", "a.dat")
    with pytest.raises(ConfigError, match="set 'format'"):
        pull(connector(tmp_path, "a.dat"))
    assert pull(connector(tmp_path, "a.dat", format="csv"))[0].height == 1


def test_workbooks_give_typed_dates_and_plain_codes(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["DANH SÁCH"],
        ["id", "unit", "zip", "due"],
        ["(1)", "(2)", "(3)", "(4)"],
        [101, "Sở A", 2111.0, date(2026, 2, 1)],
        [102, None, 2.5, datetime(2026, 2, 1, 10, 30)],
        [None, None, None, None],
        [103, "Sở B", "007", "01/02/2026"],
        [104, None, True, "soon"],
        ["Tổng cộng", None, None, None],
    ]
    book_of(tmp_path, rows)
    files = connector(
        tmp_path,
        "a.xlsx",
        {"source_key": "id", "unit_name": "unit", "code": "zip", "due_current": {**DUE, "date_only": "16:30"}},
        xlsx={"header_row": 2, "first_row": 4, "fill_down": ["unit"], "ignore_rows": {"id": "(?i)^tổng"}},
    )
    frame, rejects = pull(files)
    assert frame["source_key"].to_list() == ["101", "102", "103"]
    assert frame["unit_name"].to_list() == ["Sở A", "Sở A", "Sở B"]
    assert frame["code"].to_list() == ["2111", "2.5", "007"]
    assert frame["due_current"].to_list() == [
        datetime(2026, 2, 1, 9, 30, tzinfo=UTC),
        datetime(2026, 2, 1, 3, 30, tzinfo=UTC),
        datetime(2026, 2, 1, 9, 30, tzinfo=UTC),
    ]
    (reject,) = rejects
    assert (reject.location, reject.row, reject.value) == ("a.xlsx, sheet 'Sheet'", 8, "soon")
    assert next(files.fetch(None)).total == 6


def test_a_text_among_date_cells_without_format_is_a_reject(tmp_path: Path) -> None:
    book_of(tmp_path, [["id", "due"], [1, date(2026, 2, 1)], [2, "01/02/2026"]])
    frame, rejects = pull(connector(tmp_path, "a.xlsx", {"source_key": "id", "due_current": "due"}))
    assert frame["due_current"].to_list() == [datetime(2026, 1, 31, 17, tzinfo=UTC)]
    assert "add 'format'" in rejects[0].reason


def test_rows_above_the_table_do_not_move_the_numbers(tmp_path: Path) -> None:
    book_of(tmp_path, [[], [], [None, "id", "due"], [None, 1, "x"]])
    _, rejects = pull(connector(tmp_path, "a.xlsx", {"source_key": "id", "due_current": DUE}, xlsx={"header_row": 3}))
    assert rejects[0].row == 4


def test_sheets_that_do_not_exist_and_workbooks_that_are_none(tmp_path: Path) -> None:
    book_of(tmp_path, [["id"], [1]])
    for sheet in (2, "Tổng hợp"):
        with pytest.raises(ConfigError, match="it has 1 'Sheet'"):
            pull(connector(tmp_path, "a.xlsx", {"source_key": "id"}, xlsx={"sheet": sheet}))
    assert pull(connector(tmp_path, "a.xlsx", {"source_key": "id"}, xlsx={"sheet": "Sheet"}))[0].height == 1
    with pytest.raises(ConfigError, match=r"xlsx\.header_row"):
        pull(connector(tmp_path, "a.xlsx", {"source_key": "mã"}))
    csv_of(tmp_path, b"PK\x03\x04 no workbook", "a.xlsx")
    with pytest.raises(PermanentSourceError, match="cannot be read"):
        pull(connector(tmp_path, "a.xlsx", {"source_key": "id"}))
    csv_of(tmp_path, b"", "a.xlsx")
    with pytest.raises(PermanentSourceError, match="is empty"):
        pull(connector(tmp_path, "a.xlsx", {"source_key": "id"}))


@pytest.mark.parametrize("name", ["password-protected-password123.xlsx", "password-protected-password123.ods"])
def test_a_password_is_named_as_the_reason(name: str) -> None:
    path = shared(f"workbooks/{name}")
    with pytest.raises(PermanentSourceError, match="protected by a password"):
        pull(connector(path.parent, name, {"source_key": "id"}))


def test_the_1904_epoch_and_other_formats() -> None:
    folder = shared("workbooks")
    frame, _ = pull(
        connector(folder, "excel-1904-epoch.xlsx", {"source_key": "item", "due_current": "date"}, zone="UTC")
    )
    assert frame["due_current"].to_list() == [datetime(2024, 1, 15, tzinfo=UTC), datetime(2020, 7, 4, tzinfo=UTC)]
    assert pull(connector(folder, "testexcel-issue-516.xls", {"source_key": "id"}))[0]["source_key"][0] == "1"
    assert pull(connector(folder, "excel-ods.ods", {"source_key": "URL"}))[0].height == 3
    frame, _ = pull(connector(folder, "excel-numeric-header.xlsx", {"source_key": "location", "code": "2020"}))
    assert frame["code"].to_list() == ["1", "4"]
