"""The monthly report of a known world as a Word document, read back by python-docx."""

from __future__ import annotations

import re
import subprocess
import zipfile
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from docx import Document
from docx.document import Document as Word
from docx.table import Table
from sqlalchemy import Engine

from tests.postgres.seed import Dossier, at, seed
from tests.postgres.test_report import NOVEMBER, report_of
from tests.word_template.order import ANNEXES, annex_number
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.domain.periods import nd09_month
from tthc_monitor.outputs import report_words, wording
from tthc_monitor.outputs.pdf import write_pdf
from tthc_monitor.outputs.report import IssuedPaper, MonthlyReport
from tthc_monitor.outputs.report_columns import COUNTS, form_columns
from tthc_monitor.outputs.report_docx import load_template, shipped_template, write_document
from tthc_monitor.outputs.report_fields import CHARTS, FIELDS
from tthc_monitor.outputs.report_form import NOTES, roman
from tthc_monitor.outputs.report_own_tables import report_tables
from tthc_monitor.outputs.report_tables import Table as ReportTable
from tthc_monitor.outputs.word_fields import Field
from tthc_monitor.report_settings import ReportSettings, SignerSettings
from tthc_monitor.store.frozen import freeze

OFFICE = ReportSettings(
    office="Trung tâm Phục vụ hành chính công Tỉnh Mẫu",
    superior="Ủy ban nhân dân Tỉnh Mẫu",
    abbreviation="TTPVHCC",
    place="Tỉnh Mẫu",
    addressees=("Văn phòng Ủy ban nhân dân Tỉnh Mẫu",),
    bases=("Căn cứ Nghị định A", "Căn cứ Quyết định B;"),
    signer=SignerSettings(on_behalf=("TL. Chủ tịch", "KT. Giám đốc"), title="Phó Giám đốc", name="Nguyễn Văn A"),
    recipients=("Các sở, ban, ngành",),
    filed="HCC",
)


@pytest.fixture(scope="module")
def world(engine_of_module: Engine) -> Engine:
    with engine_of_module.begin() as connection:
        seed(connection)
    return engine_of_module


def written(report: MonthlyReport, folder: Path, office: ReportSettings = OFFICE) -> Word:
    path = write_document(report, office, load_template(office, folder), folder / "ra" / "bao-cao.docx")
    return Document(str(path))


def lines(document: Word) -> list[str]:
    """Every paragraph that a reader sees, tables and all."""
    inside = [p.text for table in document.tables for row in table.rows for cell in row.cells for p in cell.paragraphs]
    return [text for text in [p.text for p in document.paragraphs] + inside if text]


def table_with(document: Word, title: str) -> Table:
    return next(table for table in document.tables if title in [cell.text for cell in table.rows[0].cells])


def rows_of(table: Table, head: int = 1) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows[head:]]


def form_of(document: Word) -> list[list[str]]:
    return rows_of(table_with(document, "Lĩnh vực, công việc giải quyết theo cấp"), 4)


