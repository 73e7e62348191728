"""The report itself: letterhead, sections, signature and recipients."""

from __future__ import annotations

from collections.abc import Callable

from tests.word_template import (
    topic_apologies,
    topic_causes,
    topic_focus,
    topic_heads,
    topic_indices,
    topic_integrity,
    topic_petitions,
    topic_proposals,
    topic_reconciliation,
    topic_returns,
    topic_shortenable,
)
from tests.word_template.details import reference
from tests.word_template.markup import cell, each, end_of_section, mm, paragraph, row, table, when
from tests.word_template.own_sections import sectors, totals, units
from tthc_monitor.outputs.drawings import rule, text_width
from tthc_monitor.outputs.report_form import roman

_MOTTO = "Độc lập - Tự do - Hạnh phúc"
_LEFT, _RIGHT = mm(65), mm(100)
SECTIONS: tuple[Callable[[str], str], ...] = (
    totals,
    lambda number: units(number) + topic_heads.part(),
    lambda number: sectors(number) + topic_focus.part(),
    topic_returns.section,
    topic_causes.section,
    topic_apologies.section,
    topic_integrity.section,
    topic_reconciliation.section,
    topic_petitions.section,
    topic_shortenable.section,
    topic_indices.section,
    topic_proposals.section,
)
"""The sections in their order; each is given its number."""


def letter() -> str:
    """The portrait pages, with the end of their section."""
    return "".join(
        (
            _head(),
            _opening(),
            *(section(roman(1 + place)) + reference(place) for place, section in enumerate(SECTIONS)),
            _closing(),
            _signature(),
            end_of_section(landscape=False),
        )
    )


def _ruled_under(field: str) -> str:
    return paragraph("KeNgang", f"{{{{r {field} }}}}")


def _head() -> str:
    motto_rule = str(rule(text_width(_MOTTO, 13), "Kẻ dưới tiêu ngữ"))
    office = (
        when("co_quan_chu_quan", paragraph("ChuQuan", "{{ co_quan_chu_quan }}"))
        + paragraph("CoQuan", "{{ co_quan }}")
        + _ruled_under("ke_ngang_co_quan")
    )
    country = (
        paragraph("QuocHieu", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
        + paragraph("TieuNgu", _MOTTO)
        + paragraph("KeNgang").replace("</w:pPr>", f"</w:pPr>{motto_rule}")
    )
    number = paragraph("SoKyHieu", "Số: {{ so_ky_hieu or '     /BC-' ~ viet_tat }}")
    place = paragraph("DiaDanh", "{{ dia_danh }}, ngày      {{ thang_nam_lap }}")
    rows = [
        row([cell(_LEFT, office, top=True), cell(_RIGHT, country, top=True)]),
        row([cell(_LEFT, number, top=True), cell(_RIGHT, place, top=True)]),
    ]
    return (
        table([_LEFT, _RIGHT], rows, ruled=False)
        + paragraph("TenLoai", "BÁO CÁO")
        + paragraph("TrichYeu", "{{ trich_yeu }}")
        + _ruled_under("ke_ngang_trich_yeu")
        + when("kinh_gui|length == 1", paragraph("KinhGui", "Kính gửi: {{ kinh_gui[0] }}"))
        + when(
            "kinh_gui|length > 1",
            paragraph("KinhGui", "Kính gửi:"),
            each("noi", "kinh_gui", paragraph("KinhGuiDong", "- {{ noi }}{{ '.' if loop.last else ';' }}")),
        )
    )


def _opening() -> str:
    return (
        each("dong", "can_cu", paragraph("CanCu", "{{ dong }}"))
        + paragraph(
            "NoiDung",
            "{{ ten_co_quan }} báo cáo tình hình, kết quả giải quyết thủ tục hành chính (TTHC) {{ ky }} (từ ngày "
            "{{ tu_ngay }} đến ngày {{ den_ngay }}) như sau:",
        )
        + when(
            "chua_het_ky",
            paragraph("NoiDung", "Kỳ báo cáo chưa kết thúc, số liệu tính đến {{ so_lieu_den }}.", bold=True),
        )
        + when("pham_vi", paragraph("NoiDung", "Phạm vi báo cáo: {{ pham_vi }}."))
        + when(
            "nguon_so_lieu",
            paragraph("NoiDung", "Nguồn số liệu: {{ nguon_so_lieu|join('; ') }}; trích xuất lúc {{ trich_xuat_luc }}."),
        )
        + when("da_chot", paragraph("NoiDung", "{{ da_chot }}."))
    )


def _closing() -> str:
    return paragraph(
        "KetThuc",
        "Trên đây là báo cáo tình hình, kết quả giải quyết thủ tục hành chính {{ ky }} của {{ ten_co_quan }}./.",
    )


def _signature() -> str:
    left = paragraph("NoiNhan", "Nơi nhận:") + each("dong", "noi_nhan", paragraph("NoiNhanDong", "- {{ dong }}"))
    right = (
        each("dong", "ky_thay", paragraph("ChucVu", "{{ dong }}"))
        + paragraph("ChucVu", "{{ chuc_vu }}")
        + paragraph("HoTen") * 4
        + paragraph("HoTen", "{{ nguoi_ky }}")
    )
    half = [mm(80), mm(85)]
    return paragraph("ChucVu") + table(
        half, [row([cell(half[0], left, top=True), cell(half[1], right, top=True)])], ruled=False
    )
