"""Form II.06a as a table of the document."""

from __future__ import annotations

from tests.word_template.markup import KEEP_NEXT, cell, mm, paragraph, row, table, tag_row

_COUNTS = (
    *("tong", "truc_tuyen", "truc_tiep", "ky_truoc", "da_giai_quyet", "truoc_han", "dung_han", "da_qua_han"),
    *("dang_giai_quyet", "trong_han", "dang_qua_han", "da_chua_ro", "dang_chua_ro"),
)
_COUNT_TITLES = (
    *("Tổng số", "Trực tuyến", "Trực tiếp, dịch vụ bưu chính", "Từ kỳ trước"),
    *("Tổng số", "Trước hạn", "Đúng hạn", "Quá hạn", "Tổng số", "Trong hạn", "Quá hạn"),
    *("Đã giải quyết", "Đang giải quyết"),
)
_ONLINE = 3
"""Place of the first of the two columns of what came in within the period."""
_GROUPS = (("Nhận giải quyết", 4), ("Đã giải quyết", 4), ("Đang giải quyết", 3), ("Chưa xác định hạn", 2))


def form() -> str:
    """The form with its own head, its checks and its notes."""
    widths = [mm(10), mm(42), mm(15), mm(15), mm(20), *[mm(15)] * 10]
    counted = widths[2:]

    def title(place: int, text: str = "", merge: str = "", span: int = 1) -> str:
        return cell(sum(widths[place : place + span]), paragraph("BieuDau", text), span=span, merge=merge)

    places = iter(range(len(widths)))
    first = [title(next(places), text, "restart") for text in ("TT", "Lĩnh vực, công việc giải quyết theo cấp")]
    for text, count in _GROUPS:
        of_group = [next(places) for _ in range(count)]
        first.append(title(of_group[0], text, span=count))
    second = [title(0, merge="continue"), title(1, merge="continue")]
    third = list(second)
    for place, text in enumerate(_COUNT_TITLES, start=2):
        if place == _ONLINE:
            second.append(title(place, "Trong kỳ", span=2))
        elif place != _ONLINE + 1:
            second.append(title(place, text, "restart"))
        third.append(title(place, text) if place in (_ONLINE, _ONLINE + 1) else title(place, merge="continue"))
    numbers = [cell(width, paragraph("BieuGiua", f"({place})")) for place, width in enumerate(widths, start=1)]

    def line(number: str, name: str, of: str, *, bold: bool, more: str = "") -> str:
        counts = [
            cell(width, paragraph("BieuSo", f"{{{{ {of}.{field} }}}}", bold=bold, more=more))
            for width, field in zip(counted, _COUNTS, strict=True)
        ]
        named = [
            cell(widths[0], paragraph("BieuGiua", number, bold=bold, more=more)),
            cell(widths[1], paragraph("BieuChu", name, bold=bold, more=more)),
        ]
        return row([*named, *counts])

    rows = [
        row(first, head=True),
        row(second, head=True),
        row(third, head=True),
        row(numbers, head=True),
        tag_row("{%tr for don_vi in bieu %}", widths),
        line("{{ don_vi.tt }}", "{{ don_vi.ten }}", "don_vi", bold=True, more=KEEP_NEXT),
        tag_row("{%tr for linh_vuc in don_vi.linh_vuc %}", widths),
        line("{{ linh_vuc.tt }}", "{{ linh_vuc.ten }}", "linh_vuc", bold=False),
        tag_row("{%tr endfor %}", widths),
        tag_row("{%tr endfor %}", widths),
        line("", "TỔNG CỘNG", "so", bold=True),
    ]
    return (
        paragraph("DauBieu", "Biểu số II.06a/VPCP/KSTT", bold=True)
        + paragraph("DauBieu", "Kỳ báo cáo: {{ ky }} (Từ ngày {{ tu_ngay }} đến ngày {{ den_ngay }})")
        + paragraph("DauBieu", "Đơn vị báo cáo: {{ ten_co_quan }}")
        + paragraph("DauBieu", "Đơn vị nhận báo cáo: {{ kinh_gui|join('; ') or '………………………………' }}")
        + paragraph("DauBieuPhai", "Đơn vị tính: Số hồ sơ TTHC")
        + table(widths, rows)
        + paragraph("GhiChu", "Kiểm tra số liệu (trên từng dòng; giá trị của dòng tổng cộng):", bold=True)
        + paragraph("GhiChu", "{%p for dong in kiem_tra %}")
        + paragraph("GhiChu", "{{ dong.ten }}: {{ dong.ve_trai }} và {{ dong.ve_phai }} – {{ dong.ket_qua }}")
        + paragraph("GhiChu", "{%p endfor %}")
        + paragraph("GhiChu", "Ghi chú cách xếp số liệu vào các cột:", bold=True)
        + paragraph("GhiChu", "{%p for dong in ghi_chu %}")
        + paragraph("GhiChu", "{{ loop.index }}. {{ dong }}")
        + paragraph("GhiChu", "{%p endfor %}")
        + paragraph("GhiChu", "{{ niem_phong }}")
    )
