"""The calendar commands as people type them, and what they leave in the files."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.end_to_end.program import run
from tests.end_to_end.test_cli import configure, folder
from tests.shared_data import shared
from tthc_monitor.settings import shipped_calendar_text

__all__ = ["folder"]  # a fixture

OWN = """# Lịch của tỉnh Mẫu
name: Lịch tỉnh Mẫu  # tên trên báo cáo
zone: Asia/Ho_Chi_Minh
decreed_until: 2027-12-31  # theo công văn
week:
  mon: [["07:30", "11:30"], ["13:30", "17:00"]]
  tue: [["07:30", "11:30"], ["13:30", "17:00"]]
  wed: [["07:30", "11:30"]]
days_off:
  # 2027
  - {date: 2027-01-01, name: "Tết Dương lịch", document: "BLLĐ 2019 Điều 112"}  # theo luật
  # ghi chú cuối danh sách
units:
  - codes: [H99.07]
    name: Xã ngập lụt
    document: QĐ 12/QĐ-UBND
    days_off: [{date: 2026-10-05, name: Nghỉ do ngập lụt}]
"""
TABLE = """date,kind,name,source,status
2028-01-26,off,Tết Nguyên đán,"CV 1/VPCP, ""bản"" chính",press
2028-01-24,off,Nghỉ hoán đổi,CV 1/VPCP,
2028-02-05,working,Làm bù thứ Bảy (thay cho 24/01/2028),CV 1/VPCP,official
2027-01-01,off,Tết Dương lịch,BLLĐ 2019 Điều 112,
"""


def rows(table: str) -> list[list[str]]:
    """Cells of a table as it is printed."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if line.startswith("│")]


# -- show ------------------------------------------------------------------------------------------------------------


def test_show_tells_working_days_and_documents_of_a_year(folder: Path) -> None:
    configure(folder, "calendar: vn")
    shown = run("calendar", "show", "--year", "2026", cwd=folder).good().out
    cells = rows(shown)
    assert ["01/2026", "21", "157,5", "01, 02", "10"] in cells
    assert ["02/2026", "15", "112,5", "16, 17, 18, 19, 20", ""] in cells
    assert ["Năm 2026", "249", "1867,5", "", ""] in cells  # 261 − 14 + 2 days of 7.5 hours
    saturday = next(row for row in cells if row[0] == "10/01/2026")
    assert saturday[1:3] == ["Thứ Bảy", "Làm bù"]
    assert saturday[4:] == ["07:30–11:30, 13:30–17:00", "CV 12729/VPCP-KGVX, 25/12/2025", "chung"]
    assert "Thứ Hai đến Thứ Sáu 07:30–11:30, 13:30–17:00; Thứ Bảy, Chủ nhật nghỉ" in shown
    assert "Lưu ý" not in shown


def test_show_warns_of_a_year_that_is_not_decreed(folder: Path) -> None:
    configure(folder, "calendar: vn")
    shown = run("calendar", "show", "--year", "2028", cwd=folder).good().out
    assert "chưa ghi văn bản về ngày nghỉ sau ngày 31/12/2027" in shown


def test_show_of_a_unit_has_its_own_days(folder: Path) -> None:
    (folder / "own.yaml").write_text(OWN, encoding="utf-8")
    configure(folder, "calendar: own.yaml")
    shown = run("calendar", "show", "--year", "2026", "--unit", "H99.07", cwd=folder).good().out
    assert "Đơn vị H99.07: lịch riêng “Xã ngập lụt”" in shown
    assert ["05/10/2026", "Thứ Hai", "Nghỉ", "Nghỉ do ngập lụt", "–", "QĐ 12/QĐ-UBND", "Xã ngập lụt"] in rows(shown)
    other = run("calendar", "show", "--year", "2026", "--unit", "H99.08", cwd=folder).good().out
    assert "Đơn vị H99.08: không có lịch riêng, theo lịch chung" in other
    assert "05/10/2026" not in other
    october = {
        name: next(row for row in rows(text) if row[0] == "10/2026") for name, text in (("a", shown), ("b", other))
    }
    assert int(october["b"][1]) - int(october["a"][1]) == 1