def test_the_paper_says_whose_it_is_and_leaves_number_day_and_signature_blank(world: Engine, tmp_path: Path) -> None:
    document = written(report_of(world), tmp_path)
    left, right = document.tables[0].rows[0].cells
    assert [p.text for p in left.paragraphs if p.text] == [
        "ỦY\u00a0BAN\u00a0NHÂN\u00a0DÂN TỈNH MẪU",
        "TRUNG TÂM PHỤC VỤ HÀNH\u00a0CHÍNH\u00a0CÔNG TỈNH MẪU",
    ]
    assert right.paragraphs[1].text == "Độc lập - Tự do - Hạnh phúc"
    assert [cell.text for cell in document.tables[0].rows[1].cells] == [
        "Số:      /BC-TTPVHCC",
        "Tỉnh Mẫu, ngày      tháng 11 năm 2026",
    ]
    found = [p.text for p in document.paragraphs if p.text]
    assert found[:5] == [
        "BÁO CÁO",
        "Tình hình, kết quả giải quyết thủ tục hành chính tháng 10 năm 2026",
        "Kính gửi: Văn phòng Ủy ban nhân dân Tỉnh Mẫu",
        "Căn cứ Nghị định A;",
        "Căn cứ Quyết định B.",
    ]
    closing = next(text for text in found if text.startswith("Trên đây"))
    assert closing.endswith("./.")
    copies, signed = next(one for one in document.tables if "Nơi nhận:" in one.rows[0].cells[0].text).rows[0].cells
    assert [p.text for p in copies.paragraphs] == [
        "Nơi nhận:",
        "- Như trên;",
        "- Các sở, ban, ngành;",
        "- Lưu: VT, HCC.",
    ]
    assert [p.text for p in signed.paragraphs if p.text] == [
        "TL. CHỦ TỊCH",
        "KT. GIÁM ĐỐC",
        "PHÓ GIÁM ĐỐC",
        "Nguyễn Văn A",
    ]
    assert "(Kèm theo Báo cáo số      /BC-TTPVHCC ngày      tháng 11 năm 2026 của" in "\n".join(found)


def test_what_the_settings_leave_out_is_not_there(world: Engine, tmp_path: Path) -> None:
    document = written(report_of(world), tmp_path, ReportSettings(office="Sở Y tế"))
    found = lines(document)
    assert not [text for text in found if "Kính gửi" in text or "Như trên" in text or "{" in text]
    assert [p.text for p in document.tables[0].rows[0].cells[0].paragraphs if p.text] == ["SỞ Y TẾ"]
    assert "- Lưu: VT." in found and "……………, ngày      tháng 11 năm 2026" in found
    two = written(report_of(world), tmp_path, OFFICE.model_copy(update={"addressees": ("A", "B")}))
    at_first = lines(two).index("Kính gửi:")
    assert lines(two)[at_first : at_first + 3] == ["Kính gửi:", "- A;", "- B."]


def test_every_count_of_the_report_stands_in_its_tables(world: Engine, tmp_path: Path) -> None:
    report = report_of(world)
    document = written(report, tmp_path)
    form = form_of(document)
    total = form_columns(report.figures).sum()
    assert form[-1][1:] == ["TỔNG CỘNG", *(wording.number(int(total[number])) for number in range(3, 16))]
    assert next(row for row in form if row[1] == "Sở Xây dựng") == [
        "I", "Sở Xây dựng", "11", "9", "1", "1", "4", "1", "1", "1", "7", "5", "1", "1", "1",
    ]  # fmt: skip
    sums = [[int(cell) for cell in row[2:]] for row in form if row[0].isdigit()]
    assert [sum(column) for column in zip(*sums, strict=True)] == [int(total[number]) for number in range(3, 16)]

    units = rows_of(table_with(document, "Mã đơn vị"))
    assert [(row[1], row[3]) for row in units] == [
        ("Sở Xây dựng", "2"), ("Sở Y tế", "2"), ("Chưa rõ đơn vị", "1"), ("Phường Mẫu Một", "0"), ("Xã Mẫu Hai", "0"),
    ]  # fmt: skip
    assert units[0][4:] == ["3", "1", "66,67\u00a0%", "6", "1", "83,33\u00a0%", "2"]
    assert units[4][6] == units[4][9] == "không có dữ liệu"

    delayed = rows_of(table_with(document, "Ngày hẹn trả"))
    assert [row[3] for row in delayed] == list(report.delayed["code"])
    assert delayed[0][5:9] == ["08:00 20/09/2026", "17:00 12/10/2026", "08:00 16/10/2026", "4"]
    sent_back = rows_of(table_with(document, "Hình thức"))
    assert [(row[1], row[5], row[8]) for row in sent_back] == [
        ("H99.02-261012-0002", "Yêu cầu bổ sung", "Đang chờ"),
        ("H99.02-261013-0003", "Yêu cầu bổ sung", ""),
    ]
    procedures = rows_of(table_with(document, "Tên thủ tục"))
    assert [(row[1], row[3:]) for row in procedures] == [
        ("1.000003", ["2", "1", "1"]), ("", ["1", "0", "1"]), ("1.000001", ["1", "0", "1"]), ("1.000002", ["1", "1", "0"]),
    ]  # fmt: skip
    compared = rows_of(table_with(document, "Kỳ trước"))
    # Nobody watched September in this world, and of last year there is nothing at all.
    assert compared[0] == ["Tiếp nhận mới trong kỳ", "15", "2", "không so sánh được"]
    assert compared[6] == [
        "Tỷ lệ giải quyết đúng hạn",
        "50,00\N{NO-BREAK SPACE}%",
        "0,00\N{NO-BREAK SPACE}%",
        "không so sánh được",
    ]


