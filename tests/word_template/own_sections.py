"""The sections of the report that need no topic: totals, units, sectors and procedures."""

from __future__ import annotations

from tests.word_template import topic_comparison, topic_progress, topic_trend
from tests.word_template.markup import Column, paragraph, ranking, when
from tests.word_template.order import annex_number

_SHARED = (
    Column("Tổng số quá hạn", 17, "qua_han", "BangSo"),
    Column("Đã giải quyết quá hạn", 17, "da_qua_han", "BangSo"),
    Column("Đang giải quyết quá hạn", 17, "dang_qua_han", "BangSo"),
    Column("Tỷ trọng", 18, "ty_trong", "BangGiua"),
    Column("Đã giải quyết có hạn", 18, "da_co_han", "BangSo"),
    Column("Tỷ lệ đúng hạn (đã giải quyết)", 23, "ty_le_dung_han", "BangGiua"),
)


_PROCEDURES = (
    Column("TT", 10, "tt", "BangGiua"),
    Column("Mã TTHC", 24, "ma", "BangChu"),
    Column("Tên thủ tục", 74, "ten", "BangChu"),
    Column("Tổng số quá hạn", 19, "qua_han", "BangSo"),
    Column("Đã giải quyết", 19, "da_qua_han", "BangSo"),
    Column("Đang giải quyết", 19, "dang_qua_han", "BangSo"),
)


def _ranked_by(title: str) -> tuple[Column, ...]:
    return (Column("TT", 10, "tt", "BangGiua"), Column(title, 45, "ten", "BangChu"), *_SHARED)


def totals(number: str) -> str:
    """What came in, what went out."""
    return (
        paragraph("Muc", f"{number}. TÌNH HÌNH TIẾP NHẬN, GIẢI QUYẾT HỒ SƠ")
        + paragraph("Khoan", "1. Tiếp nhận hồ sơ")
        + paragraph(
            "NoiDung",
            "Tổng số hồ sơ TTHC phải giải quyết trong kỳ là {{ so.tong }} hồ sơ, gồm: tiếp nhận mới {{ so.moi }} hồ sơ "
            "(trực tuyến {{ so.truc_tuyen }} hồ sơ; trực tiếp, qua dịch vụ bưu chính {{ so.truc_tiep }} hồ sơ), từ kỳ trước "
            "chuyển sang {{ so.ky_truoc }} hồ sơ. Tỷ lệ tiếp nhận trực tuyến: {{ so.ty_le_truc_tuyen }} (trên "
            "{{ so.moi }} hồ sơ tiếp nhận mới).",
        )
        + when(
            "theo_doi_cham_tiep_nhan",
            paragraph(
                "NoiDung",
                "Số hồ sơ chậm tiếp nhận (quá {{ gio_tiep_nhan }} giờ làm việc): {{ cham_tiep_nhan }} hồ sơ, bằng "
                "{{ ty_le_cham_tiep_nhan }} (trên {{ nop_truc_tuyen }} hồ sơ nộp trực tuyến trong kỳ).",
            ),
        )
        + when(
            "not theo_doi_cham_tiep_nhan",
            paragraph("NoiDung", "Số hồ sơ chậm tiếp nhận: {{ cham_tiep_nhan }}."),
        )
        + paragraph("Khoan", "2. Kết quả giải quyết hồ sơ")
        + paragraph(
            "NoiDung",
            "a) Đã giải quyết {{ so.da_giai_quyet }} hồ sơ, trong đó: trước hạn {{ so.truoc_han }} hồ sơ; đúng hạn "
            "{{ so.dung_han }} hồ sơ; quá hạn {{ so.da_qua_han }} hồ sơ; chưa xác định hạn {{ so.da_chua_ro }} hồ sơ. Tỷ lệ "
            "giải quyết trước hạn, đúng hạn: {{ so.ty_le_dung_han }} (trên {{ so.da_co_han }} hồ sơ đã giải quyết có hạn).",
        )
        + paragraph(
            "NoiDung",
            "b) Đang giải quyết {{ so.dang_giai_quyet }} hồ sơ, trong đó: trong hạn {{ so.trong_han }} hồ sơ; quá hạn "
            "{{ so.dang_qua_han }} hồ sơ; chưa xác định hạn {{ so.dang_chua_ro }} hồ sơ. Tỷ lệ còn trong hạn: "
            "{{ so.ty_le_trong_han }} (trên {{ so.dang_co_han }} hồ sơ đang giải quyết có hạn).",
        )
        + paragraph(
            "NoiDung", f"(Chi tiết tại Phụ lục {annex_number('form')}, Phụ lục {annex_number('units')} kèm theo)"
        ).replace("<w:r>", "<w:r><w:rPr><w:i/></w:rPr>")
        + topic_comparison.section("3")
        + topic_trend.section("4")
        + topic_progress.section("5")
    )


