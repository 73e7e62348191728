"""``tthc-monitor procedures`` as people type it, on a database of its own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.end_to_end.program import run as run_program

HEADER = "Hình thức nộpThời gianPhí, lệ phíMô tả"


@pytest.fixture
def folder(tmp_path: Path, database_address: str) -> Path:
    (tmp_path / "tthc-monitor.yaml").write_text(
        f"database: {{url: {json.dumps(database_address)}}}\ncalendar: vn\ntime_limits: {{policy: {{cutoff: '15:00'}}}}\n",
        encoding="utf-8",
    )
    portal(tmp_path, "1.000001", "Trực tiếp3 Ngày làm việcMiễn phíTrực tuyến3 Ngày làm việcMiễn phí")
    return tmp_path


def portal(folder: Path, code: str, limits: str) -> None:
    rows = [
        {"ma_thu_tuc": code, "ten_thu_tuc": "Đăng ký khai sinh [lại]", "linh_vuc": "Hộ tịch",
         "so_quyet_dinh": "12/QĐ-BTP", "cach_thuc_thuc_hien": HEADER + limits},
        {"ma_thu_tuc": "1.000002", "ten_thu_tuc": "Cấp bản sao", "linh_vuc": "Hộ tịch",
         "cach_thuc_thuc_hien": HEADER + "Trực tiếp1Miễn phíTrực tuyến8 GiờMiễn phí"},
    ]  # fmt: skip
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "portal.jsonl").write_text(text, encoding="utf-8")


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    done = run_program("procedures", *arguments, cwd=folder, LC_ALL="C.UTF-8")
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    return done.out if code == 0 else done.err


def cells(output: str, first: str) -> list[str]:
    """Cells of the first table row that begins with a text."""
    for line in output.splitlines():
        parts = [part.strip() for part in line.strip("│┃ ").replace("┃", "│").split("│")]
        if parts[0] == first:
            return parts
    raise AssertionError(f"no row '{first}' in:\n{output}")


def test_a_catalogue_is_imported_listed_shown_and_changed(folder: Path) -> None:
    dry = run(folder, "import", "portal.jsonl", "--dry-run")
    assert "nothing was kept" in dry and cells(dry, "portal.jsonl")[3:5] == ["1", "1"]
    assert "no procedure found" in run(folder, "list")

    done = run(folder, "import", "portal.jsonl", "--by", "Văn thư", "--unread", "unread.csv")
    assert cells(done, "read: working_day") == ["read: working_day", "1", "1", "0", "0", "2"]
    assert cells(done, "not read, in all") == ["not read, in all", "1", "1", "0", "0", "2"]
    assert cells(done, "portal.jsonl") == ["portal.jsonl", "2", "2", "1", "1", "0", "0"]
    with (folder / "unread.csv").open(encoding="utf-8-sig", newline="") as file:
        unread = list(csv.DictReader(file))
    assert [(row["procedure_code"], row["channel"], row["reason"]) for row in unread] == [
        ("1.000002", "direct", "no_unit"), ("1.000002", "online", "hour_kind_unknown"),
    ]  # fmt: skip
    assert unread[0]["portal_text"] == "Trực tiếp1Miễn phí" and "đơn vị" in unread[0]["reason_text"]

    assert cells(run(folder, "list", "--search", "khai sinh"), "1.000001")[1:] == [
        "Đăng ký khai sinh [lại]", "Hộ tịch", "", "1",
    ]  # fmt: skip
    shown = run(folder, "show", "1.000001")
    assert shown.startswith("1.000001: Đăng ký khai sinh [lại]\n") and "Lĩnh vực: Hộ tịch" in shown
    row = cells(shown, "mọi hình thức")
    assert row[1:5] == ["mọi đơn vị", "3 ngày làm việc", "mọi thời gian", "Quyết định công bố 12/QĐ-BTP"]
    assert "15:00" in shown and "(mặc định)" in shown
    assert "Chưa có thời hạn" in run(folder, "show", "1.000002")

    again = run(folder, "import", "portal.jsonl")
    assert cells(again, "portal.jsonl")[4:] == ["0", "0", "1"]
    portal(folder, "1.000001", "Trực tiếp2 Ngày làm việcMiễn phí")
    changed = run(folder, "import", "portal.jsonl", "--valid-from", "2026-06-01", "--legal-basis", "QĐ 99")
    assert cells(changed, "portal.jsonl")[3:] == ["1", "2", "1", "0"]
    shown = run(folder, "show", "1.000001")
    assert "từ 01/06/2026" in shown and "đến hết 31/05/2026" in shown and "QĐ 99" in shown


def test_an_offices_own_file_prevails(folder: Path) -> None:
    (folder / "own.yaml").write_text(
        """defaults: {legal_basis: NQ 66.16/2026/NQ-CP}
limits:
  - {procedure_code: "1.000001", amount: 1, unit: working_day, valid_from: 2026-04-15, valid_to: 2027-03-01}
  - {procedure_code: "1.000001", unit_code: H15.99, amount: 3, unit: working_day, extra_working_days: 10}
  - {procedure_code: "9.999999", abolished: true, valid_from: 2026-07-01}
  - {procedure_code: "8.888888", unit: same_day, policy: {clock_model: pause, pauses: [financial_obligation]}}
""",
        encoding="utf-8",
    )
    done = run(folder, "import", "portal.jsonl", "own.yaml")
    assert cells(done, "own.yaml") == ["own.yaml", "3", "0", "4", "4", "0", "0"]
    shown = run(folder, "show", "1.000001")
    assert "từ 15/04/2026 đến hết 28/02/2027" in shown
    assert "đến hết 14/04/2026" in shown and "từ 01/03/2027" in shown
    assert "vùng khó khăn thêm 10 ngày làm việc" in shown and "H15.99" in shown
    assert "thủ tục đã bãi bỏ" in run(folder, "show", "9.999999")
    assert "trong ngày" in run(folder, "show", "8.888888")
    assert "nghĩa vụ tài chính" in run(folder, "show", "8.888888")


def test_what_is_wrong_is_told_and_nothing_is_kept(folder: Path) -> None:
    (folder / "bad.yaml").write_text(
        "limits:\n  - {procedure_code: 1.1, amount: 5}\n  - {unit: day}\n", encoding="utf-8"
    )
    told = run(folder, "import", "portal.jsonl", "bad.yaml", code=2)
    assert "bad.yaml:2: 'procedure_code' must stand in quotes" in told and "bad.yaml:3" in told
    assert "no procedure found" in run(folder, "list")
    assert "does not exist" in run(folder, "import", "none.xlsx", code=2)
    assert "--unread" in run(folder, "import", "portal.jsonl", "--unread", "none/unread.csv", code=2)
    assert "no procedure found" in run(folder, "list")
    assert "procedures list" in run(folder, "show", "1.000001", code=2)
