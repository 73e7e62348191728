"""Workbooks put together from rows that were written before: what any reader of the format finds in them."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import openpyxl
import pytest

from tthc_monitor.outputs import plain_workbook
from tthc_monitor.outputs.plain_workbook import Sheet, instant_cell, row_of, text_cell, whole_cell, workbook

AT = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
COLUMNS = (("Mã hồ sơ", 20.0), ("Số", 8.0))


def opened(*sheets: Sheet) -> openpyxl.Workbook:
    return openpyxl.load_workbook(BytesIO(workbook(sheets, "Tiêu đề", AT)))


@pytest.mark.parametrize(
    "written",
    ["=1+1", "@SUM(A1)", "<b>&amp;</b>", "  có dấu cách  ", "0001", "dòng\nmới", "_x0041_", "tab\tký tự", "\"'", "𠀀"],
)
def test_a_text_comes_back_as_it_was_and_is_a_text(written: str) -> None:
    cell = opened(Sheet("Một", "t", "l", COLUMNS, [row_of([text_cell(written), whole_cell(7)])]))["Một"]["A4"]
    assert (openpyxl.utils.escape.unescape(cell.value), cell.data_type) == (written, "s")


def test_what_xml_cannot_hold_does_not_break_the_file() -> None:
    cell = opened(Sheet("Một", "t", "l", COLUMNS, [row_of([text_cell("a\x00\x1f\ufffeb")])]))["Một"]["A4"]
    assert cell.value == "a_x0000__x001F__xFFFE_b"


def test_cells_have_their_types_and_the_headings_stand_still() -> None:
    rows = [row_of([text_cell("a"), whole_cell(number), instant_cell(46_322.729_166_667)]) for number in range(5)]
    book = opened(Sheet("Quá hạn", "Quá hạn: 5", "Tính đến …", (*COLUMNS, ("Lúc", 18.0)), rows))
    sheet = book["Quá hạn"]
    assert [cell.value for cell in sheet["B"][3:]] == [0, 1, 2, 3, 4]
    assert sheet["C4"].value.replace(microsecond=0) == datetime(2026, 10, 27, 17, 30)
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.print_title_rows) == ("B4", "A3:C8", "$3:$3")
    assert sheet.column_dimensions["A"].width == 20
    assert book.properties.created.replace(tzinfo=UTC) == AT


def test_what_does_not_fit_on_one_sheet_goes_on_upon_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_workbook, "SHEET_ROWS", 2)
    book = opened(
        Sheet(
            "Tên dài quá ba mươi mốt ký tự nên bị cắt", "t", "l", COLUMNS, [row_of([whole_cell(n)]) for n in range(5)]
        )
    )
    assert book.sheetnames == [
        "Tên dài quá ba mươi mốt ký tự n", "Tên dài quá ba mươi mốt ký tự 2", "Tên dài quá ba mươi mốt ký tự 3"
    ]  # fmt: skip
    assert [[row[0] for row in sheet.iter_rows(min_row=4, values_only=True)] for sheet in book] == [[0, 1], [2, 3], [4]]


def test_the_same_rows_give_the_same_bytes() -> None:
    sheet = Sheet("A'B", "t", "l", COLUMNS, [row_of([text_cell("a")])])
    assert workbook([sheet], "x", AT) == workbook([sheet], "x", AT)
    assert opened(sheet).sheetnames == ["A'B"]
