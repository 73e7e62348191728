"""The shipped Word template: made by tests.word_template, laid out by NĐ 30/2020/NĐ-CP Annex I, as python-docx reads it."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from docx import Document
from docx.document import Document as Word
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from tests.house.files import ROOT
from tests.word_template.letter import SECTIONS
from tests.word_template.order import ANNEXES, UPRIGHT
from tests.word_template.package import SHIPPED, packed, parts
from tthc_monitor.outputs.drawings import text_width
from tthc_monitor.outputs.report_fields import FIELDS, listed
from tthc_monitor.outputs.report_form import roman
from tthc_monitor.outputs.word_fields import shape_of
from tthc_monitor.outputs.word_template import open_template, require_fields

CENTRE, BOTH = ALIGN.CENTER, ALIGN.JUSTIFY
LAYOUT = {
    # style: (size, bold, italic, alignment), by the table of Annex I; the sample's sizes where it gives a range
    "Quốc hiệu": (12, True, None, CENTRE),
    "Tiêu ngữ": (13, True, None, CENTRE),
    "Cơ quan chủ quản": (12, None, None, CENTRE),
    "Cơ quan ban hành": (12, True, None, CENTRE),
    "Số, ký hiệu": (13, None, None, CENTRE),
    "Địa danh, thời gian": (13, None, True, CENTRE),
    "Tên loại": (14, True, None, CENTRE),
    "Trích yếu": (14, True, None, CENTRE),
    "Kính gửi": (14, None, None, CENTRE),
    "Căn cứ": (14, None, True, BOTH),
    "Nội dung": (14, None, None, BOTH),
    "Mục": (14, True, None, ALIGN.LEFT),
    "Khoản": (14, True, None, ALIGN.LEFT),
    "Chức vụ": (14, True, None, CENTRE),
    "Họ tên": (14, True, None, CENTRE),
    "Nơi nhận": (12, True, True, ALIGN.LEFT),
    "Nơi nhận, từng nơi": (11, None, None, ALIGN.LEFT),
    "Phụ lục": (14, True, None, CENTRE),
    "Tên phụ lục": (14, True, None, CENTRE),
    "Kèm theo": (14, None, True, CENTRE),
    "Số trang": (14, None, None, CENTRE),
}


@pytest.fixture(scope="module")
def word() -> Word:
    return Document(BytesIO(SHIPPED.read_bytes()))


def test_it_is_what_the_maker_makes() -> None:
    made, shipped = (open_template("bao-cao-thang.docx", content).parts for content in (packed(), SHIPPED.read_bytes()))
    assert made == shipped, "run: python -m tests.word_template"
    assert {name: content.encode() for name, content in parts().items()} == shipped


def test_it_asks_for_nothing_unknown_and_for_all_that_a_report_says() -> None:
    template = open_template("bao-cao-thang.docx", SHIPPED.read_bytes())
    require_fields(template, shape_of(FIELDS))
    unused = [field.name for field in FIELDS if not template.names(field.name)]
    assert not unused


@pytest.mark.parametrize("name", LAYOUT)
def test_each_component_has_its_letters(word: Word, name: str) -> None:
    size, bold, italic, align = LAYOUT[name]
    style = word.styles[name]
    assert (style.font.size, style.font.bold, style.font.italic) == (Pt(size), bold, italic)
    assert style.paragraph_format.alignment == align


def test_everything_is_black_times_new_roman(word: Word) -> None:
    defaults = word.styles.element.find(qn("w:docDefaults"))
    fonts = defaults.find(f".//{qn('w:rFonts')}")
    assert {fonts.get(qn(f"w:{kind}")) for kind in ("ascii", "hAnsi", "eastAsia", "cs")} == {"Times New Roman"}
    assert defaults.find(f".//{qn('w:color')}").get(qn("w:val")) == "000000"
    for part in ("word/document.xml", "word/header1.xml", "word/header2.xml"):
        assert "w:rFonts" not in parts()[part] and "w:color" not in parts()[part], part


def test_the_text_is_indented_and_spaced(word: Word) -> None:
    for name in ("Nội dung", "Căn cứ", "Mục", "Khoản"):
        form = word.styles[name].paragraph_format
        assert form.first_line_indent is not None and abs(form.first_line_indent - Mm(12.7)) < Mm(0.1)
        assert form.space_before is not None and form.space_before >= Pt(6)


def test_pages_are_a4_with_the_margins_of_the_decree(word: Word) -> None:
    assert len(word.sections) == 1 + len(ANNEXES)
    for number, section in enumerate(word.sections):
        wide = section.orientation == WD_ORIENT.LANDSCAPE
        assert wide == (number > 0 and ANNEXES[number - 1] not in UPRIGHT), "annexes of wide tables lie across"
        assert (section.page_width, section.page_height) == pytest.approx(
            (Mm(297), Mm(210)) if wide else (Mm(210), Mm(297)), abs=Mm(0.1)
        )
        for margin, least, most in (
            (section.top_margin, 20, 25),
            (section.bottom_margin, 20, 25),
            (section.left_margin, 30, 35),
            (section.right_margin, 15, 20),
        ):
            assert margin is not None and Mm(least - 0.1) <= margin <= Mm(most + 0.1)


def test_page_numbers_stand_in_the_top_margin_anew_for_each_annex_and_not_on_first_pages(word: Word) -> None:
    for section in word.sections:
        assert section.different_first_page_header_footer
        assert section._sectPr.find(qn("w:pgNumType")).get(qn("w:start")) == "1"
        assert section.header_distance is not None and section.header_distance < section.top_margin
        (numbered,) = section.header.paragraphs
        assert numbered.style is not None and numbered.style.name == "Số trang"
        assert " PAGE " in [node.text for node in numbered._p.iter(qn("w:instrText"))]
        assert not list(section.first_page_header._element.iter(qn("w:instrText")))


def test_the_head_of_the_paper(word: Word) -> None:
    head = word.tables[0]
    left, right = head.rows[0].cells
    assert [p.text for p in right.paragraphs][:2] == [
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
    ]
    assert [p.style.name for p in left.paragraphs if p.text.startswith("{{ ")] == [
        "Cơ quan chủ quản",
        "Cơ quan ban hành",
    ]
    assert "ke_ngang_co_quan" in left.text
    assert [cell.text for cell in head.rows[1].cells] == [
        "Số: {{ so_ky_hieu or '     /BC-' ~ viet_tat }}",
        "{{ dia_danh }}, ngày      {{ thang_nam_lap }}",
    ]


def test_the_rule_under_the_motto_is_as_long_as_the_motto(word: Word) -> None:
    (extent,) = (
        word.tables[0]
        .rows[0]
        .cells[1]
        ._tc.iter("{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}extent")
    )
    # 159.14 points: the advance widths of Times New Roman Bold, 13 points, added up by a font tool.
    assert int(extent.get("cx")) / 12_700 == pytest.approx(159.14, abs=0.1)
    assert text_width("Độc lập - Tự do - Hạnh phúc", 13) == pytest.approx(159.14, abs=0.1)


def test_each_annex_has_its_heading(word: Word) -> None:
    numbers = [p.text for p in word.paragraphs if p.style is not None and p.style.name == "Phụ lục"]
    assert numbers == [f"Phụ lục {roman(number)}" for number in range(1, len(ANNEXES) + 1)]
    titles = [p.text for p in word.paragraphs if p.style is not None and p.style.name == "Tên phụ lục"]
    assert len(titles) == len(ANNEXES) and all(title == title.upper() for title in titles)
    with_what = {p.text for p in word.paragraphs if p.style is not None and p.style.name == "Kèm theo"}
    assert with_what == {
        "(Kèm theo Báo cáo số {{ so_ky_hieu or '     /BC-' ~ viet_tat }} ngày      {{ thang_nam_lap }} của {{ ten_co_quan }})"
    }


def test_sections_are_roman_and_in_capitals(word: Word) -> None:
    titles = [p.text for p in word.paragraphs if p.style is not None and p.style.name == "Mục"]
    assert [title.split(". ")[0] for title in titles] == [roman(number) for number in range(1, len(SECTIONS) + 1)]
    assert all(title == title.upper() for title in titles)


def test_tables_repeat_their_heads_and_fit_the_page(word: Word) -> None:
    for table in word.tables:
        widths = [int(column.get(qn("w:w"))) for column in table._tbl.tblGrid.iter(qn("w:gridCol"))]
        assert sum(widths) <= round(252 * 1440 / 25.4) + len(widths)
        if table.style is not None and table.style.name == "Bảng kẻ":
            assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
        for row in table.rows:
            assert row._tr.trPr.find(qn("w:cantSplit")) is not None


def test_a_unit_of_the_form_stays_with_its_first_sector(word: Word) -> None:
    rows = next(table for table in word.tables if "Nhận giải quyết" in [cell.text for cell in table.rows[0].cells]).rows
    kept = [
        row for row in rows if all(p.paragraph_format.keep_with_next for cell in row.cells for p in cell.paragraphs)
    ]
    assert [row.cells[1].text for row in kept] == ["{{ don_vi.ten }}"]
    heads = [row for row in rows if row._tr.trPr.find(qn("w:tblHeader")) is not None]
    assert [cell.text for cell in heads[2].cells][3:5] == ["Trực tuyến", "Trực tiếp, dịch vụ bưu chính"]


def test_the_documents_list_every_field() -> None:
    page = (ROOT / "docs" / "mau-bao-cao.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([^`]+)` \| (.+) \|$", page.partition("## Các trường")[2], flags=re.MULTILINE)
    assert told == list(listed())
