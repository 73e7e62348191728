"""The period beside the one before and the same of last year."""

from __future__ import annotations

<<<<<<< HEAD
from tests.word_template.markup import Column, each, paragraph, ranking
=======
from tests.word_template.annexes import Column
from tests.word_template.blocks import each, listing, when
from tests.word_template.markup import paragraph
>>>>>>> b1b8080520798e72ccd98790a1ff5b99a1446f24

_COLUMNS = (
    Column("Chỉ tiêu", 51, "chi_tieu", "BangChu"),
    Column("Kỳ này", 21, "ky_nay", "BangSo"),
    Column("Kỳ trước", 21, "ky_truoc", "BangSo"),
    Column("Tăng, giảm", 24, "tang_giam", "BangSo"),
    Column("Cùng kỳ năm trước", 21, "cung_ky", "BangSo"),
    Column("Tăng, giảm", 24, "tang_giam_cung_ky", "BangSo"),
)


def section(number: str) -> str:
    """The paragraph with its table; nothing is compared with a period without data, and that is said in it."""
    return (
        paragraph("Khoan", f"{number}. So với kỳ trước, cùng kỳ năm trước")
<<<<<<< HEAD
        + ranking("so_sanh", "So với {{ ten_ky_truoc }} và {{ ten_cung_ky }}", _COLUMNS)
=======
        + when(
            "not co_ky_truoc and not co_cung_ky",
            paragraph("NoiDung", "Kỳ trước và cùng kỳ năm trước không có dữ liệu để so sánh."),
        )
        + listing("so_sanh", "So với {{ ten_ky_truoc }} và {{ ten_cung_ky }}", _COLUMNS)
>>>>>>> b1b8080520798e72ccd98790a1ff5b99a1446f24
        + each("dong", "ghi_chu_so_sanh", paragraph("NoiDung", "- {{ dong }}"))
    )