def units(number: str) -> str:
    """Units with delayed dossiers, ranked."""
    return (
        paragraph("Muc", f"{number}. ĐƠN VỊ CÓ HỒ SƠ QUÁ HẠN")
        + when(
            "so_dinh_chinh",
            paragraph(
                "NoiDung",
                "Hồ sơ quá hạn: {{ so.qua_han }} hồ sơ theo số liệu đã chốt; danh sách, nguyên nhân theo dữ liệu hiện có gồm "
                f"{{{{ so_ho_so_qua_han }}}} hồ sơ (xem Đính chính tại Phụ lục {annex_number('errata')}).",
            ),
        )
        + when(
            "so.qua_han",
            paragraph(
                "NoiDung",
                "Có {{ so_don_vi_qua_han }}/{{ so_don_vi }} đơn vị có hồ sơ quá hạn, tổng số {{ so.qua_han }} hồ sơ (đã giải "
                "quyết quá hạn {{ so.da_qua_han }} hồ sơ, đang giải quyết quá hạn {{ so.dang_qua_han }} hồ sơ). Danh sách "
                f"từng hồ sơ tại Phụ lục {annex_number('delayed')}.",
            ),
            ranking("don_vi_qua_han", "Đơn vị có nhiều hồ sơ quá hạn nhất", _ranked_by("Đơn vị")),
            paragraph("TenBang", "{{p bieu_do_don_vi }}"),
            when(
                "con_don_vi_qua_han",
                paragraph(
                    "NoiDung",
                    f"Còn {{{{ con_don_vi_qua_han }}}} đơn vị khác, tại Phụ lục {annex_number('units')}.",
                ),
            ),
        )
        + when("not so.qua_han", paragraph("NoiDung", "Trong kỳ không có hồ sơ quá hạn."))
    )


def sectors(number: str) -> str:
    """Sectors and procedures with delayed dossiers, ranked."""
    return (
        paragraph("Muc", f"{number}. LĨNH VỰC, THỦ TỤC CÓ HỒ SƠ QUÁ HẠN")
        + when(
            "so.qua_han",
            paragraph(
                "NoiDung",
                "Có {{ so_linh_vuc_qua_han }} lĩnh vực, {{ so_thu_tuc_qua_han }} thủ tục có hồ sơ quá hạn, nhiều nhất là:",
            ),
            ranking("linh_vuc_qua_han[:5]", "Lĩnh vực có nhiều hồ sơ quá hạn nhất", _ranked_by("Lĩnh vực")),
            ranking("thu_tuc_qua_han[:5]", "Thủ tục có nhiều hồ sơ quá hạn nhất", _PROCEDURES),
        )
        + when("not so.qua_han", paragraph("NoiDung", "Trong kỳ không có hồ sơ quá hạn."))
    )


def procedures() -> str:
    """The ten sectors and procedures that are late most, for the annex of details: those of which the letter has not all."""
    sectors_more = ranking("linh_vuc_qua_han", "Lĩnh vực có nhiều hồ sơ quá hạn nhất", _ranked_by("Lĩnh vực"))
    procedures_more = ranking("thu_tuc_qua_han", "Thủ tục có nhiều hồ sơ quá hạn nhất", _PROCEDURES)
    return when("so_linh_vuc_qua_han > 5", sectors_more) + when("so_thu_tuc_qua_han > 5", procedures_more)
