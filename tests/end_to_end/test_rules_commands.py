"""``tthc-monitor rules`` and ``recompute`` as people type them, on a database of their own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.end_to_end.program import run as run_program
from tthc_monitor.settings import shipped_calendar_text

ROWS = """key,unit,procedure,received,due,finished,status
a,H99.01,1.000001,05/10/2026 08:00,15/10/2026 17:00,19/10/2026 09:00,9
b,H99.01,1.000001,05/10/2026 08:00,15/10/2026 17:00,15/10/2026 17:00,9
c,H99.02,1.000001,05/10/2026 08:00,15/10/2026 17:00,,4
"""
SETTINGS = """
calendar: vn
sources:
  - name: so
    kind: files
    options:
      path: so.csv
      zone: Asia/Ho_Chi_Minh
      columns:
        source_key: key
        code: key
        unit_code: unit
        procedure_code: procedure
        received_at: {column: received, format: "%d/%m/%Y %H:%M"}
        due_current: {column: due, format: "%d/%m/%Y %H:%M"}
        finished_at: {column: finished, format: "%d/%m/%Y %H:%M"}
        status: {column: status, lookup: {"4": 4, "9": 9}}
"""
LONGER = """
pack: own
rules:
  - code: due_soon
    kind: due_soon
    title: Sắp đến hạn (còn trong 16 giờ làm việc)
    severity: info
    legal_basis: quy định mẫu
    within_working_hours: 16
    examples:
      - story: Hẹn 17 giờ 00 thứ Năm.
        dossier: {received_at: "2026-10-05 08:00", due_current: "2026-10-15 17:00"}
        flagged: {since: "2026-10-13 16:00", until: "2026-10-15 17:00"}
"""


@pytest.fixture
def folder(tmp_path: Path, database_address: str) -> Path:
    (tmp_path / "so.csv").write_text(ROWS, encoding="utf-8")
    address = f"database: {{url: {json.dumps(database_address)}}}\n"
    (tmp_path / "tthc-monitor.yaml").write_text(address + SETTINGS, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    done = run_program(*arguments, cwd=folder, LC_ALL="C.UTF-8")
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    return done.out if code == 0 else done.err


def test_explain_whatif_and_recompute(folder: Path) -> None:
    assert "3 new" in run(folder, "pull")
    told = run(folder, "rules", "explain", "a")
    assert "ĐÃ KẾT THÚC, TRỄ HẠN 9 giờ làm việc" in told
    assert "sau hạn 9 giờ" in told and "[finished_late, cảnh báo]" in told
    then = json.loads(run(folder, "rules", "explain", "a", "--as-of", "2026-10-14T17:00:00+07:00", "--json"))
    assert then["verdict"] == "open_in_time" and then["late_working_seconds"] is None

    # Friday 16/10 off: one hour and a half of Monday and seven and a half of Friday were late before.
    vn = run(folder, "calendar", "show", "--year", "2026")
    assert "2026" in vn
    days = "date,kind,name,source,status\n2026-10-16,off,Nghỉ mẫu,CV mẫu,official\n"
    (folder / "mau.csv").write_text(days, encoding="utf-8")
    (folder / "lich.yaml").write_text(shipped_calendar_text("vn"), encoding="utf-8")
    run(folder, "calendar", "import", "mau.csv", "--into", "lich.yaml", "--by", "CV mẫu")
    tried = run(folder, "rules", "whatif", "--calendar", "lich.yaml", "--out", "khac.csv")
    assert "3 dossiers judged both ways: 0 verdicts and" in tried and "nothing was written" in tried
    with (folder / "khac.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["code"] for row in rows} <= {"a", "b", "c"} and {row["change"] for row in rows} == {"moved"}

    settings = (folder / "tthc-monitor.yaml").read_text("utf-8").replace("calendar: vn", "calendar: lich.yaml")
    (folder / "tthc-monitor.yaml").write_text(settings, encoding="utf-8")
    assert "give --by and --reason" in run(folder, "recompute", "--by", " ", "--reason", "x", code=2)
    done = run(folder, "recompute", "--by", "Người Mẫu", "--reason", "nghỉ theo CV mẫu")
    assert done.startswith("3 dossiers judged, ")
    assert "ĐÃ KẾT THÚC, TRỄ HẠN 1 giờ 30 phút làm việc" in run(folder, "rules", "explain", "a")
    assert "Thứ Sáu 16/10/2026: nghỉ – Nghỉ mẫu; căn cứ: CV mẫu" in run(folder, "rules", "explain", "a")


def test_a_rule_is_tried_before_it_is_in_force(folder: Path) -> None:
    run(folder, "pull")
    (folder / "own.yaml").write_text(LONGER, encoding="utf-8")
    tried = run(folder, "rules", "whatif", "--rule", "own.yaml")
    assert "0 verdicts and 3 findings would differ" in tried
    assert "nothing to try; give" in run(folder, "rules", "whatif", code=2)


def test_check_runs_the_examples_of_own_rules(folder: Path) -> None:
    settings = folder / "tthc-monitor.yaml"
    settings.write_text(settings.read_text("utf-8") + "rules: {packs: [core, own.yaml]}\n", encoding="utf-8")
    (folder / "own.yaml").write_text(LONGER, encoding="utf-8")
    assert "9 rules, all right" in run(folder, "check")
    (folder / "own.yaml").write_text(LONGER.replace("13 16:00", "13 15:59"), encoding="utf-8")
    said = run(folder, "check", code=2)
    assert "example 1 of rule 'due_soon': it starts_at is 2026-10-13 16:00" in said and "correct the example" in said
    (folder / "own.yaml").write_text(LONGER.replace("received_at", "recieved_at"), encoding="utf-8")
    assert "recieved_at: no such fact" in run(folder, "check", code=2)


def test_schemas_are_json_schemas_that_name_every_kind(folder: Path) -> None:
    schema = json.loads(run(folder, "rules", "schema"))
    assert schema["$defs"]["DueSoon"]["properties"]["within_working_hours"]["maximum"] == 400
    kinds = schema["properties"]["rules"]["items"]["discriminator"]["mapping"]
    listed = run(folder, "rules", "list", "--page")
    assert len(kinds) >= 40 and listed.startswith("# Danh mục quy tắc")
    assert "week" in json.loads(run(folder, "rules", "schema", "--of", "calendar"))["properties"]
