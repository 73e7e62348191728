"""Section about signs to be checked: neutral words, no accusation."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.topic_blocks import listing

_SIGNS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Dấu hiệu cần kiểm tra", 110, "ten", "BangChu"),
    Column("Số hồ sơ", 22, "so", "BangSo"),
    Column("Số đơn vị", 22, "so_don_vi", "BangSo"),
)
_UNITS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Đơn vị", 46, "ten", "BangChu"),
    Column("Số hồ sơ", 18, "so", "BangSo"),
    Column("Dấu hiệu, số hồ sơ", 90, "dau_hieu", "BangChu"),
)


def section(number: str) -> str:
    """Signs by rule and by unit."""
    return (
        paragraph("Muc", f"{number}. DẤU HIỆU CẦN KIỂM TRA")
        + when(
            "dau_hieu",
            paragraph(
                "NoiDung",
                "Theo {{ dau_hieu_ap_dung }} quy tắc đang áp dụng, trong kỳ có {{ dau_hieu_so }} hồ sơ của {{ dau_hieu_so_don_vi }} đơn "
                "vị có dấu hiệu cần kiểm tra. Dấu hiệu do phần mềm phát hiện, chỉ hỗ trợ kiểm tra, không thay kết luận, không phải "
                "kết luận vi phạm; lỗi phần mềm, đồng bộ chậm hoặc lý do hợp pháp có thể giải thích. Đề nghị các đơn vị tự kiểm tra, "
                "báo cáo.",
            ),
            when(
                "dau_hieu_so",
                listing("Dấu hiệu cần kiểm tra có nhiều hồ sơ nhất", "dau_hieu[:10]", _SIGNS),
            ),
        )
        + when(
            "dau_hieu_ap_dung and not dau_hieu",
            paragraph(
                "NoiDung",
                "Theo {{ dau_hieu_ap_dung }} quy tắc đang áp dụng, trong kỳ không có hồ sơ có dấu hiệu cần kiểm tra.",
            ),
        )
        + when("not dau_hieu_ap_dung", paragraph("NoiDung", "Chưa áp dụng quy tắc về dấu hiệu cần kiểm tra."))
    )


def details() -> str:
    """By unit."""
    return (
        listing("Đơn vị có nhiều hồ sơ cần kiểm tra nhất", "dau_hieu_don_vi", _UNITS)
        + when(
            "con_dau_hieu_don_vi",
            paragraph("GhiChu", "Còn {{ con_dau_hieu_don_vi }} đơn vị khác, trong bảng tính kèm theo."),
        )
        + paragraph(
            "GhiChu",
            "Hồ sơ có nhiều dấu hiệu được tính ở từng dấu hiệu, một lần trong số hồ sơ của đơn vị và tổng số.",
        )
    )