def test_the_annex_of_details_repeats_nothing_and_each_section_refers_to_it_once(world: Engine, tmp_path: Path) -> None:
    report = report_of(world)
    few = written(report, tmp_path)
    tables = [p.text for p in few.paragraphs if p.style is not None and p.style.name == "Tên bảng"]
    assert tables.count("Thủ tục có nhiều hồ sơ quá hạn nhất") == 1, "all four stand in the letter"
    assert tables.count("Lĩnh vực có nhiều hồ sơ quá hạn nhất") == 1
    many = pd.concat(
        [report.delayed.assign(procedure_code=f"2.{number:06d}", procedure=f"Thủ tục {number}") for number in range(6)]
    )
    found = written(replace(report, delayed=many), tmp_path)
    tables = [p.text for p in found.paragraphs if p.style is not None and p.style.name == "Tên bảng"]
    assert tables.count("Thủ tục có nhiều hồ sơ quá hạn nhất") == 2
    reference = f"Phụ lục {annex_number('details')}"
    said: dict[str, int] = {}
    for one in found.paragraphs:
        if one.style is not None and one.style.name == "Mục":
            section = one.text
        elif one.style is not None and one.style.name == "Phụ lục":
            break
        elif reference in re.findall(r"Phụ lục [IVX]+", one.text):
            said[section] = said.get(section, 0) + 1
    assert set(said.values()) == {1}


def test_the_sentences_hold_every_number_and_nothing_else(world: Engine, tmp_path: Path) -> None:
    """Counts that nothing else is made of: whatever number of four digits or more is written must be one of their sums."""
    report = report_of(world)
    counts = {name: 1_000_003 + 10_007 * place for place, name in enumerate(COUNTS)}
    figures = report.figures.head(1).assign(**counts)
    total = pd.concat([pd.Series(counts), report.total.drop(list(COUNTS))])
    made = replace(report, figures=figures, figures_before=figures.head(0), total=total)
    found = {
        int(number.replace(".", ""))
        for text in lines(written(made, tmp_path))
        for number in re.findall(r"(?<![\d,./-])\d{1,3}(?:\.\d{3})+(?![\d/-])", text)
    }
    c = counts
    columns = form_columns(figures).iloc[0]
    expected = {int(value) for value in columns}
    expected |= {c["received_online"] + c["received_direct"], int(columns[8] + columns[9] + columns[10])}
    expected |= {int(columns[12] + columns[13]), int(columns[10] + columns[13])}
    assert found == expected


def test_the_document_and_the_workbook_give_the_same_form(world: Engine, tmp_path: Path) -> None:
    from tthc_monitor.outputs.report_xlsx import write_report

    for report in (report_of(world), report_of(world, NOVEMBER), report_of(world, units=["H99.02"])):
        sheet = openpyxl.load_workbook(write_report(report, tmp_path / "r.xlsx"))["II.06a"]
        book = [
            [str(value or 0) if place > 1 else str(value or "") for place, value in enumerate(row)]
            for row in sheet.iter_rows(min_row=11, values_only=True)
        ]
        book = book[: next(place for place, row in enumerate(book) if row[1] == "TỔNG CỘNG") + 1]
        assert form_of(written(report, tmp_path)) == book


