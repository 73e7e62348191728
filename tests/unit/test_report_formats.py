"""Tables of a report in each format: what is read back is what was in them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from openpyxl.worksheet.worksheet import Worksheet

from tests.unit.made_report import AS_OF, ZONE, delayed, made_report
from tthc_monitor.domain.errors import DeliveryError
from tthc_monitor.outputs import report_dossier_tables, report_sheets
from tthc_monitor.outputs.report_charts import draw_charts
from tthc_monitor.outputs.report_csv import write_tables
from tthc_monitor.outputs.report_json import write_json
from tthc_monitor.outputs.report_own_tables import report_tables
from tthc_monitor.outputs.report_sheets import draw_table
from tthc_monitor.outputs.report_styles import Styles
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn
from tthc_monitor.outputs.report_topics import DelayedColumn, TopicSource
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.outputs.sheet_rows import LongSheet
from tthc_monitor.outputs.spreadsheet_cells import restored
from tthc_monitor.outputs.word_fields import Field
from tthc_monitor.outputs.word_rows import listed_rows

COLUMNS = (
    TableColumn("name", "Tên"),
    TableColumn("code", "Mã", "code"),
    TableColumn("dossiers", "Số hồ sơ", "count"),
    TableColumn("change", "Tăng, giảm", "difference"),
    TableColumn("days", "Số ngày bình quân", "decimal"),
    TableColumn("share", "Tỷ lệ", "percent"),
    TableColumn("from_day", "Từ ngày", "day"),
    TableColumn("happened_at", "Thời điểm", "instant"),
)
ROWS = pd.DataFrame(
    {
        "name": ['Sở "Một", nhiều\ndòng', "=cmd|' /C calc'!A0", None],
        "code": ["000.00.01.H99", "+84", "1.000001"],
        "dossiers": [1_234_567, 0, None],
        "change": [5, -3, 0],
        "days": [1.5, Decimal("0.25"), None],
        "share": [Decimal("98.21"), None, 100.0],
        "from_day": [date(2026, 1, 5), None, pd.Timestamp("2026-10-31")],
        "happened_at": pd.to_datetime(
            ["2026-10-31T17:00:00Z", None, "2026-11-01T01:02:03.5Z"], utc=True, format="ISO8601"
        ),
    }
)
CHART = TableChart("line", "Tỷ lệ theo tháng", "code", ("dossiers", "change"), 99)
TABLE = Table("shares", "Tỷ lệ", "TỶ LỆ", COLUMNS, ROWS, ("Tỷ lệ = a / b.",), CHART)


def drawn(folder: Path, *tables: Table) -> openpyxl.Workbook:
    path = folder / "t.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        styles = Styles(workbook)
        for table in tables:
            draw_table(
                workbook.add_worksheet(table.sheet, LongSheet), styles, table, "Kỳ báo cáo: tháng 10 năm 2026", ZONE
            )
        draw_charts(workbook, workbook.add_worksheet("Biểu đồ"), styles, tables, "Kỳ báo cáo: tháng 10 năm 2026")
    return openpyxl.load_workbook(path)


def values(sheet: Worksheet, row: int) -> list[Any]:
    return [cell.value for cell in sheet[row]]


# -- sheets ---------------------------------------------------------------------------------------------------------


def test_cells_are_typed_by_their_columns(tmp_path: Path) -> None:
    sheet = drawn(tmp_path, TABLE)["Tỷ lệ"]
    assert values(sheet, 4) == ["TT", *(column.title for column in COLUMNS)]
    first, third = datetime(2026, 11, 1), datetime(2026, 11, 1, 8, 2, 3, 500_000)
    assert values(sheet, 5) == [
        *(1, 'Sở "Một", nhiều\ndòng', "000.00.01.H99", 1_234_567, 5, 1.5, 98.21, datetime(2026, 1, 5), first)
    ]
    assert values(sheet, 6) == [2, "=cmd|' /C calc'!A0", "+84", 0, -3, 0.25, "không có dữ liệu", None, None]
    assert values(sheet, 7) == [3, None, "1.000001", None, 0, None, 100, datetime(2026, 10, 31), third]
    assert [cell.data_type for cell in sheet[6]][:3] == ["n", "s", "s"]
    assert [bool(cell.quotePrefix) for cell in sheet["B"][4:6]] == [False, True]
    formats = {cell.number_format for cell in sheet[5]}
    assert {"@", "#,##0_)", "+#,##0_);-#,##0_);0_)", '0.00" %"_)', "dd/mm/yyyy", "hh:mm dd/mm/yyyy"} <= formats


def test_a_sheet_is_set_up_for_reading_and_for_paper(tmp_path: Path) -> None:
    sheet = drawn(tmp_path, TABLE)["Tỷ lệ"]
    assert (sheet["A1"].value, sheet["A2"].value) == ("TỶ LỆ", "Kỳ báo cáo: tháng 10 năm 2026")
    assert sheet["A9"].value == "Tỷ lệ = a / b."
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("C5", "A4:I7")
    assert sheet.print_title_rows == "$4:$4"
    assert sheet.row_dimensions[5].height is None or sheet.row_dimensions[5].height > 15


def test_an_empty_table_says_what_there_is_not(tmp_path: Path) -> None:
    empty = Table("e", "Trống", "TRỐNG", COLUMNS, ROWS.head(0), chart=CHART, empty="Không có gì.")
    book = drawn(tmp_path, empty)
    assert book["Trống"]["A5"].value == "Không có gì."
    assert not book["Biểu đồ"]._charts


def test_what_is_too_much_for_a_sheet_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_sheets, "MAX_SHEET_ROWS", 2)
    sheet = drawn(tmp_path, TABLE)["Tỷ lệ"]
    assert [sheet["A6"].value, sheet["A7"].value] == [2, "và 1 dòng khác"]


def test_days_that_excel_does_not_know_are_texts(tmp_path: Path) -> None:
    old = ROWS.head(1).assign(
        from_day=[date(1899, 5, 1)],
        happened_at=pd.to_datetime(["0001-01-01T00:00:00Z"], utc=True).astype("M8[us, UTC]"),
    )
    sheet = drawn(tmp_path, Table("o", "Cũ", "CŨ", COLUMNS, old))["Cũ"]
    assert (sheet["H5"].value, sheet["I5"].value) == ("01/05/1899", "07:06 01/01/1")


def test_charts_are_native_and_drawn_over_the_cells_of_their_table(tmp_path: Path) -> None:
    bars = Table("b", "Cột", "CỘT", COLUMNS, ROWS, chart=TableChart("bar", "C", "name", ("dossiers",), 2, stacked=True))
    charts = drawn(tmp_path, TABLE, bars)["Biểu đồ"]._charts
    line, bar = charts
    assert [one.val.numRef.f for one in line.series] == ["'Tỷ lệ'!$D$5:$D$7", "'Tỷ lệ'!$E$5:$E$7"]
    assert [one.tx.strRef.f for one in line.series] == ["'Tỷ lệ'!$D$4", "'Tỷ lệ'!$E$4"]
    assert {one.cat.strRef.f for one in line.series} == {"'Tỷ lệ'!$C$5:$C$7"}
    assert (bar.series[0].val.numRef.f, bar.series[0].cat.strRef.f) == ("Cột!$D$5:$D$6", "Cột!$B$5:$B$6")
    assert (bar.barDir, bar.grouping) == ("bar", "stacked")


# -- CSV ------------------------------------------------------------------------------------------------------------


def test_a_csv_holds_what_its_table_holds(tmp_path: Path) -> None:
    (path,) = write_tables([TABLE], tmp_path / "bang", ZONE)
    assert path == tmp_path / "bang" / "shares.csv"
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfname,code,dossiers,") and content.count(b"\r\n") == 4
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "name": 'Sở "Một", nhiều\ndòng',
        "code": "000.00.01.H99",
        "dossiers": "1234567",
        "change": "5",
        "days": "1.5",
        "share": "98.21",
        "from_day": "2026-01-05",
        "happened_at": "2026-11-01T00:00:00+07:00",
    }
    assert (rows[1]["name"], rows[1]["code"], rows[1]["share"]) == ("'=cmd|' /C calc'!A0", "'+84", "")
    assert restored(rows[1]["name"]) == ROWS["name"][1]
    assert rows[2]["happened_at"] == "2026-11-01T08:02:03.500000+07:00"

    read = pd.read_csv(path, dtype={"name": str, "code": str}, parse_dates=["happened_at"])
    assert read["dossiers"].sum() == 1_234_567 and read["change"].tolist() == [5, -3, 0]
    moments = pd.to_datetime(read["happened_at"], utc=True, format="ISO8601")
    assert moments.dropna().tolist() == ROWS["happened_at"].dropna().tolist()


def test_an_empty_csv_has_its_head(tmp_path: Path) -> None:
    (path,) = write_tables([Table("e", "E", "E", COLUMNS, ROWS.head(0))], tmp_path, ZONE)
    assert path.read_text(encoding="utf-8-sig").splitlines() == [",".join(column.name for column in COLUMNS)]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "bang").touch()
    with pytest.raises(DeliveryError, match="cannot be written"):
        write_tables([TABLE], tmp_path / "bang", ZONE)


# -- JSON -----------------------------------------------------------------------------------------------------------


def test_a_json_file_says_what_the_report_is_about_and_holds_every_table(tmp_path: Path) -> None:
    report = made_report()
    tables = [*report_tables(report), TABLE]
    told = json.loads(write_json(report, tables, tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (told["format"], told["version"]) == ("tthc-monitor.report", 1)
    assert told["period"] == {
        "name": "2026-10",
        "label": "tháng 10 năm 2026",
        "kind": "calendar_month",
        "first_day": "2026-10-01",
        "last_day": "2026-10-31",
        "from": "2026-10-01T00:00:00+07:00",
        "to": "2026-11-01T00:00:00+07:00",
        "zone": ZONE,
    }
    assert datetime.fromisoformat(told["as_of"]) == AS_OF and told["period_has_ended"] is True
    assert (told["scope"], told["frozen"]) == ([], None)
    assert told["ledger_head"] == {"link": 7, "day": "2026-11-01", "hash": "ab" * 32}
    assert [check["passed"] for check in told["checks"]] == [True] * len(report.checks)
    assert [table["key"] for table in told["tables"]] == [table.key for table in tables]
    for table, held in zip(tables, told["tables"], strict=True):
        assert [column["name"] for column in held["columns"]] == [column.name for column in table.columns]
        assert len(held["rows"]) == len(table.rows)
    assert told["tables"][-1]["rows"][1] == {
        "name": "=cmd|' /C calc'!A0",
        "code": "+84",
        "dossiers": 0,
        "change": -3,
        "days": 0.25,
        "share": None,
        "from_day": None,
        "happened_at": None,
    }
    assert '"share": 98.21,' in (tmp_path / "r.json").read_text(encoding="utf-8")


# -- all of them ----------------------------------------------------------------------------------------------------


def test_keys_and_sheets_are_told_apart() -> None:
    tables = report_tables(made_report())
    assert [table.key for table in tables[:6]] == [
        "form-ii-06a",
        "units",
        "sectors",
        "procedures",
        "delayed",
        "sent-back",
    ]
    assert tables[-1].key == "errata"
    for names in ([table.key for table in tables], [table.sheet.lower() for table in tables]):
        assert len(set(names)) == len(names)
    assert all(len(table.sheet) <= 31 for table in tables)
    assert all(column.name in table.rows for table in tables for column in table.columns)


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        report = made_report(50)
        tables = report_tables(report)
        files = [write_report(report, folder / "r.xlsx"), write_json(report, tables, folder / "r.json")]
        made.append([file.read_bytes() for file in files + write_tables(tables, folder / "csv", ZONE)])
    assert made[0] == made[1]


def test_twenty_thousand_delayed_dossiers_are_all_there(tmp_path: Path) -> None:
    report = made_report(20_000)
    tables = report_tables(report)
    files = {file.stem: file for file in write_tables(tables, tmp_path, ZONE)}
    with files["delayed"].open(encoding="utf-8-sig", newline="") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    assert codes == report.delayed["code"].tolist()
    book = openpyxl.load_workbook(write_report(report, tmp_path / "r.xlsx", tables), read_only=True)
    rows = list(book["Hồ sơ quá hạn"].iter_rows(min_row=5, max_row=20_004, values_only=True))
    assert [row[3] for row in rows] == codes
    assert [row[0] for row in (rows[0], rows[-1])] == [1, 20_000]


class Known:
    """A topic that knows why some dossiers were late."""

    def tables(self) -> list[Table]:
        return []

    def words(self) -> dict[str, Any]:
        return {}

    def delayed(self) -> pd.DataFrame:
        ids = delayed(3)["dossier_id"]
        return pd.DataFrame({"cause": ["Lỗi phần mềm"], "apology": [True]}, index=pd.Index(ids[1:2], name="dossier_id"))


def test_topics_add_columns_to_the_list_of_delayed_dossiers(monkeypatch: pytest.MonkeyPatch) -> None:
    source = TopicSource(
        lambda _reading: Known(),
        (),
        (DelayedColumn(TableColumn("cause", "Nguyên nhân"), Field("nguyen_nhan", "nguyên nhân")),),
    )
    monkeypatch.setattr(report_dossier_tables, "TOPICS", (source,))
    table = next(table for table in report_tables(made_report(3, topics=(Known(),))) if table.key == "delayed")
    assert "cause" in [column.name for column in table.columns]
    assert [cause if isinstance(cause, str) else None for cause in table.rows["cause"]] == [None, "Lỗi phần mềm", None]


def test_codes_for_programs_stand_in_csv_and_not_on_sheets(tmp_path: Path) -> None:
    columns = (TableColumn("rule", "Mã quy tắc", "code", technical=True), *COLUMNS)
    table = replace(TABLE, columns=columns, rows=ROWS.assign(rule=["bulk_closing", "no_due_date", "late"]))
    book = drawn(tmp_path, table)
    assert values(book["Tỷ lệ"], 4)[:3] == ["TT", "Tên", "Mã"]
    chart = book["Biểu đồ"]._charts[0]
    assert [one.val.numRef.f for one in chart.series] == ["'Tỷ lệ'!$D$5:$D$7", "'Tỷ lệ'!$E$5:$E$7"]
    (path,) = write_tables([table], tmp_path / "csv", ZONE)
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["rule"] == "bulk_closing"


def test_a_dossier_without_number_is_not_called_by_the_key_of_its_source(tmp_path: Path) -> None:
    report = made_report(2)
    report = replace(report, delayed=report.delayed.assign(has_number=[True, False]))
    table = next(table for table in report_tables(report) if table.key == "delayed")
    number = report.delayed["code"].iloc[0]
    assert table.rows["code"].tolist() == [number, "chưa cấp mã"]
    assert table.rows["source_key"].tolist() == ["dvc-0", "dvc-1"]
    assert [column.name for column in table.columns if column.technical] == ["reference", "source_key"]
    assert table.rows["reference"].tolist() == report.delayed["code"].tolist()


def test_a_count_that_nobody_knows_says_so_on_paper(tmp_path: Path) -> None:
    columns = (TableColumn("name", "Tên"), TableColumn("dossiers", "Số lần", "count", absent="chưa rõ"))
    table = replace(TABLE, columns=columns, chart=None)
    assert [row[2] for row in drawn(tmp_path, table)["Tỷ lệ"].iter_rows(min_row=5, max_row=7, values_only=True)] == [
        1_234_567,
        0,
        "chưa rõ",
    ]
    assert [row["so"] for row in listed_rows(table, {"so": "dossiers"}, ZONE, 9)] == [1_234_567, 0, "chưa rõ"]


def test_what_has_no_room_on_paper_stands_right_of_what_is_printed(tmp_path: Path) -> None:
    report = made_report(3)
    table = next(table for table in report_tables(report) if table.key == "delayed")
    sheet = drawn(tmp_path, table)[table.sheet]
    heads = values(sheet, 4)
    off = [column.title for column in table.columns if not column.paper]
    assert heads[-len(off) :] == off and "Mã TTHC" in off
    last = sheet.cell(4, len(heads) - len(off)).column_letter
    assert sheet.print_area == f"'{table.sheet}'!$A$1:${last}${sheet.max_row}"
    widths = {place: one.width for one in sheet.column_dimensions.values() for place in range(one.min, one.max + 1)}
    wide = sum(widths[place] for place in range(1, len(heads) - len(off) + 1))
    assert wide < 222, "letters of 12 points are printed at 7.8 points or more: a page across has room for 144"
