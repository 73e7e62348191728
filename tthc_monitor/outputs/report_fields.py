"""The fields that a template of the monthly report may name: each with its meaning, for those who edit one in Word.

The names are Vietnamese without diacritics, for Word must not correct them and any keyboard can write them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tthc_monitor.outputs.report_topics import TOPICS
from tthc_monitor.outputs.word_fields import Field, Kind

_COUNTED: Final = (
    Field("tong", "tổng số hồ sơ phải giải quyết, cột (3)"),
    Field("moi", "tiếp nhận mới trong kỳ, cột (4) + (5)"),
    Field("truc_tuyen", "nhận trực tuyến trong kỳ, cột (4)"),
    Field("truc_tiep", "nhận trực tiếp, qua dịch vụ bưu chính trong kỳ, cột (5)"),
    Field("ky_truoc", "từ kỳ trước, cột (6)"),
    Field("da_giai_quyet", "đã giải quyết, cột (7)"),
    Field("truoc_han", "đã giải quyết trước hạn, cột (8)"),
    Field("dung_han", "đã giải quyết đúng hạn, cột (9)"),
    Field("da_qua_han", "đã giải quyết quá hạn, cột (10)"),
    Field("da_chua_ro", "đã giải quyết, chưa xác định hạn, cột (14)"),
    Field("da_co_han", "đã giải quyết có hạn, cột (8) + (9) + (10): mẫu số của tỷ lệ đúng hạn"),
    Field("dang_giai_quyet", "đang giải quyết, cột (11)"),
    Field("trong_han", "đang giải quyết trong hạn, cột (12)"),
    Field("dang_qua_han", "đang giải quyết quá hạn, cột (13)"),
    Field("dang_chua_ro", "đang giải quyết, chưa xác định hạn, cột (15)"),
    Field("dang_co_han", "đang giải quyết có hạn, cột (12) + (13): mẫu số của tỷ lệ còn trong hạn"),
    Field("qua_han", "quá hạn, cột (10) + (13)"),
    Field("chua_ro", "chưa xác định hạn, cột (14) + (15)"),
)
_SHARES: Final = (
    Field("ty_le_dung_han", "tỷ lệ đúng hạn của hồ sơ đã giải quyết có hạn"),
    Field("ty_le_trong_han", "tỷ lệ còn trong hạn của hồ sơ đang giải quyết có hạn"),
    Field("ty_le_truc_tuyen", "tỷ lệ nhận trực tuyến của hồ sơ tiếp nhận mới"),
)
_NUMBER: Final = Field("tt", "số thứ tự")
_RANKED: Final = (
    _NUMBER,
    Field("ten", "tên"),
    Field("ma", "mã"),
    *_COUNTED,
    *_SHARES,
    Field("ty_trong", "tỷ trọng trong tổng số hồ sơ quá hạn"),
)

CHARTS: Final = {
    "bieu_do_don_vi": ("units", "đơn vị có hồ sơ quá hạn, tối đa 10"),
    "bieu_do_xu_huong": ("trend", "xu hướng 12 tháng"),
    "bieu_do_nguyen_nhan": ("causes", "nguyên nhân quá hạn"),
}
"""Each chart of the template: the key of the table that it is drawn of, and what it shows."""

FIELDS: Final = (
    Field("co_quan_chu_quan", "cơ quan chủ quản, in hoa (report.superior)"),
    Field("co_quan", "cơ quan ban hành, in hoa (report.office)"),
    Field("ten_co_quan", "cơ quan ban hành như đã ghi trong cấu hình"),
    Field("ke_ngang_co_quan", "đường kẻ dưới tên cơ quan, dài 2/5 dòng chữ", kind=Kind.RUN),
    Field("ke_ngang_trich_yeu", "đường kẻ dưới trích yếu, dài 2/5 dòng chữ", kind=Kind.RUN),
    Field("viet_tat", "chữ viết tắt tên cơ quan trong ký hiệu (report.abbreviation)"),
    Field("so_ky_hieu", "số, ký hiệu của báo cáo khi phát hành (report issue --number); trống khi chưa cấp số"),
    Field(
        "trich_yeu", "trích yếu: kỳ báo cáo, đơn vị khi chỉ báo cáo một số đơn vị, từ ngày đến ngày khi theo NĐ 09/2019"
    ),
    Field("dia_danh", "địa danh (report.place)"),
    Field("thang_nam_lap", "tháng, năm lập báo cáo; ngày để trống cho văn thư"),
    Field("ky", "kỳ báo cáo, ví dụ “tháng 10 năm 2026”"),
    Field("tu_ngay", "ngày đầu kỳ"),
    Field("den_ngay", "ngày cuối kỳ"),
    Field("so_lieu_den", "số liệu tính đến thời điểm nào"),
    Field("chua_het_ky", "đúng khi kỳ báo cáo chưa kết thúc, dùng trong {% if %}"),
    Field("pham_vi", "các đơn vị được chọn; trống khi báo cáo toàn bộ"),
    Field("kinh_gui", "nơi gửi (report.addressees)", many=True),
    Field("can_cu", "căn cứ, kèm dấu chấm phẩy, dấu chấm (report.bases)", many=True),
    Field("ky_thay", "các dòng TM., KT., TL., TUQ. (report.signer.on_behalf)", many=True),
    Field("chuc_vu", "chức vụ người ký, in hoa (report.signer.title)"),
    Field("nguoi_ky", "họ tên người ký (report.signer.name)"),
    Field(
        "noi_nhan", "nơi nhận, kèm dấu câu, gồm “Như trên” và “Lưu: VT” (report.recipients, report.filed)", many=True
    ),
    Field("so", "số liệu chung của kỳ", (*_COUNTED, *_SHARES)),
    Field("so_don_vi", "số đơn vị có trong báo cáo"),
    Field("so_don_vi_qua_han", "số đơn vị có hồ sơ quá hạn"),
    Field("don_vi_qua_han", "đơn vị có hồ sơ quá hạn, nhiều nhất trước, tối đa 10", _RANKED, many=True),
    Field("con_don_vi_qua_han", "số đơn vị có hồ sơ quá hạn không nằm trong don_vi_qua_han"),
    Field("don_vi", "mọi đơn vị, nhiều hồ sơ quá hạn nhất trước", _RANKED, many=True),
    Field("so_linh_vuc_qua_han", "số lĩnh vực có hồ sơ quá hạn"),
    Field("linh_vuc_qua_han", "lĩnh vực có hồ sơ quá hạn, nhiều nhất trước, tối đa 10", _RANKED, many=True),
    Field("so_thu_tuc_qua_han", "số thủ tục có hồ sơ quá hạn"),
    Field(
        "thu_tuc_qua_han",
        "thủ tục có hồ sơ quá hạn, nhiều nhất trước, tối đa 10 (theo danh sách hồ sơ quá hạn)",
        (
            _NUMBER,
            Field("ma", "mã thủ tục"),
            Field("ten", "tên thủ tục"),
            Field("da_qua_han", "đã giải quyết quá hạn"),
            Field("dang_qua_han", "đang giải quyết quá hạn"),
            Field("qua_han", "tổng số quá hạn"),
        ),
        many=True,
    ),
    Field(
        "bieu",
        "Biểu II.06a: từng đơn vị",
        (
            Field("tt", "số thứ tự La Mã"),
            Field("ten", "tên đơn vị"),
            *_COUNTED,
            Field(
                "linh_vuc", "từng lĩnh vực của đơn vị", (_NUMBER, Field("ten", "tên lĩnh vực"), *_COUNTED), many=True
            ),
        ),
        many=True,
    ),
    Field(
        "kiem_tra",
        "kiểm tra số liệu của Biểu II.06a",
        (
            Field("ten", "đẳng thức"),
            Field("ve_trai", "giá trị vế trái"),
            Field("ve_phai", "giá trị vế phải"),
            Field("ket_qua", "ĐẠT hoặc KHÔNG ĐẠT, số dòng không đạt"),
        ),
        many=True,
    ),
    Field("ghi_chu", "cách xếp số liệu vào các cột của Biểu II.06a", many=True),
    Field("so_ho_so_qua_han", "số hồ sơ trong danh sách hồ sơ quá hạn"),
    Field("con_ho_so_qua_han", "số hồ sơ quá hạn không in ra vì danh sách quá dài"),
    Field(
        "ho_so_qua_han",
        "danh sách hồ sơ quá hạn",
        (
            _NUMBER,
            Field("ma", "mã hồ sơ"),
            Field("don_vi", "đơn vị"),
            Field("linh_vuc", "lĩnh vực"),
            Field("ma_thu_tuc", "mã thủ tục"),
            Field("thu_tuc", "tên thủ tục"),
            Field("tiep_nhan", "thời điểm tiếp nhận"),
            Field("hen_tra", "thời điểm hẹn trả"),
            Field("ket_thuc", "thời điểm kết thúc"),
            Field("so_ngay", "số ngày làm việc quá hạn"),
            Field("tinh_trang", "đã hay đang giải quyết"),
            *(column.field for topic in TOPICS for column in topic.delayed),
        ),
        many=True,
    ),
    Field("so_dong_tra_lai", "số dòng của danh sách trả lại, bổ sung"),
    Field("con_tra_lai", "số dòng không in ra vì danh sách quá dài"),
    Field(
        "tra_lai",
        "danh sách trả lại, yêu cầu bổ sung",
        (
            _NUMBER,
            Field("ma", "mã hồ sơ"),
            Field("don_vi", "đơn vị"),
            Field("linh_vuc", "lĩnh vực"),
            Field("thu_tuc", "tên thủ tục"),
            Field("hinh_thuc", "trả lại hay yêu cầu bổ sung"),
            Field("thoi_diem", "thời điểm"),
            Field("so_lan", "số lần yêu cầu bổ sung"),
            Field("dang_cho", "“Đang chờ” khi còn chờ bổ sung ở cuối kỳ"),
            Field("tinh_trang", "tình trạng hiện nay"),
        ),
        many=True,
    ),
    Field("da_chot", "số liệu chốt lúc nào; trống khi chưa chốt"),
    Field("so_dinh_chinh", "số đính chính sau khi chốt"),
    Field("con_dinh_chinh", "số đính chính không in ra vì danh sách quá dài"),
    Field(
        "dinh_chinh",
        "các chỉ tiêu nay cho số khác số đã chốt",
        (
            _NUMBER,
            Field("don_vi", "đơn vị"),
            Field("linh_vuc", "lĩnh vực"),
            Field("thu_tuc", "mã, tên thủ tục"),
            Field("chi_tieu", "chỉ tiêu, theo cột của Biểu II.06a"),
            Field("da_chot", "số đã chốt"),
            Field("hien_co", "số theo dữ liệu hiện có"),
            Field("chenh_lech", "chênh lệch, có dấu"),
        ),
        many=True,
    ),
    *(
        Field(name, f"biểu đồ {meaning}; trống khi không có", kind=Kind.PARAGRAPH)
        for name, (_, meaning) in CHARTS.items()
    ),
    Field("niem_phong", "mã niêm phong sổ cái"),
    *(field for topic in TOPICS for field in topic.fields),
)
"""Every field, in the order in which people read of them."""


def listed(fields: Sequence[Field] = FIELDS, above: str = "") -> Iterator[tuple[str, str]]:
    """Each field as it is written in a template, and its meaning: those of a list with the list's name and ``[]``."""
    for field in fields:
        name = f"{above}{field.name}{'[]' if field.many else ''}"
        yield name, field.meaning
        yield from listed(field.fields, f"{name}.")