def test_the_checks_the_notes_and_the_seal_are_printed(world: Engine, tmp_path: Path) -> None:
    report = report_of(world)
    found = lines(written(report, tmp_path))
    assert "(3) = (7) + (11): 17 và 17 – ĐẠT" in found
    assert all(f"{number}. {note}" in found for number, note in enumerate(NOTES, start=1))
    assert any(text.startswith("Mã niêm phong sổ cái (mắt xích số 1") for text in found)
    broken = replace(report, checks=tuple(replace(check, right=1, failing_rows=2) for check in report.checks))
    assert "(3) = (7) + (11): 17 và 1 – KHÔNG ĐẠT (2 dòng)" in lines(written(broken, tmp_path))


def test_a_period_that_goes_on_and_a_choice_of_units_say_so(world: Engine, tmp_path: Path) -> None:
    found = lines(written(report_of(world, NOVEMBER), tmp_path))
    assert "Kỳ báo cáo chưa kết thúc, số liệu tính đến 10 giờ 00 ngày 03/11/2026." in found
    assert not [text for text in found if text.startswith("Phạm vi")]
    found = lines(written(report_of(world, units=["H99.02", "H99.04"]), tmp_path))
    assert "Phạm vi báo cáo: Sở Y tế; Xã Mẫu Hai." in found
    assert not [text for text in found if "chưa kết thúc, số liệu" in text]


def test_an_empty_store_gives_a_document_that_says_there_is_nothing(engine: Engine, tmp_path: Path) -> None:
    document = written(report_of(engine), tmp_path)
    found = lines(document)
    assert found.count("Trong kỳ không có hồ sơ quá hạn.") == 3
    assert any("Tỷ lệ tiếp nhận trực tuyến: không có dữ liệu (trên 0 hồ sơ tiếp nhận mới)" in text for text in found)
    assert rows_of(table_with(document, "Ngày hẹn trả"))[0][0] == "Không có."
    assert form_of(document)[-1] == ["", "TỔNG CỘNG", *["0"] * 13]
    titles = [p.text for p in document.paragraphs if p.style is not None and p.style.name == "Tên bảng" and p.text]
    assert not [title for title in titles if "nhiều" in title or "rút ngắn" in title], "no heading over nothing"
    with zipfile.ZipFile(tmp_path / "ra" / "bao-cao.docx") as archive:
        assert not [name for name in archive.namelist() if "chart" in name]


def test_an_issued_paper_bears_its_number_and_the_month_in_which_it_is_made(world: Engine, tmp_path: Path) -> None:
    made = replace(
        report_of(world), made_at=at("2026-12-02"), paper=IssuedPaper("05/BC-VPUB", at("2026-12-02"), "0" * 64)
    )
    document = written(made, tmp_path)
    assert [cell.text for cell in document.tables[0].rows[1].cells] == [
        "Số: 05/BC-VPUB",
        "Tỉnh Mẫu, ngày      tháng 12 năm 2026",
    ]
    assert "(Kèm theo Báo cáo số 05/BC-VPUB ngày      tháng 12 năm 2026 của" in "\n".join(lines(document))
    # One that is made anew beside it is not that paper.
    assert made.paper is not None
    anew = written(replace(made, paper=replace(made.paper, digest="ab" * 32)), tmp_path)
    assert anew.tables[0].rows[1].cells[0].text == "Số:      /BC-TTPVHCC"


def test_two_different_reports_have_two_titles(world: Engine) -> None:
    whole = "Tình hình, kết quả giải quyết thủ tục hành chính"
    decree = " (từ ngày 15/09/2026 đến ngày 14/10/2026)"
    for report, title in (
        (report_of(world), f"{whole} tháng 10 năm 2026"),
        (report_of(world, nd09_month("2026-10", "Asia/Ho_Chi_Minh")), f"{whole} tháng 10 năm 2026{decree}"),
        (report_of(world, units=["H99.02"]), f"{whole} tháng 10 năm 2026 của Sở Y tế"),
        (report_of(world, units=["H99.02", "H99.04"]), f"{whole} tháng 10 năm 2026 của 02 đơn vị"),
    ):
        assert report_words.report_words(report, OFFICE, tables_of(report))["trich_yeu"] == title


