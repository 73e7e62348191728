"""The progress score of index 766 beside the official rate."""

from __future__ import annotations

from tests.word_template.markup import Column, each, paragraph, ranking, when

_COLUMNS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Đơn vị", 46, "ten", "BangChu"),
    Column("Tiếp nhận, xử lý", 21, "tiep_nhan", "BangSo"),
    Column("Đúng hạn (766)", 20, "dung_han", "BangSo"),
    Column("Tỷ lệ (766)", 21, "ty_le", "BangGiua"),
    Column("Điểm tiến độ", 18, "diem", "BangGiua"),
    Column("Tỷ lệ đúng hạn Biểu II.06a", 27, "ty_le_dung_han", "BangGiua"),
)


def section(number: str) -> str:
    """The score of all together, and why it is not the official rate."""
    return (
        paragraph("Khoan", f"{number}. Điểm tiến độ giải quyết theo Bộ chỉ số 766")
        + when(
            "co_diem_766",
            paragraph(
                "NoiDung",
                "Điểm tiến độ: {{ diem_766.diem }}/20,00 (đúng hạn {{ diem_766.dung_han }} trên {{ diem_766.tiep_nhan }} hồ sơ tiếp "
                "nhận, xử lý trong kỳ, đạt {{ diem_766.ty_le }}). Tỷ lệ giải quyết đúng hạn theo Biểu II.06a: "
                "{{ diem_766.ty_le_dung_han }}.",
            ),
            when(
                "diem_766.chua_ro",
                paragraph(
                    "NoiDung",
                    "Chưa xác định được {{ diem_766.chua_ro }} hồ sơ; điểm cao nhất có thể: {{ diem_766.diem_cao_nhat }}.",
                ),
            ),
        )
        + each("dong", "ghi_chu_766", paragraph("GhiChu", "- {{ dong }}"))
    )


def details() -> str:
    """The ten lowest of the units."""
    return when("diem_766_don_vi", ranking("diem_766_don_vi[:10]", "Đơn vị có điểm tiến độ (766) thấp nhất", _COLUMNS))
