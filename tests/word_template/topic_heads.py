"""Heads of the units that are late: a part of the section about units, when the office tells who they are."""

from __future__ import annotations

from tests.word_template.markup import Column, paragraph, when
from tests.word_template.topic_blocks import listing

_COLUMNS = (
    Column("TT", 9, "tt", "BangGiua"),
    Column("Đơn vị", 30, "don_vi", "BangChu"),
    Column("Người đứng đầu", 28, "nguoi", "BangChu"),
    Column("Quá hạn", 13, "qua_han", "BangSo"),
    Column("Tỷ trọng", 18, "ty_trong", "BangGiua"),
    Column("Đã giải quyết có hạn", 17, "da_co_han", "BangSo"),
    Column("Tỷ lệ đúng hạn (đã giải quyết)", 21, "ty_le_dung_han", "BangGiua"),
    Column("Thủ tục quá hạn nhiều nhất", 29, "thu_tuc", "BangChu"),
)


def part() -> str:
    """The table, to stand below that of late units."""
    return when(
        "co_nguoi_dung_dau",
        listing("Người đứng đầu các đơn vị có nhiều hồ sơ quá hạn nhất", "nguoi_dung_dau", _COLUMNS),
        when(
            "ma_don_vi_la",
            paragraph("GhiChu", "Tệp người đứng đầu có mã đơn vị mà dữ liệu không có: {{ ma_don_vi_la }}."),
        ),
    )
