"""Focus sectors, and sectors that have to explain themselves: a part of the section about sectors."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.topic_blocks import listing

_GROUPS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Lĩnh vực trọng tâm", 43, "ten", "BangChu"),
    Column("Tiếp nhận mới", 18, "tiep_nhan", "BangSo"),
    Column("Đã giải quyết có hạn", 18, "da_co_han", "BangSo"),
    Column("Đã giải quyết quá hạn", 17, "da_qua_han", "BangSo"),
    Column("Tỷ lệ đúng hạn (đã giải quyết)", 21, "ty_le_dung_han", "BangGiua"),
    Column("Tỷ lệ kỳ trước", 21, "ty_le_ky_truoc", "BangGiua"),
    Column("Đang giải quyết quá hạn", 18, "dang_qua_han", "BangSo"),
)
_TO_EXPLAIN = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Lĩnh vực đề nghị giải trình", 80, "ten", "BangChu"),
    Column("Quá hạn", 22, "qua_han", "BangSo"),
    Column("Có hạn (mẫu số)", 28, "co_han", "BangSo"),
    Column("Tỷ lệ quá hạn", 25, "ty_le", "BangGiua"),
)


def part() -> str:
    """The tables, to stand below those of late sectors."""
    return (
        listing("Lĩnh vực trọng tâm", "linh_vuc_trong_tam", _GROUPS)
        + paragraph(
            "GhiChu",
            "Gồm các lĩnh vực: {% for dong in linh_vuc_trong_tam %}{{ dong.ten }}: {{ dong.gom }}{{ '.' if loop.last else '. ' }}"
            "{% endfor %}",
        )
        + when(
            "linh_vuc_giai_trinh",
            paragraph(
                "NoiDung",
                "Có {{ linh_vuc_giai_trinh|length }} lĩnh vực có tỷ lệ quá hạn trên ngưỡng, đề nghị giải trình (ngưỡng "
                "{{ nguong_giai_trinh }} do đơn vị thiết lập; chỉ xét lĩnh vực có từ 10 hồ sơ có hạn, từ 02 hồ sơ quá hạn).",
            ),
        )
        + when(
            "not linh_vuc_giai_trinh",
            paragraph("NoiDung", "Không có lĩnh vực nào có tỷ lệ quá hạn trên {{ nguong_giai_trinh }}."),
        )
    )


def details() -> str:
    """Sectors that have to explain themselves."""
    return listing("Lĩnh vực có tỷ lệ quá hạn trên {{ nguong_giai_trinh }}", "linh_vuc_giai_trinh", _TO_EXPLAIN)
