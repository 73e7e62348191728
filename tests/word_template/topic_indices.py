"""The indices that the office is judged by, against their targets."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.topic_blocks import listing

_COLUMNS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Bộ chỉ số", 32, "bo_chi_so", "BangChu"),
    Column("Tiêu chí", 37, "tieu_chi", "BangChu"),
    Column("Giá trị", 26, "gia_tri", "BangGiua"),
    Column("Chỉ tiêu", 19, "chi_tieu", "BangGiua"),
    Column("Kết quả", 19, "ket_qua", "BangGiua"),
    Column("Thiếu để đạt", 23, "con_thieu", "BangChu"),
)
_WITHOUT_TARGETS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Bộ chỉ số", 50, "bo_chi_so", "BangChu"),
    Column("Tiêu chí", 65, "tieu_chi", "BangChu"),
    Column("Giá trị", 40, "gia_tri", "BangGiua"),
)
_SOURCES = "{% for dong in chi_so %}({{ dong.tt }}) {{ dong.can_cu }}{{ '.' if loop.last else '; ' }}{% endfor %}"


def section(number: str) -> str:
    """The section; where the office has set no target nothing is judged."""
    return (
        paragraph("Muc", f"{number}. CHỈ SỐ, CHỈ TIÊU")
        + when(
            "co_chi_tieu",
            paragraph(
                "NoiDung",
                "{{ so_chi_so_chua_dat }}/{{ so_chi_so_co_so_lieu }} chỉ tiêu có số liệu chưa đạt"
                "{% if so_chi_so_khong_so_lieu %}; {{ so_chi_so_khong_so_lieu }} chỉ tiêu không có dữ liệu{% endif %}.",
            ),
            listing("Kết quả thực hiện các chỉ số, chỉ tiêu về thời hạn giải quyết", "chi_so", _COLUMNS),
            paragraph(
                "GhiChu",
                f"Số thiếu là số cần có thêm, với cùng mẫu số, để đạt chỉ tiêu. Căn cứ của chỉ tiêu: {_SOURCES}",
            ),
        )
        + when(
            "not co_chi_tieu",
            paragraph(
                "NoiDung",
                "Cơ quan chưa khai báo chỉ tiêu; số liệu dưới đây để tham khảo, không đánh giá đạt hay chưa đạt.",
            ),
            listing("Số liệu liên quan đến các chỉ số về thời hạn giải quyết", "chi_so", _WITHOUT_TARGETS),
            paragraph("GhiChu", f"Ghi chú: {_SOURCES}"),
        )
    )
