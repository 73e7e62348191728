"""Reconciliation with published figures, and the dossiers that ways of counting judge differently."""

from __future__ import annotations

from tests.word_template.markup import Column, each, paragraph, when
from tests.word_template.order import annex_number
from tests.word_template.topic_blocks import listing

_COMPARED = (
    Column("Số công bố", 22, "cong_bo", "BangSo"),
    Column("Số của hệ thống này", 24, "he_thong", "BangSo"),
    Column("Chênh lệch", 21, "chenh_lech", "BangSo"),
    Column("Do khác cách tính", 22, "giai_thich", "BangSo"),
    Column("Chưa giải thích được", 23, "chua_giai_thich", "BangSo"),
)
_FIGURES = (Column("Chỉ tiêu", 53, "ten", "BangChu"), *_COMPARED)
_UNITS = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Đơn vị", 38, "ten", "BangChu"),
    Column("Nơi công bố", 25, "nguon", "BangChu"),
    *(Column(column.title, 18.4, column.field, column.style) for column in _COMPARED),
)
_REASONS = (Column("Lý do", 130, "ten", "BangChu"), Column("Số hồ sơ", 35, "so", "BangSo"))

DOSSIERS = (
    Column("TT", 10, "tt", "BieuGiua"),
    Column("Mã hồ sơ", 32, "ma"),
    Column("Đơn vị", 28, "don_vi"),
    Column("Tiếp nhận", 20, "tiep_nhan", "BieuGiua"),
    Column("Hẹn trả", 20, "hen_tra", "BieuGiua"),
    Column("Kết thúc", 20, "ket_thuc", "BieuGiua"),
    Column("Theo ngày hẹn trả", 22, "chinh_thuc"),
    Column("Theo Bộ chỉ số 766", 22, "theo_766"),
    Column("Theo OpenCPS", 22, "theo_opencps"),
    Column("Theo hệ thống nguồn", 18, "theo_nguon"),
    Column("Lý do", 38, "ly_do"),
)


def section(number: str) -> str:
    """The section."""
    return (
        paragraph("Muc", f"{number}. ĐỐI SOÁT VỚI SỐ LIỆU CÔNG BỐ")
        + when(
            "not doi_soat_da_nhap",
            paragraph(
                "NoiDung",
                "Chưa nhập số liệu công bố của kỳ này nên chưa đối soát được với Cổng Dịch vụ công quốc gia, hệ thống giám sát và "
                "báo cáo của hệ thống một cửa.",
            ),
        )
        + each(
            "nguon",
            "doi_soat_nguon",
            when(
                "nguon.so_don_vi",
                paragraph(
                    "NoiDung",
                    "{{ loop.index }}. {{ nguon.ten }} (lần nhập thứ {{ nguon.lan }}, lúc {{ nguon.nhap_luc }}; cách tính: "
                    "{{ nguon.cach_tinh }}) công bố số liệu của {{ nguon.so_don_vi }} đơn vị, trong đó {{ nguon.so_lech }} đơn vị có "
                    "số khác với hệ thống này; {{ nguon.chi_cong_bo }} đơn vị chỉ có trong số liệu công bố, {{ nguon.chi_he_thong }} "
                    "đơn vị chỉ có trong hệ thống này.",
                ),
                listing("Cộng các đơn vị có ở cả hai bên", "nguon.chi_tieu", _FIGURES),
            ),
            when(
                "not nguon.so_don_vi",
                paragraph("NoiDung", "{{ loop.index }}. {{ nguon.ten }}: Chưa có số liệu công bố của đơn vị này."),
            ),
        )
        + when(
            "doi_soat_da_nhap",
            paragraph(
                "GhiChu",
                "“Do khác cách tính” cộng từ từng hồ sơ mà hai cách tính cho kết luận khác nhau; phần còn lại chưa giải thích được từ "
                "dữ liệu hiện có.",
            ),
        )
        + each("dong", "doi_soat_luu_y", paragraph("NoiDung", "Lưu ý: {{ dong }}"))
        + when(
            "doi_soat_ap_dung",
            paragraph(
                "NoiDung",
                "Có {{ doi_soat_so_ho_so }} hồ sơ mà các cách tính (theo ngày hẹn trả hiện hành, Bộ chỉ số 766, OpenCPS) hoặc hệ thống "
                f"nguồn cho kết luận khác nhau (danh sách tại Phụ lục {annex_number('reconciliation')}). "
                "{{ doi_soat_ghi_chu_nguon }}",
            ),
        )
    )


def details() -> str:
    """Unit by unit, and the reasons."""
    return (
        when(
            "doi_soat_don_vi",
            listing("Đơn vị có số hồ sơ quá hạn lệch nhiều nhất so với số công bố", "doi_soat_don_vi", _UNITS),
        )
        + when(
            "doi_soat_con_don_vi",
            paragraph("GhiChu", "Còn {{ doi_soat_con_don_vi }} đơn vị khác, xem bảng tính kèm theo."),
        )
        + when(
            "doi_soat_ly_do",
            listing("Lý do kết luận khác nhau (một hồ sơ có thể có nhiều lý do)", "doi_soat_ly_do", _REASONS),
        )
    )