# -- check -----------------------------------------------------------------------------------------------------------


def test_check_tells_what_a_file_changes_by_unit(folder: Path) -> None:
    configure(folder, "calendar: own.yaml")
    (folder / "own.yaml").write_text(OWN, encoding="utf-8")
    (folder / "new.yaml").write_text(
        OWN.replace("2026-10-05", "2026-10-06").replace("days_off:\n", "days_off:\n  - 2026-09-07\n", 1),
        encoding="utf-8",
    )
    checked = run("calendar", "check", "new.yaml", cwd=folder).good().out
    assert rows(checked) == [
        ["mọi đơn vị, trừ H99.07", "07/09/2026", "07/09/2026", "1", "07:30–11:30, 13:30–17:00", "nghỉ"],
        ["H99.07", "07/09/2026", "07/09/2026", "1", "07:30–11:30, 13:30–17:00", "nghỉ"],
        ["H99.07", "05/10/2026", "06/10/2026", "2", "nghỉ", "07:30–11:30, 13:30–17:00"],
    ]
    assert "không đổi" in run("calendar", "check", "own.yaml", cwd=folder).good().out
    assert "hợp lệ, 1 lịch riêng" in run("calendar", "check", cwd=folder).good().out


def test_check_names_every_problem_with_its_line(folder: Path) -> None:
    configure(folder, "calendar: vn")
    (folder / "bad.yaml").write_text(
        OWN.replace("Asia/Ho_Chi_Minh", "Asia/Hanoi").replace('"11:30"]]\ndays', '"07:00"]]\ndays'), encoding="utf-8"
    )
    checked = run("calendar", "check", "bad.yaml", cwd=folder)
    assert checked.code == 2
    assert "bad.yaml:3: 'zone'" in checked.err
    assert "bad.yaml:8: 'week.wed': " in checked.err
    assert "Traceback" not in checked.err


def test_check_against_what_was_used_last(folder: Path, empty_database: str) -> None:
    configure(folder, "calendar: vn", f"database: {{url: '{empty_database}'}}")
    run("db", "upgrade", cwd=folder).good()
    assert "Chưa có lần đánh giá nào" in run("calendar", "check", "--last-used", cwd=folder).good().out


@pytest.mark.parametrize(("days", "warned"), [(58, True), (62, False)])
def test_the_general_check_warns_when_what_is_decreed_runs_out(folder: Path, days: int, warned: bool) -> None:
    until = date.today() + timedelta(days=days)  # noqa: DTZ011  (two days of room for midnight and zones)
    configure(folder, "calendar: own.yaml")
    (folder / "own.yaml").write_text(OWN.replace("2027-12-31", str(until)), encoding="utf-8")
    for command in (("check",), ("calendar", "check")):
        out = run(*command, cwd=folder).good().out
        assert (
            bool(re.search(rf"^warning: calendar 'Lịch tỉnh Mẫu' is decreed until {until}", out, re.MULTILINE))
            is warned
        )


# -- import ----------------------------------------------------------------------------------------------------------


