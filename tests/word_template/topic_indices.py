"""The indices that the office is judged by, against their targets."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph
from tests.word_template.topic_blocks import listing

_COLUMNS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Bộ chỉ số", 32, "bo_chi_so", "BangChu"),
    Column("Tiêu chí", 37, "tieu_chi", "BangChu"),
    Column("Giá trị", 26, "gia_tri", "BangGiua"),
    Column("Chỉ tiêu", 19, "chi_tieu", "BangGiua"),
    Column("Kết quả", 19, "ket_qua", "BangGiua"),
    Column("Còn thiếu", 23, "con_thieu", "BangChu"),
)


def section(number: str) -> str:
    """The section."""
    return (
        paragraph("Muc", f"{number}. CHỈ SỐ, CHỈ TIÊU")
        + paragraph("NoiDung", "Có {{ so_chi_so_chua_dat }}/{{ chi_so|length }} chỉ tiêu chưa đạt.")
        + listing("Kết quả thực hiện các chỉ số, chỉ tiêu về thời hạn giải quyết", "chi_so", _COLUMNS)
        + paragraph(
            "GhiChu",
            "Số còn thiếu là số phải đạt thêm trong kỳ, với cùng mẫu số. Căn cứ của chỉ tiêu: "
            "{% for dong in chi_so %}({{ dong.tt }}) {{ dong.can_cu }}{{ '.' if loop.last else '; ' }}{% endfor %}",
        )
    )
