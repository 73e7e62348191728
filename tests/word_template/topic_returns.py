"""Section about what was sent back: refused, stopped, withdrawn, asked to be supplemented."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.order import annex_number
from tests.word_template.topic_blocks import listing

_COUNTS = (
    Column("Tiếp nhận mới", 17, "tiep_nhan", "BangSo"),
    Column("Trả lại", 14, "tra_lai", "BangSo"),
    Column("Tỷ lệ trả lại", 18, "ty_le_tra_lai", "BangGiua"),
    Column("Yêu cầu bổ sung", 15, "bo_sung", "BangSo"),
    Column("Tỷ lệ bổ sung", 18, "ty_le_bo_sung", "BangGiua"),
    Column("Từ 02 lần", 14, "bo_sung_nhieu_lan", "BangSo"),
    Column("Sát hạn", 13, "tra_lai_sat_han", "BangSo"),
)
_UNITS = (Column("TT", 10, "tt", "BangGiua"), Column("Đơn vị", 46, "ten", "BangChu"), *_COUNTS)
_PROCEDURES = (Column("TT", 10, "tt", "BangGiua"), Column("Thủ tục", 46, "ten", "BangChu"), *_COUNTS)


def section(number: str) -> str:
    """What was sent back, with the denominators of its shares."""
    return (
        paragraph("Muc", f"{number}. HỒ SƠ TRẢ LẠI, YÊU CẦU BỔ SUNG, TỪ CHỐI")
        + paragraph(
            "NoiDung",
            "Trong kỳ có {{ tra_ve.tra_lai }} hồ sơ trả lại (từ chối {{ tra_ve.tu_choi }} hồ sơ, dừng giải quyết {{ tra_ve.dung }} hồ "
            "sơ), bằng {{ tra_ve.ty_le_tra_lai }} số tiếp nhận mới ({{ tra_ve.tiep_nhan }} hồ sơ); {{ tra_ve.rut }} hồ sơ do người "
            "dân, doanh nghiệp rút.",
        )
        + paragraph(
            "NoiDung",
            "Có {{ tra_ve.bo_sung }} hồ sơ yêu cầu bổ sung, bằng {{ tra_ve.ty_le_bo_sung }} số tiếp nhận mới, trong đó "
            "{{ tra_ve.bo_sung_mot_lan }} hồ sơ yêu cầu 01 lần, {{ tra_ve.bo_sung_nhieu_lan }} hồ sơ yêu cầu từ 02 lần trở lên"
            "{% if tra_ve.bo_sung_chua_ro %}, {{ tra_ve.bo_sung_chua_ro }} hồ sơ chưa rõ số lần{% endif %}; "
            "{{ tra_ve.bo_sung_sau_thoi_han }} hồ sơ yêu cầu sau thời hạn quy định. Cuối kỳ còn {{ tra_ve.cho_bo_sung }} hồ sơ chờ "
            "bổ sung (gồm cả yêu cầu từ kỳ trước){% if so_ngay_cho %}, trong đó {{ tra_ve.cho_qua_lau }} hồ sơ chờ quá {{ so_ngay_cho }} "
            f"ngày làm việc{{% endif %}}. Danh sách tại Phụ lục {annex_number('sent-back')}.",
        )
        + when(
            "tra_ve.tra_lai_sat_han or tra_ve.tu_choi_qua_han",
            paragraph(
                "NoiDung",
                "Đề nghị rà soát {{ tra_ve.tra_lai_sat_han }} hồ sơ trả lại, dừng hoặc yêu cầu bổ sung đúng ngày, ngay trước ngày hẹn "
                "trả và {{ tra_ve.tu_choi_qua_han }} hồ sơ từ chối khi đã quá hạn.",
            ),
        )
        + when(
            "tra_ve_chua_ap_dung",
            paragraph(
                "GhiChu", "Quy tắc chưa được áp dụng, số liệu tương ứng chưa có: {{ tra_ve_chua_ap_dung|join('; ') }}."
            ),
        )
    )


def details() -> str:
    """By unit and by procedure."""
    return (
        listing("Đơn vị có nhiều hồ sơ trả lại, yêu cầu bổ sung nhất", "tra_ve_don_vi", _UNITS)
        + when(
            "con_tra_ve_don_vi",
            paragraph("GhiChu", "Còn {{ con_tra_ve_don_vi }} đơn vị khác, trong bảng tính kèm theo."),
        )
        + listing("Thủ tục có nhiều hồ sơ trả lại, yêu cầu bổ sung nhất", "tra_ve_thu_tuc", _PROCEDURES)
        + paragraph(
            "GhiChu",
            "Tỷ lệ = số hồ sơ / hồ sơ tiếp nhận mới trong kỳ của đơn vị, thủ tục. Trả lại = từ chối + dừng giải quyết.",
        )
    )
