"""``tthc-monitor report issue|issued|erratum`` and ``published`` as people run them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import docx
import openpyxl
import pytest
from sqlalchemy import create_engine, text

from tests.end_to_end.program import run
from tests.end_to_end.test_cli import assert_one_message, folder
from tests.end_to_end.test_report_commands import HEAD, OPEN, REST, office

__all__ = ["folder", "office"]

MONTH = ("--period", "2026-01")
LATER = f"{HEAD}{OPEN.replace(',,', ',08/01/2026,')}{REST}3,06/01/2026,30/12/2026,,H99.02\n"


def issued(office: Path, *more: object, into: str = "ra") -> dict[str, bytes]:
    run("report", "issue", *MONTH, "--by", "Trần Thị B", "--out", into, *more, cwd=office).good()
    return contents(office / into)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tamper(database_address: str, statement: str) -> None:
    engine = create_engine(database_address.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))
    engine.dispose()


def test_what_was_issued_is_given_out_again_byte_for_byte(office: Path, database_address: str) -> None:
    assert "Chưa phát hành" in run("report", "issued", cwd=office).good().out
    first = issued(office, "--number", "05/BC-VPUB", "--format", "csv")
    assert {"bao-cao-tthc-2026-01.xlsx", "bao-cao-tthc-2026-01.docx"} < set(first)
    assert any(name.startswith("bao-cao-tthc-2026-01-csv/") for name in first)
    again = run("report", "issue", *MONTH, "--by", "Lê Văn C", "--out", "khac", cwd=office)
    assert_one_message(again, 2, "2026-01 for these units was issued by Trần Thị B on .*report erratum")
    assert not (office / "khac").exists()

    # A folder that cannot be written issues nothing, and none of the settings' formats is left out.
    (office / "tep").write_text("", encoding="utf-8")
    blocked = run("report", "issue", *MONTH, "--unit", "H99.01", "--by", "Lê Văn C", "--out", "tep/ra", cwd=office)
    assert_one_message(blocked, 7, "the folder tep/ra cannot be written")

    # Of another scope there may be another report; its figures are frozen already.
    issued(office, "--unit", "H99.01", "--format", "xlsx", into="rieng")
    (office / "ho-so.csv").write_text(LATER, encoding="utf-8")
    run("pull", cwd=office).good()
    asked = ("--format", "docx", "--format", "xlsx", "--format", "csv", "--out", "lai")
    ran = run("report", "monthly", *MONTH, *asked, cwd=office).good()
    assert contents(office / "lai") == first
    assert "Trần Thị B" in ran.err
    run(
        "report",
        "monthly",
        *MONTH,
        "--unit",
        "H99.01",
        "--format",
        "docx",
        "--format",
        "xlsx",
        "--out",
        "lai-rieng",
        cwd=office,
    ).good()
    assert contents(office / "lai-rieng") == contents(office / "rieng")

    # What is made anew, or was not issued, stands beside it under another name.
    (fresh,) = run("report", "monthly", *MONTH, "--anew", "--out", "lai", cwd=office).good().out.split()
    (other,) = run("report", "monthly", *MONTH, "--format", "json", "--out", "lai", cwd=office).good().out.split()
    assert "-lap-lai-" in fresh and fresh.endswith(".xlsx") and "-lap-lai-" in other and other.endswith(".json")
    assert contents(office / "lai").items() > first.items()
    told = json.loads((office / other).read_text(encoding="utf-8"))["issued"]
    assert (told["number"], told["is_this_report"], told["previous_digest"]) == ("05/BC-VPUB", False, "0" * 64)
    assert len(told["digest"]) == 64 and "by" not in told
    paper = docx.Document(str(office / "ra" / "bao-cao-tthc-2026-01.docx"))
    assert paper.tables[0].rows[1].cells[0].text == "Số: 05/BC-VPUB"
    said = "".join(p.text for p in paper.paragraphs)
    assert "Trần Thị B" not in said and "có thể không khớp" not in said

    told = run("report", "issued", "--verify", cwd=office).good().out
    assert "05/BC-VPUB" in told and "2 issued reports are as they were" in told
    assert "the ledger holds" in run("audit", "verify", cwd=office).good().out
    tamper(database_address, "UPDATE tthc.issued_files SET packed = packed || 'x' WHERE name LIKE '%.docx'")
    run("report", "monthly", *MONTH, "--out", "con", cwd=office).good()  # the workbook is what it was
    tamper(
        database_address,
        "UPDATE tthc.issued_files SET packed = (SELECT packed FROM tthc.issued_files "
        "WHERE issued_report_id = 2 AND name LIKE '%.xlsx') "
        "WHERE issued_report_id = 1 AND name LIKE '%.xlsx'",
    )
    wrong = run("report", "monthly", *MONTH, "--out", "sai", cwd=office)
    assert_one_message(
        wrong, 8, "bytes of bao-cao-tthc-2026-01.xlsx are not those that were issued; do not change anything"
    )
    assert not (office / "sai").exists()
    for command in (("report", "issued", "--verify"), ("audit", "verify")):
        found = run(*command, cwd=office)
        assert found.code == 8 and "are not those that were issued" in found.err
    tamper(database_address, "UPDATE tthc.issued_reports SET person = 'Lê Văn C' WHERE issued_report_id = 2")
    found = run("report", "issued", "--verify", cwd=office)
    assert "what is recorded of it, or the list of its files, was changed" in found.err


def test_the_erratum_tells_each_dossier_and_why(office: Path) -> None:
    assert_one_message(run("report", "erratum", *MONTH, cwd=office), 2, "2026-01 is not frozen.*report issue")
    issued(office, "--number", "05/BC-VPUB", "--format", "xlsx")
    told = run("report", "erratum", *MONTH, cwd=office).good().out.splitlines()
    assert told[-1] == "Không có đính chính." and any("Báo cáo số 05/BC-VPUB" in line for line in told)
    (office / "ho-so.csv").write_text(LATER, encoding="utf-8")
    run("pull", cwd=office).good()
    told = run("report", "erratum", *MONTH, cwd=office).good().out
    assert "Dữ liệu về muộn" in told and "Thời điểm kết thúc được ghi sau khi chốt" in told
    (book,) = run("report", "erratum", *MONTH, "--out", "dinh-chinh.xlsx", cwd=office).good().out.split()
    sheets = openpyxl.load_workbook(office / book).worksheets
    rows = list(sheets[0].iter_rows(min_row=5, max_row=6, values_only=True))
    assert {row[1] for row in rows} == {"1", "3"}
    heads = [cell for sheet in sheets for cell in next(sheet.iter_rows(min_row=4, max_row=4, values_only=True))]
    assert "Nguyên nhân" in heads and not {"Mã nguyên nhân", "Mã chỉ tiêu"} & set(heads)
    written = run("report", "erratum", *MONTH, "--out", "csv", "--format", "csv", cwd=office).good().out.split()
    assert [Path(name).name for name in written] == ["erratum.csv", "erratum-figures.csv"]
    with (office / "csv" / "erratum.csv").open(encoding="utf-8-sig", newline="") as file:
        causes = {row["code"]: row["causes"] for row in csv.DictReader(file)}
    assert causes == {"1": "end_told_late", "3": "seen_late"}
    only = run("report", "erratum", *MONTH, "--unit", "H99.01", cwd=office).good().out
    assert "Dữ liệu về muộn" not in only


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--period", "2059-01", "--by", "B"), "2059-01 has not ended"),
        ((*MONTH, "--by", " "), "issued by somebody; give the name with --by"),
        ((*MONTH, "--by", "B", "--unit", "H99.77"), "H99.77"),
        ((*MONTH, "--by", "B", "--format", "odt"), "--format odt is none of"),
    ],
)
def test_what_cannot_be_issued_leaves_nothing(office: Path, arguments: tuple[str, ...], message: str) -> None:
    assert_one_message(run("report", "issue", *arguments, "--out", "ra", cwd=office), 2, message)
    assert not (office / "ra").exists()
    assert "Chưa phát hành" in run("report", "issued", cwd=office).good().out
    assert_one_message(run("report", "errata", *MONTH, cwd=office), 2, "is not frozen")


def test_published_figures_are_imported_listed_and_reconciled(office: Path) -> None:
    assert "Chưa nhập" in run("published", "list", cwd=office).good().out
    run("published", "template", "--out", "mau.csv", cwd=office).good()
    assert_one_message(run("published", "template", "--out", "mau.csv", cwd=office), 2, "is there already")
    named = ("--source", "Cổng DVCQG", "--by", "Trần Thị B", *MONTH)
    wrong = "unit_code,total_received,total_overdue\nH99.01,1,\nH99.02,nhiều,0\n"
    (office / "sai.csv").write_text(wrong, encoding="utf-8")
    assert_one_message(
        run("published", "import", "sai.csv", *named, cwd=office), 2, "sai.csv:3: total_received 'nhiều'"
    )
    assert "Chưa nhập" in run("published", "list", cwd=office).good().out

    (office / "so.csv").write_text(
        "Mã đơn vị;Tổng số hồ sơ;Đúng hạn;Quá hạn;Người lập\nH99.01;1;0;1;x\nH99.02;3;1;1;y\nH99.88;2;2;0;z\n",
        encoding="utf-8",
    )
    done = run("published", "import", "so.csv", *named, cwd=office).good()
    first, second = done.out.splitlines()
    assert first == "so.csv: 3 rows of 2026-01, version 1"
    assert second.startswith("đơn vị không có trong danh mục: H99.88 (1 dòng vẫn được giữ để đối soát")
    assert "columns not read: Người lập" in done.err
    assert "total_received 3 is not total_on_time 1 + total_overdue 1" in done.err
    rows = [{"departmentCode": "H99.02", "totalReceived": 1, "totalOnTime": 1, "totalOverdue": 0, "ratio": 100.0}]
    answer = {"code": "OK", "data": {"overview": {"totalReceived": 1}, "evaluation": rows}}
    (office / "tra-loi.json").write_text(json.dumps(answer), encoding="utf-8")
    done = run("published", "import", "tra-loi.json", *named, "--series", "cổng 2026", cwd=office).good()
    assert done.out == "tra-loi.json: 1 rows of 2026-01, version 2\n"
    listed = run("published", "list", cwd=office).good().out
    assert "tháng dương lịch" in listed and "calendar_month" not in listed
    assert "so.csv" in listed and "tra-loi.json" in listed and "cổng 2026" in listed

    run("report", "monthly", *MONTH, "--format", "csv", "--out", "ra", cwd=office).good()
    path = office / "ra" / "bao-cao-tthc-2026-01-csv" / "reconciliation.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        compared = {(row["unit_code"], row["figure"]): row for row in csv.DictReader(file)}
    assert compared["H99.02", "total_received"]["remark"] == "Khớp"
    assert compared["H99.01", "total_received"]["remark"] == "Chỉ có trong hệ thống này"
