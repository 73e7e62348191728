"""Limits that could be shorter, and the steps that eat the time."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.topic_blocks import listing

_LIMITS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Thủ tục hành chính", 43, "thu_tuc", "BangChu"),
    Column("Thời hạn hiện hành", 28, "thoi_han", "BangChu"),
    Column("90\N{NO-BREAK SPACE}% dùng đến (ngày)", 17, "p90", "BangSo"),
    Column("Đề xuất (ngày)", 15, "de_xuat", "BangSo"),
    Column("Giảm mỗi hồ sơ", 15, "giam", "BangSo"),
    Column("Số hồ sơ đã đo", 18, "so_ho_so", "BangSo"),
    Column("Giảm một năm (ngày)", 20, "giam_nam", "BangSo"),
)
_STEPS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Thủ tục hành chính", 41, "thu_tuc", "BangChu"),
    Column("Bước", 28, "buoc", "BangChu"),
    Column("Tỷ trọng", 18, "ty_trong", "BangGiua"),
    Column("Một nửa dùng đến (ngày)", 17, "p50", "BangSo"),
    Column("90\N{NO-BREAK SPACE}% dùng đến (ngày)", 17, "p90", "BangSo"),
    Column("Lâu nhất", 35, "lau_nhat", "BangChu"),
)


def section(number: str) -> str:
    """The section."""
    return (
        paragraph("Muc", f"{number}. THỜI HẠN CÓ THỂ RÚT NGẮN, KHÂU CHIẾM NHIỀU THỜI GIAN")
        + paragraph("Khoan", "1. Thời hạn giải quyết có thể rút ngắn")
        + when(
            "so_thoi_han_rut_ngan",
            paragraph(
                "NoiDung",
                "Có {{ so_thoi_han_rut_ngan }} thủ tục mà 90\N{NO-BREAK SPACE}% số hồ sơ dùng dưới {{ nguong_rut_ngan }} thời gian được phép (xét thủ tục "
                "có từ {{ so_ho_so_toi_thieu }} hồ sơ); nếu rút ngắn, mỗi năm giảm khoảng {{ tong_ngay_tiet_kiem }} ngày làm việc.",
            ),
            listing("Thời hạn có thể rút ngắn, giảm được nhiều nhất", "thoi_han_rut_ngan[:5]", _LIMITS),
        )
        + when("not so_thoi_han_rut_ngan", paragraph("NoiDung", "Không có."))
        + paragraph("Khoan", "2. Các bước chiếm nhiều thời gian")
        + when(
            "buoc_xu_ly",
            paragraph(
                "NoiDung",
                "Đã xác định được các bước chiếm nhiều thời gian làm việc nhất của những thủ tục tốn nhiều thời gian nhất.",
            ),
        )
        + when("not buoc_xu_ly", paragraph("NoiDung", "Không có dữ liệu về các bước xử lý."))
    )


def details() -> str:
    """All limits that the list has, and the steps."""
    return (
        when("so_thoi_han_rut_ngan > 5", listing("Thời hạn có thể rút ngắn", "thoi_han_rut_ngan", _LIMITS))
        + when(
            "con_thoi_han_rut_ngan",
            paragraph(
                "GhiChu",
                "Còn {{ con_thoi_han_rut_ngan }} thủ tục khác, xem danh sách đầy đủ trong bảng tính kèm theo.",
            ),
        )
        + listing("Các bước chiếm nhiều thời gian làm việc nhất", "buoc_xu_ly", _STEPS)
    )
