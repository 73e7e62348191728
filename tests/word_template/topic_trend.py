"""The twelve months that end with the period."""

from __future__ import annotations

from tests.word_template.markup import Column, each, paragraph, ranking, when

_COLUMNS = (
    Column("Tháng", 20, "thang", "BangGiua"),
    Column("Tiếp nhận mới", 24, "moi", "BangSo"),
    Column("Đã giải quyết", 24, "da_giai_quyet", "BangSo"),
    Column("Quá hạn", 22, "da_qua_han", "BangSo"),
    Column("Tỷ lệ đúng hạn", 25, "ty_le_dung_han", "BangGiua"),
    Column("Đang giải quyết cuối tháng", 24, "dang_giai_quyet", "BangSo"),
    Column("Quá hạn", 22, "dang_qua_han", "BangSo"),
)


def section(number: str) -> str:
    """The sentence about the best and the worst month, the chart, and what breaks the series."""
    return (
        paragraph("Khoan", f"{number}. Xu hướng 12 tháng")
        + when("cau_xu_huong", paragraph("NoiDung", "{{ cau_xu_huong }}"))
        + paragraph("TenBang", "{{p bieu_do_xu_huong }}")
        + each("dong", "ghi_chu_xu_huong", paragraph("GhiChu", "- {{ dong }}"))
    )


def details() -> str:
    """Month by month."""
    return ranking("xu_huong", "Xu hướng 12 tháng", _COLUMNS)
