"""``tthc-monitor report`` as people run it: freeze, errata, and the report as a document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from docx import Document

from tests.end_to_end.program import run
from tests.end_to_end.test_cli import CSV_SOURCE, assert_one_message, configure, folder

__all__ = ["folder"]

HEAD = "ma,nhan,hen,xong,don_vi\n"
OPEN = "1,02/01/2026,09/01/2026,,H99.01\n"
REST = "2,05/01/2026,26/01/2026,,H99.02\n"


@pytest.fixture
def office(folder: Path, database_address: str) -> Path:
    """An office with two dossiers of January 2026, one of them overdue."""
    columns = '        finished_at: {column: xong, format: "%d/%m/%Y"}\n        unit_code: don_vi\n'
    configure(folder, CSV_SOURCE + columns, f"database: {{url: '{database_address}'}}")
    (folder / "ho-so.csv").write_text(HEAD + OPEN + REST, encoding="utf-8")
    assert "2 new" in run("pull", cwd=folder).good().out
    return folder


def test_a_month_is_frozen_once_and_its_errata_are_told_by_unit(office: Path) -> None:
    month = ("--period", "2026-01")
    assert_one_message(run("report", "errata", *month, cwd=office), 2, "2026-01 is not frozen.*report freeze")
    done = run("report", "freeze", *month, "--by", "Trần Thị B", cwd=office).good()
    assert done.out == "2026-01 (01/01/2026 – 31/01/2026): 2 rows frozen\n"
    assert_one_message(
        run("report", "freeze", *month, "--by", "Lê Văn C", cwd=office), 2, "was frozen by Trần Thị B on 20"
    )
    told = run("report", "errata", *month, cwd=office).good().out.splitlines()
    assert told[0].startswith("Kỳ báo cáo tháng 01 năm 2026 (từ ngày 01/01/2026 đến ngày 31/01/2026), số liệu đã chốt")
    assert told[0].endswith("(người chốt: Trần Thị B)") and told[1:] == ["Không có đính chính."]

    # The source now claims an end in January, and shows a dossier that it did not show before.
    (office / "ho-so.csv").write_text(
        f"{HEAD}{OPEN.replace(',,', ',08/01/2026,')}{REST}3,06/01/2026,30/12/2026,,H99.02\n", encoding="utf-8"
    )
    run("pull", cwd=office).good()
    table = run("report", "errata", *month, cwd=office).good().out
    rows = [[cell.strip() for cell in line.split("│")] for line in table.splitlines() if "Hồ sơ TTHC" in line]
    found = {(row[1], row[5], *row[6:9]) for row in rows}
    assert ("H99.01", "(13) Đang giải quyết: quá hạn", "1", "0", "-1") in found, table
    assert ("H99.02", "(5) Nhận trong kỳ: trực tiếp, dịch vụ bưu chính", "1", "2", "+1") in found, table
    assert ("H99.02", "(12) Đang giải quyết: trong hạn", "0", "1", "+1") in found, table
    assert len(found) == len(rows) == 4, table

    path = run("report", "monthly", *month, "--out", office / "ra", cwd=office).good().out.strip()
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[-1] == "Đính chính"
    total = next(row for row in book["II.06a"].iter_rows(values_only=True) if row[1] == "TỔNG CỘNG")
    assert total[2] == 2, "the figure of the freezing"


@pytest.mark.parametrize("kind", ["calendar", "nd09"])
def test_a_month_that_goes_on_is_not_frozen(office: Path, kind: str) -> None:
    now = datetime.now(UTC)
    month = f"{now.year + 1}-{now.month:02d}"
    ran = run("report", "freeze", "--period", month, "--by", "B", "--kind", kind, cwd=office)
    assert_one_message(ran, 2, f"{month} has not ended; freeze it after {now.year + 1}-")
    assert_one_message(run("report", "freeze", "--period", "2026-01", "--by", " ", cwd=office), 2, "give the name with")


# -- the document ---------------------------------------------------------------------------------------------------


def test_the_report_is_written_in_the_formats_that_are_asked_for(office: Path) -> None:
    month = ("--period", "2026-01", "--out", office / "ra")
    (book,) = run("report", "monthly", *month, cwd=office).good().out.split()
    assert book.endswith("ra/bao-cao-tthc-2026-01.xlsx")
    written = run("report", "monthly", *month, "--format", "all", cwd=office).good().out.split()
    names = [f"bao-cao-tthc-2026-01{kind}" for kind in (".docx", ".xlsx", "-csv", ".json", ".pdf")]
    assert [Path(name).name for name in written] == names
    assert (office / "ra" / names[2] / "delayed.csv").read_bytes().startswith(b"\xef\xbb\xbfunit,")
    assert json.loads((office / "ra" / names[3]).read_bytes())["period"]["name"] == "2026-01"
    assert (office / "ra" / "bao-cao-tthc-2026-01.pdf").read_bytes().startswith(b"%PDF-")
    text = [p.text for p in Document(str(office / "ra" / "bao-cao-tthc-2026-01.docx")).paragraphs]
    assert "Tình hình, kết quả giải quyết thủ tục hành chính tháng 01 năm 2026" in text
    assert sorted(path.name for path in (office / "ra").iterdir()) == sorted(Path(name).name for name in written)

    twice = run("report", "monthly", *month, "--format", "json", "--format", "csv", cwd=office).good().out.split()
    assert [Path(name).name for name in twice] == names[2:4]

    without = run("report", "monthly", *month, "--format", "pdf", cwd=office, PATH=str(office))
    assert_one_message(without, 2, "there is no soffice on the PATH; install it .*libreoffice-writer")


def test_a_report_is_of_any_period_and_of_units_as_they_were_or_are(office: Path) -> None:
    asked = ("report", "monthly", "--out", "ra", "--unit", "H99.01", "--period")
    written = [
        run(*asked, *more, cwd=office).good().out.strip()
        for more in (("2026-Q1",), ("2026-H1", "--kind", "nd09"), ("2026", "--no-subtree", "--units-as", "now"))
    ]
    assert written == [
        "ra/bao-cao-tthc-2026-Q1-H99.01.xlsx",
        "ra/bao-cao-tthc-nd09-2026-H1-H99.01.xlsx",
        "ra/bao-cao-tthc-don-vi-hien-nay-rieng-2026-H99.01.xlsx",
    ]
    form = openpyxl.load_workbook(office / written[1])["II.06a"]
    assert form["A3"].value == "Kỳ báo cáo: 06 tháng đầu năm 2026 (Từ ngày 15/12/2025 đến ngày 14/06/2026)"
    assert_one_message(
        run(*asked, "2026-Q5", cwd=office), 2, "'2026-Q5' is not a report period; .* a quarter as 2026-Q4"
    )
    assert_one_message(run(*asked, "2026-01", "--unit", "H98", cwd=office), 2, "no source has named a unit 'H98'")
    frozen = run("report", "freeze", "--period", "2026-Q1", "--by", "Trần Thị B", cwd=office).good().out
    assert frozen == "2026-Q1 (01/01/2026 – 31/03/2026): 2 rows frozen\n"
    told = run("report", "errata", "--period", "2026-Q1", cwd=office).good().out
    assert told.startswith("Kỳ báo cáo quý I năm 2026 (từ ngày 01/01/2026 đến ngày 31/03/2026), số liệu đã chốt")


def test_an_office_makes_a_template_of_its_own(office: Path) -> None:
    configuration = (office / "tthc-monitor.yaml").read_text(encoding="utf-8")
    run("report", "template", "--out", "mau.docx", cwd=office).good()
    assert_one_message(run("report", "template", "--out", "mau.docx", cwd=office), 2, "mau.docx is there already")
    assert_one_message(run("report", "template", "--out", "mau.doc", cwd=office), 2, "give one that ends in .docx")
    document = Document(str(office / "mau.docx"))
    document.paragraphs[0].text = "BÁO CÁO NHANH {{ kyy }}"
    document.save(str(office / "mau.docx"))
    own = f"{configuration}\nreport: {{template: mau.docx, office: Sở Y tế, formats: [docx]}}\n"
    (office / "tthc-monitor.yaml").write_text(own, encoding="utf-8")
    monthly = ("report", "monthly", "--period", "2026-01", "--format", "docx", "--out", "ra")
    for command in (("check",), monthly):
        said = run(*command, cwd=office)
        assert_one_message(
            said, 2, r"mau\.docx:\d+: unknown field 'kyy' \(did you mean 'ky'\?\) in the paragraph “BÁO CÁO NHANH"
        )
    assert not (office / "ra").exists()
    document.paragraphs[0].text = "BÁO CÁO NHANH {{ ky }}"
    document.save(str(office / "mau.docx"))
    run("check", cwd=office).good()
    (path,) = run(*monthly, cwd=office).good().out.split()
    assert Document(str(office / path)).paragraphs[0].text == "BÁO CÁO NHANH tháng 01 năm 2026"


def test_the_fields_of_a_template_are_listed(office: Path) -> None:
    told = run("report", "fields", cwd=office).good().out
    assert "so.ty_le_dung_han" in told and "ho_so_qua_han[].ma" in told