def test_import_adds_days_and_keeps_the_rest_as_it_is_written(folder: Path) -> None:
    configure(folder, "calendar: vn")
    (folder / "own.yaml").write_text(OWN, encoding="utf-8")
    (folder / "2028.csv").write_text("\ufeff" + TABLE, encoding="utf-8")
    call = ("calendar", "import", "2028.csv", "--into", "own.yaml")
    tried = run(*call, "--dry-run", cwd=folder).good().out
    assert "own.yaml: sẽ thêm 3 ngày, đã có 1 ngày; chưa ghi gì" in tried
    assert (folder / "own.yaml").read_text("utf-8") == OWN

    done = run(*call, "--decreed-until", "2028-12-31", cwd=folder).good().out
    assert "+ 24/01/2028 nghỉ: Nghỉ hoán đổi – CV 1/VPCP" in done
    assert "+ 05/02/2028 làm bù: Làm bù thứ Bảy (thay cho 24/01/2028) – CV 1/VPCP" in done
    assert "own.yaml: đã thêm 3 ngày, đã có 1 ngày" in done
    written = (folder / "own.yaml").read_text("utf-8")
    assert [line for line in OWN.splitlines() if line not in written.splitlines()] == [
        "decreed_until: 2027-12-31  # theo công văn"
    ]
    added = [line for line in written.splitlines() if line and line not in OWN.splitlines()]
    assert added == [
        "decreed_until: 2028-12-31  # theo công văn",
        "  # 2028",
        '  - {date: 2028-01-24, name: "Nghỉ hoán đổi", document: "CV 1/VPCP"}',
        '  - {date: 2028-01-26, name: "Tết Nguyên đán", document: "CV 1/VPCP, \\"bản\\" chính"}  # press',
        "overrides:",
        '  - {date: 2028-02-05, name: "Làm bù thứ Bảy (thay cho 24/01/2028)", document: "CV 1/VPCP", like: mon}  # official',
    ]
    assert "đã thêm 0 ngày, đã có 4 ngày" in run(*call, cwd=folder).good().out
    assert (folder / "own.yaml").read_text("utf-8") == written
    assert not list(folder.glob(".*"))


def test_import_into_a_new_file_begins_with_the_shipped_calendar(folder: Path) -> None:
    configure(folder, "calendar: 2028.yaml")
    (folder / "2028.csv").write_text(TABLE.replace("CV 1/VPCP", ""), encoding="utf-8")
    call = ("calendar", "import", "2028.csv", "--into", "2028.yaml", "--by", "CV 99/VPCP-KGVX, 01/10/2027")
    assert "đã thêm 3 ngày" in run(*call, cwd=folder).good().out
    lines = (folder / "2028.yaml").read_text("utf-8").splitlines()
    assert set(shipped_calendar_text("vn").splitlines()) <= set(lines)
    shown = run("calendar", "show", "--year", "2028", cwd=folder).good().out
    saturday = next(row for row in rows(shown) if row[0] == "05/02/2028")
    assert saturday[4:6] == ["07:30–11:30, 13:30–17:00", "CV 99/VPCP-KGVX, 01/10/2027"]


def test_the_collected_table_adds_nothing_to_the_shipped_calendar(folder: Path) -> None:
    configure(folder, "calendar: vn")
    (folder / "vn.yaml").write_text(shipped_calendar_text("vn"), encoding="utf-8")
    table = shared("../domain/calendar_vn_2022_2027.csv")
    done = run("calendar", "import", table, "--into", "vn.yaml", cwd=folder).good().out
    collected = len(table.read_text("utf-8").splitlines()) - 1
    assert f"vn.yaml: đã thêm 0 ngày, đã có {collected} ngày" in done
    assert (folder / "vn.yaml").read_text("utf-8") == shipped_calendar_text("vn")


def test_a_contradiction_is_refused_with_its_line_and_nothing_is_written(folder: Path) -> None:
    configure(folder, "calendar: vn")
    (folder / "own.yaml").write_text(OWN, encoding="utf-8")
    rows_ = "2028-01-03,off,Nghỉ,CV 1,\n2027-01-01,work,Làm bù,CV 1,\n"
    (folder / "bad.csv").write_text(f"date,kind,name,source,status\n{rows_}", encoding="utf-8")
    refused = run("calendar", "import", "bad.csv", "--into", "own.yaml", cwd=folder)
    assert refused.code == 2
    assert "bad.csv:3: 2027-01-01 is off in the calendar" in refused.err
    assert "Traceback" not in refused.err
    assert (folder / "own.yaml").read_text("utf-8") == OWN
