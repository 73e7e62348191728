"""The report itself: letterhead, sections, signature and recipients."""

from __future__ import annotations

from tests.word_template import topic_comparison, topic_petitions, topic_progress, topic_trend
from tests.word_template.annexes import Column
from tests.word_template.blocks import each, listing, when
from tests.word_template.markup import cell, end_of_section, mm, paragraph, row, table
from tthc_monitor.outputs.drawings import rule, text_width

_MOTTO = "Độc lập - Tự do - Hạnh phúc"
_LEFT, _RIGHT = mm(65), mm(100)
_SHARED = (
    Column("Tổng số quá hạn", 19, "qua_han", "BangSo"),
    Column("Đã giải quyết quá hạn", 20, "da_qua_han", "BangSo"),
    Column("Đang giải quyết quá hạn", 20, "dang_qua_han", "BangSo"),
    Column("Tỷ trọng", 18, "ty_trong", "BangGiua"),
    Column("Tỷ lệ đúng hạn", 21, "ty_le_dung_han", "BangGiua"),
)


def _ranked_by(title: str) -> tuple[Column, ...]:
    return (Column("TT", 10, "tt", "BangGiua"), Column(title, 57, "ten", "BangChu"), *_SHARED)


def letter() -> str:
    """The portrait pages, with the end of their section."""
    return "".join(
        (
            _head(),
            _opening(),
            _totals(),
            _units(),
            _sectors(),
            _sent_back(),
            topic_petitions.section("V"),
            _closing(),
            _signature(),
            end_of_section(landscape=False),
        )
    )


def _ruled_under(field: str) -> str:
    return paragraph("KeNgang", f"{{{{r {field} }}}}")


