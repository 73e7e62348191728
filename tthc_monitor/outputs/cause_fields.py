"""Columns of the tables about causes of delay, and the fields that they fill in the Word template."""

from __future__ import annotations

from typing import Final

from tthc_monitor.domain.causes import CLASS_TITLES
from tthc_monitor.outputs.report_apologies import FIELDS_APOLOGIES
from tthc_monitor.outputs.report_faults import FIELDS_FAULTS
from tthc_monitor.outputs.report_tables import TableColumn
from tthc_monitor.outputs.word_fields import Field

CLASSES: Final = tuple(CLASS_TITLES)
"""Names of all classes, in the order in which they are shown."""
_CLASS_COLUMNS: Final = tuple(TableColumn(name, title, "count") for name, title in CLASS_TITLES.items())

COLUMNS: Final = (
    TableColumn("cause_code", "Mã nguyên nhân", "code", technical=True),
    TableColumn("cause_name", "Nguyên nhân"),
    TableColumn("class_name", "Loại"),
    TableColumn("dossiers", "Số hồ sơ quá hạn", "count"),
    TableColumn("percent", "Tỷ trọng (%)", "percent"),
    TableColumn("finished_late", "Đã giải quyết quá hạn", "count"),
    TableColumn("open_overdue", "Đang giải quyết quá hạn", "count"),
    TableColumn("by_records", "Xác định theo dữ liệu", "count"),
    TableColumn("by_person", "Do người có trách nhiệm xác định", "count"),
)
UNIT_COLUMNS: Final = (
    TableColumn("unit_code", "Mã đơn vị", "code"),
    TableColumn("unit_name", "Đơn vị"),
    TableColumn("delayed", "Tổng số quá hạn", "count"),
    TableColumn("real", "Chậm thực", "count"),
    *_CLASS_COLUMNS[:2],
    TableColumn("apparent", "Không phải chậm thực", "count"),
    *_CLASS_COLUMNS[2:],
)
_COUNTED: Final = (
    Field("tong", "tổng số hồ sơ quá hạn"),
    Field("cham_thuc", "chậm thực: chủ quan và khách quan"),
    Field("chu_quan", "nguyên nhân chủ quan"),
    Field("khach_quan", "nguyên nhân khách quan"),
    Field("khong_cham_thuc", "không phải chậm thực: phần mềm, đồng bộ và bấm kết thúc chậm"),
    Field("phan_mem", "do phần mềm, đồng bộ"),
    Field("bam_cham", "đã xử lý đúng hạn, bấm kết thúc chậm"),
    Field("chua_ro", "chưa rõ nguyên nhân"),
)
_SHARES: Final = (
    Field("ty_le_cham_thuc", "tỷ trọng chậm thực"),
    Field("ty_le_khong_cham_thuc", "tỷ trọng không phải chậm thực"),
    Field("ty_le_chua_ro", "tỷ trọng chưa rõ nguyên nhân"),
)
FIELDS_CAUSES: Final = (
    Field("nguyen_nhan", "hồ sơ quá hạn theo loại nguyên nhân", (*_COUNTED, *_SHARES)),
    Field("nguyen_nhan_do_nguoi", "số hồ sơ mà nguyên nhân do người có trách nhiệm xác định"),
    Field(
        "nguyen_nhan_chi_tiet",
        "từng nguyên nhân có hồ sơ, nhiều nhất trước trong mỗi loại, tối đa 10; cuối cùng là chưa rõ nguyên nhân",
        (
            Field("tt", "số thứ tự"),
            Field("ma", "mã nguyên nhân"),
            Field("ten", "tên nguyên nhân"),
            Field("loai", "loại nguyên nhân"),
            Field("so", "số hồ sơ"),
            Field("ty_trong", "tỷ trọng trong tổng số hồ sơ quá hạn"),
            Field("theo_du_lieu", "xác định theo dữ liệu"),
            Field("do_nguoi", "do người có trách nhiệm xác định"),
        ),
        many=True,
    ),
    Field(
        "nguyen_nhan_don_vi",
        "đơn vị có hồ sơ quá hạn, nhiều nhất trước, tối đa 10, theo loại nguyên nhân",
        (Field("tt", "số thứ tự"), Field("ten", "tên đơn vị"), *_COUNTED),
        many=True,
    ),
    Field("con_nguyen_nhan_don_vi", "số đơn vị có hồ sơ quá hạn không nằm trong nguyen_nhan_don_vi"),
    *FIELDS_FAULTS,
    *FIELDS_APOLOGIES,
)
