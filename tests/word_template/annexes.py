"""The annexes of the report: form II.06a and the lists, each numbered by itself, on landscape pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tests.word_template import details, topic_reconciliation
from tests.word_template.form import form
from tests.word_template.markup import (
    Column,
    cell,
    end_of_section,
    mm,
    paragraph,
    row,
    section,
    table,
    tag_row,
)
from tests.word_template.order import ANNEXES, UPRIGHT, annex_number
from tthc_monitor.outputs.report_topics import TOPICS

_WITH = "(Kèm theo Báo cáo số {{ so_ky_hieu or '     /BC-' ~ viet_tat }} ngày      {{ thang_nam_lap }} của {{ ten_co_quan }})"
_PAGE = 252
"""Millimetres between the margins."""


def annexes() -> str:
    """All annexes; the last two share their section's layout, for the last is there only when there are errata."""
    *others, before_last, last = ANNEXES
    return (
        "".join(_ANNEXES[name](annex_number(name)) + end_of_section(landscape=name not in UPRIGHT) for name in others)
        + _ANNEXES[before_last](annex_number(before_last))
        + paragraph("BieuChu", "{%p if so_dinh_chinh %}")
        + end_of_section(landscape=True)
        + _ANNEXES[last](annex_number(last))
        + paragraph("BieuChu", "{%p endif %}")
        + section(landscape=True)
    )


def _heading(number: str, title: str) -> str:
    return (
        paragraph("PhuLuc", f"Phụ lục {number}")
        + paragraph("TenPhuLuc", title)
        + paragraph("KemTheo", _WITH)
        + paragraph("KeNgang")
    )


def _form(number: str) -> str:
    return _heading(number, "TÌNH HÌNH, KẾT QUẢ GIẢI QUYẾT TTHC TẠI CƠ QUAN, ĐƠN VỊ TRỰC TIẾP GIẢI QUYẾT TTHC") + form()


def _list(columns: Sequence[Column], each: str, items: str) -> str:
    """A table with a row for each item; without any it says so.

    Word processors lay out a table in the square of its rows' number: a long list is several tables, one below the other.
    """
    widths = [mm(column.width) for column in columns]
    rows = [
        row([cell(mm(column.width), paragraph("BieuDau", column.title)) for column in columns], head=True),
        tag_row(f"{{%tr for {each} in phan %}}", widths),
        row(
            [cell(mm(column.width), paragraph(column.style, f"{{{{ {each}.{column.field} }}}}")) for column in columns]
        ),
        tag_row("{%tr else %}", widths),
        row([cell(sum(widths), paragraph("BieuGiua", "Không có."), span=len(widths))]),
        tag_row("{%tr endfor %}", widths),
    ]
    return (
        paragraph("BieuChu", f"{{%p for phan in ({items}|batch(500)|list) or [[]] %}}")
        + table(widths, rows)
        + paragraph("KeNgang")
        + paragraph("BieuChu", "{%p endfor %}")
    )


def _more(count: str, what: str) -> str:
    return (
        paragraph("GhiChu", f"{{%p if {count} %}}")
        + paragraph("GhiChu", f"Còn {{{{ {count} }}}} {what} khác, xem danh sách đầy đủ trong bảng tính kèm theo.")
        + paragraph("GhiChu", "{%p endif %}")
    )


def _units(number: str) -> str:
    columns = (
        Column("TT", 10, "tt", "BieuGiua"),
        Column("Đơn vị", 60, "ten"),
        Column("Mã đơn vị", 28, "ma"),
        Column("Quá hạn (đã và đang giải quyết)", 20, "qua_han", "BieuSo"),
        Column("Đã giải quyết, có hạn (mẫu số)", 20, "da_co_han", "BieuSo"),
        Column("Đã giải quyết quá hạn", 18, "da_qua_han", "BieuSo"),
        Column("Tỷ lệ đúng hạn", 20, "ty_le_dung_han", "BieuGiua"),
        Column("Đang giải quyết, có hạn (mẫu số)", 20, "dang_co_han", "BieuSo"),
        Column("Đang giải quyết quá hạn", 18, "dang_qua_han", "BieuSo"),
        Column("Tỷ lệ còn trong hạn", 20, "ty_le_trong_han", "BieuGiua"),
        Column("Chưa xác định hạn", 18, "chua_ro", "BieuSo"),
    )
    return (
        _heading(number, "KẾT QUẢ GIẢI QUYẾT TTHC CỦA CÁC ĐƠN VỊ, XẾP THEO SỐ HỒ SƠ QUÁ HẠN")
        + paragraph(
            "GhiChu",
            "Tỷ lệ đúng hạn = (trước hạn + đúng hạn) / hồ sơ đã giải quyết có hạn. Tỷ lệ còn trong hạn = trong hạn / hồ sơ "
            "đang giải quyết có hạn. Hồ sơ chưa xác định hạn không nằm trong tử số, mẫu số.",
        )
        + _list(columns, "dv", "don_vi")
    )


