"""Section about why dossiers were late, and where they lay."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.topic_blocks import listing

_CAUSES = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Nguyên nhân", 56, "ten", "BangChu"),
    Column("Loại", 36, "loai", "BangChu"),
    Column("Số hồ sơ", 16, "so", "BangSo"),
    Column("Tỷ trọng", 18, "ty_trong", "BangGiua"),
    Column("Theo dữ liệu", 15, "theo_du_lieu", "BangSo"),
    Column("Do người xác định", 15, "do_nguoi", "BangSo"),
)
_UNITS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Đơn vị", 52, "ten", "BangChu"),
    Column("Tổng số quá hạn", 17, "tong", "BangSo"),
    Column("Chủ quan", 16, "chu_quan", "BangSo"),
    Column("Khách quan", 17, "khach_quan", "BangSo"),
    Column("Phần mềm, đồng bộ", 18, "phan_mem", "BangSo"),
    Column("Bấm chậm", 16, "bam_cham", "BangSo"),
    Column("Chưa rõ", 16, "chua_ro", "BangSo"),
)
_FAULT_UNITS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Đơn vị có khâu chậm", 62, "ten", "BangChu"),
    Column("Số hồ sơ quá hạn", 19, "so", "BangSo"),
    Column("Của chính đơn vị", 19, "cua_minh", "BangSo"),
    Column("Của đơn vị khác", 19, "cua_don_vi_khac", "BangSo"),
    Column("Tỷ trọng", 18, "ty_trong", "BangGiua"),
    Column("Quá hạn trung bình (giờ)", 19, "gio_trung_binh", "BangSo"),
)
_FAULT_STEPS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Bước, khâu", 74, "ten", "BangChu"),
    Column("Số hồ sơ quá hạn", 21, "so", "BangSo"),
    Column("Số đơn vị", 19, "so_don_vi", "BangSo"),
    Column("Tỷ trọng", 20, "ty_trong", "BangGiua"),
    Column("Quá hạn trung bình (giờ)", 22, "gio_trung_binh", "BangSo"),
)


def section(number: str) -> str:
    """Causes, real delay and what only looks like it apart; then units and steps."""
    return (
        paragraph("Muc", f"{number}. NGUYÊN NHÂN QUÁ HẠN, KHÂU CHẬM")
        + when(
            "nguyen_nhan.tong",
            paragraph("Khoan", "1. Nguyên nhân"),
            paragraph(
                "NoiDung",
                "Trong {{ nguyen_nhan.tong }} hồ sơ quá hạn: chậm thực {{ nguyen_nhan.cham_thuc }} hồ sơ "
                "({{ nguyen_nhan.ty_le_cham_thuc }}), gồm nguyên nhân chủ quan {{ nguyen_nhan.chu_quan }} hồ sơ, khách quan "
                "{{ nguyen_nhan.khach_quan }} hồ sơ; không phải chậm thực {{ nguyen_nhan.khong_cham_thuc }} hồ sơ "
                "({{ nguyen_nhan.ty_le_khong_cham_thuc }}), gồm {{ nguyen_nhan.phan_mem }} hồ sơ do phần mềm, đồng bộ dữ liệu hoặc chưa "
                "kết thúc trên quy trình điện tử, {{ nguyen_nhan.bam_cham }} hồ sơ đã xử lý đúng hạn nhưng bấm kết thúc chậm; chưa rõ "
                "nguyên nhân {{ nguyen_nhan.chua_ro }} hồ sơ ({{ nguyen_nhan.ty_le_chua_ro }}).",
            ),
            paragraph(
                "NoiDung",
                "Việc phân loại nguyên nhân không làm thay đổi số liệu quá hạn nêu tại Mục I. Nguyên nhân được xác định theo căn cứ "
                "trong dữ liệu; {{ nguyen_nhan_do_nguoi }} hồ sơ do người có trách nhiệm xác định.",
            ),
            listing("Hồ sơ quá hạn theo nguyên nhân", "nguyen_nhan_chi_tiet", _CAUSES),
            paragraph("TenBang", "{{p bieu_do_nguyen_nhan }}"),
            when(
                "nguyen_nhan.chua_ro",
                paragraph(
                    "NoiDung",
                    "Đề nghị các cơ quan, đơn vị làm rõ nguyên nhân đối với {{ nguyen_nhan.chua_ro }} hồ sơ chưa rõ nguyên nhân.",
                ),
            ),
            paragraph("Khoan", "2. Đơn vị, khâu chậm"),
            paragraph(
                "NoiDung",
                "Xác định được khâu chậm của {{ khau_cham_so }} hồ sơ, trong đó {{ khau_cham_khac }} hồ sơ chậm ở cơ quan, đơn vị khác "
                "đơn vị giải quyết; chưa xác định được khâu chậm của {{ khau_cham_chua_ro }} hồ sơ. {{ khau_cham_ngoai }} hồ sơ không "
                "phải chậm thực không xét khâu chậm.",
            ),
        )
        + when("not nguyen_nhan.tong", paragraph("NoiDung", "Trong kỳ không có hồ sơ quá hạn."))
    )


def details() -> str:
    """Causes, units and steps at fault, unit by unit."""
    return (
        listing("Nguyên nhân quá hạn của các đơn vị", "nguyen_nhan_don_vi", _UNITS)
        + when(
            "con_nguyen_nhan_don_vi",
            paragraph("GhiChu", "Còn {{ con_nguyen_nhan_don_vi }} đơn vị khác, trong bảng tính kèm theo."),
        )
        + listing("Đơn vị có nhiều khâu chậm nhất", "khau_cham_don_vi", _FAULT_UNITS)
        + when(
            "con_khau_cham_don_vi",
            paragraph("GhiChu", "Còn {{ con_khau_cham_don_vi }} đơn vị khác, trong bảng tính kèm theo."),
        )
        + listing("Bước, khâu chậm nhiều nhất", "khau_cham_buoc", _FAULT_STEPS)
        + when(
            "khau_cham_so",
            paragraph(
                "GhiChu",
                "Tỷ trọng tính trên {{ khau_cham_so }} hồ sơ xác định được khâu chậm. Quá hạn trung bình là giờ làm việc vượt hạn "
                "riêng của bước, của lần lấy ý kiến.",
            ),
        )
    )
