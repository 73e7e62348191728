"""The period beside the one before and the same of last year."""

from __future__ import annotations

from tests.word_template.markup import Column, each, paragraph, ranking, when

_COLUMNS = (
    Column("Chỉ tiêu", 51, "chi_tieu", "BangChu"),
    Column("Kỳ này", 21, "ky_nay", "BangSo"),
    Column("Kỳ trước", 21, "ky_truoc", "BangSo"),
    Column("Tăng, giảm", 24, "tang_giam", "BangSo"),
    Column("Cùng kỳ năm trước", 21, "cung_ky", "BangSo"),
    Column("Tăng, giảm", 24, "tang_giam_cung_ky", "BangSo"),
)
_WITHOUT_LAST_YEAR = (
    Column("Chỉ tiêu", 69, "chi_tieu", "BangChu"),
    *(Column(one.title, 32, one.field, one.style) for one in _COLUMNS[1:4]),
)


def section(number: str) -> str:
    """The paragraph with its table; nothing is compared with a period without data, and that is said in it."""
    return (
        paragraph("Khoan", f"{number}. So với kỳ trước, cùng kỳ năm trước")
        + when(
            "not co_ky_truoc and not co_cung_ky",
            paragraph("NoiDung", "Kỳ trước và cùng kỳ năm trước không có dữ liệu để so sánh."),
        )
        + when("co_cung_ky", ranking("so_sanh", "So với {{ ten_ky_truoc }} và {{ ten_cung_ky }}", _COLUMNS))
        + when("not co_cung_ky", ranking("so_sanh", "So với {{ ten_ky_truoc }}", _WITHOUT_LAST_YEAR))
        + each("dong", "ghi_chu_so_sanh", paragraph("GhiChu", "- {{ dong }}"))
    )