def _of_topics() -> tuple[Column, ...]:
    """What topics know of each delayed dossier, as far as a page has room for it; the workbook has all."""
    room = {"nguyen_nhan": 27.0, "khau_cham": 27.0, "xin_loi": 18.0}
    told = [column for source in TOPICS for column in source.delayed if column.field.name in room]
    return tuple(Column(one.column.title, room[one.field.name], one.field.name) for one in told)


def _fitted(columns: Sequence[Column]) -> list[Column]:
    """The columns as wide as the page, by their proportions."""
    wide = sum(column.width for column in columns)
    return [replace(column, width=column.width * _PAGE / wide) for column in columns]


def _delayed(number: str) -> str:
    columns = (
        Column("TT", 10, "tt", "BieuGiua"),
        Column("Đơn vị", 26, "don_vi"),
        Column("Lĩnh vực", 20, "linh_vuc"),
        Column("Mã hồ sơ", 28, "ma"),
        Column("Thủ tục hành chính", 32, "thu_tuc"),
        Column("Ngày nhận", 20, "tiep_nhan", "BieuGiua"),
        Column("Ngày hẹn trả", 20, "hen_tra", "BieuGiua"),
        Column("Ngày kết thúc", 20, "ket_thuc", "BieuGiua"),
        Column("Số ngày quá hạn", 13, "so_ngay", "BieuSo"),
        *_of_topics(),
    )
    return (
        _heading(number, "DANH SÁCH HỒ SƠ QUÁ HẠN")
        + paragraph(
            "GhiChu",
            "Danh sách gồm {{ so_ho_so_qua_han }} hồ sơ. Số ngày làm việc quá hạn tính từ sau ngày hẹn trả; 0 là quá hạn trong chính ngày hẹn trả. Hồ sơ chưa kết thúc "
            "(để trống ngày kết thúc) tính đến {{ so_lieu_den }}.",
        )
        + _list(_fitted(columns), "hs", "ho_so_qua_han")
        + _more("con_ho_so_qua_han", "hồ sơ")
    )


def _sent_back(number: str) -> str:
    columns = (
        Column("TT", 11, "tt", "BieuGiua"),
        Column("Mã hồ sơ", 36, "ma"),
        Column("Đơn vị", 32, "don_vi"),
        Column("Lĩnh vực", 28, "linh_vuc"),
        Column("Thủ tục hành chính", 48, "thu_tuc"),
        Column("Hình thức", 26, "hinh_thuc"),
        Column("Thời điểm", 20, "thoi_diem", "BieuGiua"),
        Column("Số lần yêu cầu bổ sung", 14, "so_lan", "BieuSo"),
        Column("Chờ bổ sung cuối kỳ", 15, "dang_cho", "BieuGiua"),
        Column("Tình trạng (lúc lập báo cáo)", 22, "tinh_trang"),
    )
    return (
        _heading(number, "HỒ SƠ TRẢ LẠI, YÊU CẦU BỔ SUNG TRONG KỲ")
        + paragraph(
            "GhiChu",
            "Danh sách gồm {{ so_dong_tra_lai }} dòng: mỗi lần trả lại, mỗi lần yêu cầu bổ sung còn ghi nhận là một dòng.",
        )
        + _list(columns, "hs", "tra_lai")
        + _more("con_tra_lai", "dòng")
    )


def _reconciliation(number: str) -> str:
    return (
        _heading(number, "HỒ SƠ MÀ CÁC CÁCH TÍNH CHO KẾT LUẬN KHÁC NHAU")
        + _list(topic_reconciliation.DOSSIERS, "hs", "doi_soat_ho_so")
        + _more("doi_soat_con_ho_so", "hồ sơ")
    )


def _details(number: str) -> str:
    """What the sections of topics have no room for."""
    return _heading(number, "SỐ LIỆU CHI TIẾT THEO CHUYÊN ĐỀ") + details.details()


def _errata(number: str) -> str:
    columns = (
        Column("TT", 11, "tt", "BieuGiua"),
        Column("Đơn vị", 40, "don_vi"),
        Column("Lĩnh vực", 34, "linh_vuc"),
        Column("Thủ tục hành chính", 62, "thu_tuc"),
        Column("Chỉ tiêu (cột của Biểu II.06a)", 51, "chi_tieu"),
        Column("Số đã chốt", 18, "da_chot", "BieuSo"),
        Column("Số theo dữ liệu hiện có", 18, "hien_co", "BieuSo"),
        Column("Chênh lệch", 18, "chenh_lech", "BieuSo"),
    )
    return (
        _heading(number, "ĐÍNH CHÍNH SỐ LIỆU ĐÃ CHỐT")
        + paragraph(
            "GhiChu",
            f"{{{{ da_chot }}}}. Phụ lục {annex_number('form')}, Phụ lục {annex_number('units')} giữ nguyên số đã chốt.",
        )
        + _list(columns, "dong", "dinh_chinh")
        + _more("con_dinh_chinh", "đính chính")
    )


_ANNEXES: Mapping[str, Callable[[str], str]] = {
    "form": _form,
    "units": _units,
    "delayed": _delayed,
    "sent-back": _sent_back,
    "reconciliation": _reconciliation,
    "details": _details,
    "errata": _errata,
}