def test_errata_of_a_frozen_period_make_an_annex(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        seed(connection)
        freeze(connection, report_of(engine).period, "Trần Thị B", report_of(engine).as_of + timedelta(days=2))
    assert "V. ĐÍNH" not in "".join(lines(written(report_of(engine), tmp_path)))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tthc.dossiers SET channel = 'direct' WHERE code = 'H99.01-261001-0001'")
    report = report_of(engine)
    assert len(report.errata) == 2
    document = written(report, tmp_path)
    assert len(document.sections) == 1 + len(ANNEXES)
    rows = rows_of(table_with(document, "Số đã chốt"))
    assert [(row[1], row[5:]) for row in rows] == [("Sở Xây dựng", ["7", "6", "-1"]), ("Sở Xây dựng", ["0", "1", "+1"])]
    found = lines(document)
    assert [
        text for text in found if "Số liệu đã chốt lúc" in text and not text.endswith("giữ nguyên số đã chốt.")
    ] == ["Số liệu đã chốt lúc 00 giờ 00 ngày 03/11/2026."]
    assert "Trần Thị B" not in "".join(found)
    late = int(report.total["finished_late"] + report.total["pending_overdue"])
    said = f"Hồ sơ quá hạn: {late} hồ sơ theo số liệu đã chốt; danh sách, nguyên nhân theo dữ liệu hiện có gồm {late} hồ sơ"
    assert len([text for text in found if text.startswith(said)]) == 1
    quiet = "".join(lines(written(replace(report, errata=()), tmp_path)))
    assert "dữ liệu hiện có gồm" not in quiet and "có thể không khớp" not in quiet and "đính chính" not in quiet.lower()
    assert len(written(replace(report, errata=()), tmp_path).sections) == len(ANNEXES)


@pytest.mark.parametrize("name", ['<Sở> & "bạn"', "{{ so.tong }} %} {%p endfor %}", "a\x01b\u202e\n\ud800", "=1+1"])
def test_names_of_a_source_are_only_text(engine: Engine, tmp_path: Path, name: str) -> None:
    report = report_of(engine)
    with engine.begin() as connection:
        seed(connection, [Dossier("X-1", "H99.01", "1.000001", at("2026-10-01"), at("2026-10-05"))])
    report = report_of(engine)
    named = {"unit_name": name, "sector_name": name}
    report = replace(
        report,
        figures=report.figures.assign(**named),
        units=report.units.assign(unit_name=name),
        sectors=report.sectors.assign(sector_name=name),
        delayed=report.delayed.assign(code=name, unit_name=name, sector=name, procedure=name),
    )
    office = OFFICE.model_copy(update={"office": name, "addressees": (name,), "recipients": (name,)})
    document = written(report, tmp_path, office)
    shown = name.replace("\x01", "�").replace("\ud800", "�").replace("\n", " ")
    assert table_with(document, "Ngày hẹn trả").rows[1].cells[3].text == shown
    assert form_of(document)[0][1] == shown
    assert any(shown.upper() == text for text in lines(document))
    assert document.core_properties.author == shown


def keys(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {field.name: keys(field.fields) if field.fields else None for field in fields}


def tables_of(report: MonthlyReport) -> dict[str, ReportTable]:
    return {table.key: table for table in report_tables(report)}


def held(value: Any, wanted: Any) -> bool:
    if wanted is None:
        return not isinstance(value, dict)
    values = value if isinstance(value, list) else [value]
    return all(one.keys() == wanted.keys() and all(held(one[name], wanted[name]) for name in wanted) for one in values)


def test_every_listed_field_has_a_value_and_no_other(world: Engine) -> None:
    for report in (report_of(world), report_of(world, NOVEMBER)):
        values = report_words.report_words(report, OFFICE, tables_of(report))
        assert held({**values, **dict.fromkeys(CHARTS, "")}, keys(FIELDS))
        assert values["ho_so_qua_han"] and values["tra_lai"] and values["bieu"][0]["linh_vuc"]


def test_the_same_report_gives_the_same_bytes(world: Engine, tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        written(report_of(world), folder)
        made.append((folder / "ra" / "bao-cao.docx").read_bytes())
    assert made[0] == made[1]


def test_shares_of_what_is_late_add_up(world: Engine) -> None:
    report = report_of(world)
    values = report_words.report_words(report, OFFICE, tables_of(report))
    assert sum(row["ty_trong"] for row in values["don_vi"]) == Decimal(100)
    assert sum(row["qua_han"] for row in values["don_vi"]) == values["so"]["qua_han"] == 5


def test_a_list_that_is_too_long_says_how_many_more(
    world: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_words, "MAX_ROWS", 2)
    document = written(report_of(world), tmp_path)
    assert len(rows_of(table_with(document, "Ngày hẹn trả"))) == 2
    assert "Còn 3 hồ sơ khác, xem danh sách đầy đủ trong bảng tính kèm theo." in lines(document)


def test_the_chart_is_native_and_holds_the_figures(world: Engine, tmp_path: Path) -> None:
    written(report_of(world), tmp_path)
    with zipfile.ZipFile(tmp_path / "ra" / "bao-cao.docx") as archive:
        chart = archive.read("word/charts/bieu_do_don_vi.xml").decode()
        (tmp_path / "chart.xlsx").write_bytes(archive.read("word/embeddings/bieu_do_don_vi.xlsx"))
    assert re.findall(r"<c:v>([^<]+)</c:v>", chart) == [
        *("Đã giải quyết quá hạn", "Sở Xây dựng", "Sở Y tế", "Chưa rõ đơn vị", "1", "1", "0"),
        *("Đang giải quyết quá hạn", "Sở Xây dựng", "Sở Y tế", "Chưa rõ đơn vị", "1", "1", "1"),
    ]
    sheet = openpyxl.load_workbook(tmp_path / "chart.xlsx").active
    assert sheet is not None and [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == [
        "Sở Xây dựng",
        "Sở Y tế",
        "Chưa rõ đơn vị",
    ]


def test_the_trend_is_a_native_line_chart_of_twelve_months(world: Engine, tmp_path: Path) -> None:
    report = report_of(world)
    written(report, tmp_path)
    with zipfile.ZipFile(tmp_path / "ra" / "bao-cao.docx") as archive:
        chart = archive.read("word/charts/bieu_do_xu_huong.xml").decode()
        assert {"bieu_do_don_vi", "bieu_do_nguyen_nhan"} <= {Path(name).stem for name in archive.namelist()}
    trend = tables_of(report)["trend"]
    assert trend.chart is not None and len(trend.rows) == 12
    labels = re.findall(r"<c:cat>.*?</c:cat>", chart)
    assert '<c:smooth val="0"/>' in chart and '<c:dispBlanksAs val="gap"/>' in chart, "no month is drawn as 0"
    assert "<c:lineChart>" in chart and len(labels) == len(trend.chart.values)
    assert re.findall(r"<c:v>([^<]+)</c:v>", labels[0]) == list(trend.rows["month"])


def test_an_office_template_that_asks_for_the_unknown_writes_nothing(world: Engine, tmp_path: Path) -> None:
    document = Document(str(_saved(tmp_path)))
    next(p for p in document.paragraphs if "so.tong" in p.text).text = "Tổng {{ so.tong_so }} hồ sơ"
    document.save(str(tmp_path / "rieng.docx"))
    office = OFFICE.model_copy(update={"template": "rieng.docx"})
    with pytest.raises(
        ConfigError, match=r"rieng\.docx:\d+: unknown field 'so\.tong_so'.*“Tổng \{\{ so\.tong_so \}\} hồ sơ”"
    ):
        written(report_of(world), tmp_path, office)
    assert not (tmp_path / "ra").exists()
    with pytest.raises(ConfigError, match=r"report\.template .*khong-co\.docx cannot be read"):
        load_template(OFFICE.model_copy(update={"template": "khong-co.docx"}), tmp_path)


def test_an_office_edits_the_shipped_template_in_a_word_processor(world: Engine, tmp_path: Path) -> None:
    document = Document(str(_saved(tmp_path)))
    document.paragraphs[0].runs[0].text = "BÁO CÁO NHANH"
    table = table_with(document, "Ngày hẹn trả")
    for row in table.rows[1:4:2]:
        row.cells[0].paragraphs[0].style = document.styles["Biểu, chữ"]
    document.save(str(tmp_path / "rieng.docx"))
    made = written(report_of(world), tmp_path, OFFICE.model_copy(update={"template": "rieng.docx"}))
    assert made.paragraphs[0].text == "BÁO CÁO NHANH"
    assert len(rows_of(table_with(made, "Ngày hẹn trả"))) == 5


def _saved(folder: Path) -> Path:
    path = folder / "mau.docx"
    path.write_bytes(shipped_template())
    return path


# -- PDF ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def converted(world: Engine, tmp_path: Path) -> Path:
    report = report_of(world)
    written(report, tmp_path)
    return write_pdf(tmp_path / "ra" / "bao-cao.docx", tmp_path / "bao-cao.pdf", report.as_of)


def test_libreoffice_makes_a_pdf_with_the_pages_numbered_as_the_decree_wants(converted: Path) -> None:
    # soffice and lowriter come with LibreOffice Writer; pdftotext reads what they made.
    said = subprocess.run(["pdftotext", "-layout", converted, "-"], check=True, capture_output=True, text=True).stdout
    pages = said.removesuffix("\f").split("\f")
    tops = [page.strip().splitlines()[0].strip() for page in pages]
    assert tops[0].startswith("ỦY BAN NHÂN DÂN TỈNH MẪU") and tops[1] == "2"
    annexes = [place for place, top in enumerate(tops) if top.startswith("Phụ lục")]
    assert [tops[place] for place in annexes] == [f"Phụ lục {roman(number)}" for number in range(1, len(ANNEXES))]
    assert all(tops[place] == "2" for place in range(annexes[0] + 1, annexes[1])), "numbered anew"


def test_the_same_document_gives_the_same_pdf(converted: Path, world: Engine) -> None:
    again = write_pdf(converted.parent / "ra" / "bao-cao.docx", converted.with_name("lai.pdf"), report_of(world).as_of)
    assert again.read_bytes() == converted.read_bytes()
    said = subprocess.run(["pdfinfo", "-isodates", again], check=True, capture_output=True, text=True).stdout
    assert re.search(r"CreationDate:\s+2026-10-31T17:00:00Z", said), said


def test_a_converter_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "soffice"
    fake.write_text('#!/bin/sh\necho $$ >"$(dirname "$0")/pid"\nsleep 600 & wait\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(DeliveryError, match=r"had not converted a\.docx after 1 seconds; choose"):
        write_pdf(tmp_path / "a.docx", tmp_path / "a.pdf", at("2026-11-01"), longest=1)
    group = (tmp_path / "bin" / "pid").read_text().strip()
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if process_group == group and state != "Z":
            alive.append(stat)
    assert not alive and not (tmp_path / "a.pdf").exists()


@pytest.mark.parametrize("found", [True, False])
def test_no_libreoffice_or_one_without_writer_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    (tmp_path / "bin").mkdir()
    if found:
        (tmp_path / "bin" / "soffice").write_text("#!/bin/sh\necho 'Error: source file could not be loaded'\n")
        (tmp_path / "bin" / "soffice").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ConfigError, match=r"libreoffice-writer.*or choose the formats docx and xlsx only"):
        write_pdf(tmp_path / "a.docx", tmp_path / "a.pdf", at("2026-11-01"))