def _head() -> str:
    motto_rule = str(rule(text_width(_MOTTO, 13), "Kẻ dưới tiêu ngữ"))
    office = (
        when("co_quan_chu_quan", paragraph("ChuQuan", "{{ co_quan_chu_quan }}"))
        + paragraph("CoQuan", "{{ co_quan }}")
        + _ruled_under("ke_ngang_co_quan")
    )
    country = (
        paragraph("QuocHieu", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
        + paragraph("TieuNgu", _MOTTO)
        + paragraph("KeNgang").replace("</w:pPr>", f"</w:pPr>{motto_rule}")
    )
    number = paragraph("SoKyHieu", "Số:      /BC-{{ viet_tat }}")
    place = paragraph("DiaDanh", "{{ dia_danh }}, ngày      {{ thang_nam_lap }}")
    rows = [
        row([cell(_LEFT, office, top=True), cell(_RIGHT, country, top=True)]),
        row([cell(_LEFT, number, top=True), cell(_RIGHT, place, top=True)]),
    ]
    return (
        table([_LEFT, _RIGHT], rows, ruled=False)
        + paragraph("TenLoai", "BÁO CÁO")
        + paragraph("TrichYeu", "Tình hình, kết quả giải quyết thủ tục hành chính {{ ky }}")
        + _ruled_under("ke_ngang_trich_yeu")
        + when("kinh_gui|length == 1", paragraph("KinhGui", "Kính gửi: {{ kinh_gui[0] }}"))
        + when(
            "kinh_gui|length > 1",
            paragraph("KinhGui", "Kính gửi:"),
            each("noi", "kinh_gui", paragraph("KinhGuiDong", "- {{ noi }}{{ '.' if loop.last else ';' }}")),
        )
    )


def _opening() -> str:
    return (
        each("dong", "can_cu", paragraph("CanCu", "{{ dong }}"))
        + paragraph(
            "NoiDung",
            "{{ ten_co_quan }} báo cáo tình hình, kết quả giải quyết thủ tục hành chính (TTHC) {{ ky }} (từ ngày "
            "{{ tu_ngay }} đến ngày {{ den_ngay }}) như sau:",
        )
        + when(
            "chua_het_ky",
            paragraph("NoiDung", "Kỳ báo cáo chưa kết thúc, số liệu tính đến {{ so_lieu_den }}.", bold=True),
        )
        + when("pham_vi", paragraph("NoiDung", "Phạm vi báo cáo: {{ pham_vi }}."))
        + when("da_chot", paragraph("NoiDung", "{{ da_chot }}; có {{ so_dinh_chinh }} đính chính."))
    )


def _totals() -> str:
    return (
        paragraph("Muc", "I. TÌNH HÌNH TIẾP NHẬN, GIẢI QUYẾT HỒ SƠ")
        + paragraph("Khoan", "1. Tiếp nhận hồ sơ")
        + paragraph(
            "NoiDung",
            "Tổng số hồ sơ TTHC phải giải quyết trong kỳ là {{ so.tong }} hồ sơ, gồm: tiếp nhận mới {{ so.moi }} hồ sơ "
            "(trực tuyến {{ so.truc_tuyen }} hồ sơ; trực tiếp, qua dịch vụ bưu chính {{ so.truc_tiep }} hồ sơ), từ kỳ trước "
            "chuyển sang {{ so.ky_truoc }} hồ sơ. Tỷ lệ tiếp nhận trực tuyến: {{ so.ty_le_truc_tuyen }} (trên "
            "{{ so.moi }} hồ sơ tiếp nhận mới).",
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
        + paragraph("NoiDung", "(Chi tiết tại Phụ lục I, Phụ lục II kèm theo)").replace(
            "<w:r>", "<w:r><w:rPr><w:i/></w:rPr>"
        )
        + topic_comparison.section("3")
        + topic_trend.section("4")
        + topic_progress.section("5")
    )


def _units() -> str:
    return (
        paragraph("Muc", "II. ĐƠN VỊ CÓ HỒ SƠ QUÁ HẠN")
        + when(
            "so.qua_han",
            paragraph(
                "NoiDung",
                "Có {{ so_don_vi_qua_han }}/{{ so_don_vi }} đơn vị có hồ sơ quá hạn, tổng số {{ so.qua_han }} hồ sơ (đã giải "
                "quyết quá hạn {{ so.da_qua_han }} hồ sơ, đang giải quyết quá hạn {{ so.dang_qua_han }} hồ sơ). Danh sách "
                "từng hồ sơ tại Phụ lục III.",
            ),
            listing("don_vi_qua_han", "Đơn vị có nhiều hồ sơ quá hạn nhất", _ranked_by("Đơn vị")),
            paragraph("TenBang", "{{p bieu_do_don_vi }}"),
            when(
                "con_don_vi_qua_han", paragraph("NoiDung", "Còn {{ con_don_vi_qua_han }} đơn vị khác, tại Phụ lục II.")
            ),
        )
        + when("not so.qua_han", paragraph("NoiDung", "Trong kỳ không có hồ sơ quá hạn."))
    )


def _sectors() -> str:
    procedures = (
        Column("TT", 10, "tt", "BangGiua"),
        Column("Mã TTHC", 24, "ma", "BangChu"),
        Column("Tên thủ tục", 74, "ten", "BangChu"),
        Column("Tổng số quá hạn", 19, "qua_han", "BangSo"),
        Column("Đã giải quyết", 19, "da_qua_han", "BangSo"),
        Column("Đang giải quyết", 19, "dang_qua_han", "BangSo"),
    )
    return (
        paragraph("Muc", "III. LĨNH VỰC, THỦ TỤC CÓ HỒ SƠ QUÁ HẠN")
        + when(
            "so.qua_han",
            paragraph(
                "NoiDung",
                "Có {{ so_linh_vuc_qua_han }} lĩnh vực, {{ so_thu_tuc_qua_han }} thủ tục có hồ sơ quá hạn, nhiều nhất là:",
            ),
            listing("linh_vuc_qua_han", "Lĩnh vực có nhiều hồ sơ quá hạn nhất", _ranked_by("Lĩnh vực")),
            listing("thu_tuc_qua_han", "Thủ tục có nhiều hồ sơ quá hạn nhất", procedures),
        )
        + when("not so.qua_han", paragraph("NoiDung", "Trong kỳ không có hồ sơ quá hạn."))
    )


def _sent_back() -> str:
    return paragraph("Muc", "IV. HỒ SƠ TRẢ LẠI, YÊU CẦU BỔ SUNG") + paragraph(
        "NoiDung",
        "Trong kỳ có {{ so_tra_lai }} lần trả lại, từ chối, dừng giải quyết và {{ so_bo_sung }} lần yêu cầu bổ sung, trong đó "
        "{{ so_cho_bo_sung }} yêu cầu còn chờ bổ sung ở cuối kỳ; {{ so_bo_sung_nhieu_lan }} hồ sơ bị yêu cầu bổ sung từ 02 lần "
        "trở lên. Danh sách tại Phụ lục IV.",
    )


def _closing() -> str:
    return (
        paragraph("Muc", "VI. ĐỀ XUẤT, KIẾN NGHỊ")
        + when(
            "so.qua_han",
            paragraph(
                "NoiDung",
                "Đề nghị các cơ quan, đơn vị có hồ sơ quá hạn nêu tại Phụ lục III rà soát, xử lý dứt điểm, gửi văn bản xin lỗi "
                "tổ chức, cá nhân theo quy định và báo cáo rõ nguyên nhân, trách nhiệm.",
            ),
        )
        + when("not so.qua_han", paragraph("NoiDung", "Không có."))
        + paragraph(
            "KetThuc",
            "Trên đây là báo cáo tình hình, kết quả giải quyết thủ tục hành chính {{ ky }} của {{ ten_co_quan }}./.",
        )
    )


def _signature() -> str:
    left = paragraph("NoiNhan", "Nơi nhận:") + each("dong", "noi_nhan", paragraph("NoiNhanDong", "- {{ dong }}"))
    right = (
        each("dong", "ky_thay", paragraph("ChucVu", "{{ dong }}"))
        + paragraph("ChucVu", "{{ chuc_vu }}")
        + paragraph("HoTen") * 4
        + paragraph("HoTen", "{{ nguoi_ky }}")
    )
    half = [mm(80), mm(85)]
    return paragraph("ChucVu") + table(
        half, [row([cell(half[0], left, top=True), cell(half[1], right, top=True)])], ruled=False
    )
