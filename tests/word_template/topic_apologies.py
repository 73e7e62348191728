"""Section about letters of apology."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.topic_blocks import listing

_UNITS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Đơn vị", 49, "ten", "BangChu"),
    Column("Phải xin lỗi", 16, "phai_xin_loi", "BangSo"),
    Column("Đúng thời hạn", 16, "dung_thoi_han", "BangSo"),
    Column("Chưa đủ thời gian", 17, "chua_du", "BangSo"),
    Column("Sau khi quá hạn", 16, "sau_han", "BangSo"),
    Column("Thiếu văn bản", 16, "thieu", "BangSo"),
    Column("Tỷ lệ đã xin lỗi", 20, "ty_le_da_xin_loi", "BangGiua"),
)


def section(number: str) -> str:
    """How many were owed, sent in time, late, missing; new dates."""
    return (
        paragraph("Muc", f"{number}. VĂN BẢN XIN LỖI, HẸN LẠI NGÀY TRẢ KẾT QUẢ")
        + when(
            "xin_loi_ap_dung",
            paragraph(
                "NoiDung",
                "Trong {{ xin_loi.qua_han }} hồ sơ quá hạn có {{ xin_loi.phai_xin_loi }} hồ sơ xác định được phải xin lỗi. Đã có văn bản "
                "xin lỗi {{ xin_loi.da_xin_loi }} hồ sơ ({{ xin_loi.ty_le_da_xin_loi }}), trong đó đúng thời hạn trước ngày hẹn trả "
                "{{ xin_loi.dung_thoi_han }} hồ sơ ({{ xin_loi.ty_le_dung_thoi_han }}), chưa đủ thời gian trước hạn {{ xin_loi.chua_du }} "
                "hồ sơ, sau khi đã quá hạn {{ xin_loi.sau_han }} hồ sơ. Thiếu văn bản xin lỗi {{ xin_loi.thieu }} hồ sơ. Chưa xác định "
                "được {{ xin_loi.chua_xac_dinh }} hồ sơ.",
            ),
            paragraph(
                "NoiDung",
                "Trong số hồ sơ quá hạn, {{ xin_loi.hen_lai_nhieu_lan }} hồ sơ hẹn lại quá một lần, {{ xin_loi.doi_hen_khong_xin_loi }} "
                "hồ sơ dời ngày hẹn trả mà không có văn bản xin lỗi.",
            ),
        )
        + when(
            "not xin_loi_ap_dung",
            paragraph("NoiDung", "Quy tắc về văn bản xin lỗi chưa được áp dụng, chưa có số liệu."),
        )
    )


def details() -> str:
    """By unit."""
    return (
        listing("Đơn vị có hồ sơ thiếu văn bản xin lỗi hoặc xin lỗi chậm", "xin_loi_don_vi", _UNITS)
        + when(
            "con_xin_loi_don_vi",
            paragraph("GhiChu", "Còn {{ con_xin_loi_don_vi }} đơn vị khác, trong bảng tính kèm theo."),
        )
        + paragraph("GhiChu", "Tỷ lệ tính trên số hồ sơ phải xin lỗi, không gồm hồ sơ chưa xác định được.")
    )
