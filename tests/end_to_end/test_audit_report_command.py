"""``tthc-monitor audit report`` as people run it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from tests.end_to_end.program import run_in_terminal
from tests.end_to_end.test_cli import CSV_SOURCE, assert_one_message, configure, folder, run

__all__ = ["folder"]

HEAD = "ma,nhan,hen,xong,don_vi\n"
CLOSED = "".join(f"{n},05/01/2026 08:00,09/02/2026 17:00,30/01/2026 16:59,H99.05\n" for n in range(30))
OPEN = "x,05/01/2026 08:00,09/02/2026 17:00,,H99.01\n"


@pytest.fixture
def office(folder: Path, database_address: str) -> Path:
    """An office that closed thirty dossiers at one minute, on the last working day of January 2026."""
    source = CSV_SOURCE.replace('"%d/%m/%Y"', '"%d/%m/%Y %H:%M"')
    columns = '        finished_at: {column: xong, format: "%d/%m/%Y %H:%M"}\n        unit_code: don_vi\n'
    configure(folder, source + columns, f"database: {{url: '{database_address}'}}")
    (folder / "ho-so.csv").write_text(HEAD + CLOSED + OPEN, encoding="utf-8")
    assert "31 new" in run("pull", cwd=folder).good().out
    return folder


def test_the_report_is_told_on_the_terminal_and_written_as_asked(office: Path) -> None:
    month = ("audit", "report", "--period", "2026-01")
    told = run(*month, "--out", "dau-hieu.xlsx", cwd=office).good().out
    assert told.startswith("Dấu hiệu cần kiểm tra, tháng 01 năm 2026")
    assert "H99.05" in told and "30" in told and "H99.01" not in told
    assert "SELECT * FROM audit.tell_tale_dossiers WHERE month = '2026-01-01'" in told
    assert told.splitlines()[-1] == "dau-hieu.xlsx"
    assert told.splitlines()[-2].startswith("Mã niêm phong sổ cái (mắt xích số 1, ngày ")
    assert openpyxl.load_workbook(office / "dau-hieu.xlsx")["Hồ sơ"].max_row == 34
    told = run(*month, "--unit", "H99.01", "--out", "dau-hieu.csv", cwd=office).good().out
    assert "Không có." in told and "WHERE month = '2026-01-01' AND unit_code IN ('H99.01')\n" in told
    assert told.splitlines()[-2:] == ["dau-hieu.csv", "dau-hieu-ho-so.csv"]


def test_a_month_of_which_nothing_is_known_is_not_passed_off_as_one_without_signs(office: Path) -> None:
    for month in ("2025-12", "2060-01"):
        told = run("audit", "report", "--period", month, cwd=office).good().out
        assert "Chưa có dữ liệu của tháng này." in told and "Không có." not in told


def test_a_narrow_terminal_gets_lines_and_a_wide_one_the_table(office: Path) -> None:
    def seen(columns: int) -> str:
        return run_in_terminal("audit", "report", "--period", "2026-01", cwd=office, columns=columns).good().out

    assert "H99.05: Kết thúc hàng loạt cuối kỳ: 30" in seen(100) and "┃" not in seen(100)
    assert "┃" in seen(200)


def test_what_cannot_be_asked_is_told_with_what_to_do(office: Path) -> None:
    assert_one_message(run("audit", "report", "--period", "2026", cwd=office), 2, "is not a month; write it as YYYY-MM")
    assert_one_message(
        run("audit", "report", "--period", "2026-01", "--unit", "H99.77", cwd=office), 2, "no source has named a unit"
    )
    assert_one_message(
        run("audit", "report", "--period", "2026-01", "--out", "a.pdf", cwd=office), 2, "neither .xlsx nor .csv; choose"
    )
