"""Petitions: on time, late, unknown."""

from __future__ import annotations

from tests.word_template.markup import Column, each, paragraph, ranking, when

_COLUMNS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Đơn vị", 45, "ten", "BangChu"),
    Column("Tổng số", 16, "tong", "BangSo"),
    Column("Đã xử lý đúng hạn", 19, "da_dung_han", "BangSo"),
    Column("Đã xử lý chậm", 17, "da_cham", "BangSo"),
    Column("Đang xử lý, đã chậm", 18, "dang_cham", "BangSo"),
    Column("Chưa xác định", 16, "chua_ro", "BangSo"),
    Column("Tỷ lệ đúng hạn", 22, "ty_le_dung_han", "BangGiua"),
)


def section(number: str) -> str:
    """All together in a sentence."""
    return (
        paragraph("Muc", f"{number}. XỬ LÝ PHẢN ÁNH, KIẾN NGHỊ")
        + when(
            "co_pakn",
            paragraph(
                "NoiDung",
                "Trong kỳ có {{ pakn.tong }} phản ánh, kiến nghị: đã xử lý đúng hạn {{ pakn.da_dung_han }}, đã xử lý chậm "
                "{{ pakn.da_cham }}, đang xử lý trong hạn {{ pakn.dang_trong_han }}, đang xử lý đã chậm {{ pakn.dang_cham }}, chưa xác "
                "định {{ pakn.chua_ro }}. Tỷ lệ xử lý đúng hạn: {{ pakn.ty_le_dung_han }} (trên {{ pakn.mau_so }} phản ánh, kiến nghị).",
            ),
            each("dong", "ghi_chu_pakn", paragraph("GhiChu", "- {{ dong }}")),
        )
        + when("not co_pakn", paragraph("NoiDung", "Trong kỳ không có phản ánh, kiến nghị."))
    )


def details() -> str:
    """The ten units with most that are late."""
    return ranking("pakn_don_vi[:10]", "Phản ánh, kiến nghị theo đơn vị, chậm nhiều nhất trước", _COLUMNS)
