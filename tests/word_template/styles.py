"""The styles of the report, by the table of NĐ 30/2020/NĐ-CP, Annex I; an office changes a letter's size here, in Word."""

from __future__ import annotations

from tests.word_template.markup import DECLARATION, NAMESPACES, style

_BASE = (
    '<w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Times New Roman" w:hAnsi="Times New Roman"'
    ' w:eastAsia="Times New Roman" w:cs="Times New Roman"/><w:color w:val="000000"/><w:sz w:val="28"/><w:szCs w:val="28"/>'
    '<w:lang w:val="vi-VN" w:eastAsia="vi-VN" w:bidi="ar-SA"/></w:rPr></w:rPrDefault>'
    '<w:pPrDefault><w:pPr><w:spacing w:before="0" w:after="0" w:line="240" w:lineRule="auto"/></w:pPr></w:pPrDefault>'
    "</w:docDefaults>"
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/><w:qFormat/></w:style>'
    '<w:style w:type="character" w:default="1" w:styleId="DefaultParagraphFont"><w:name w:val="Default Paragraph Font"/>'
    '<w:uiPriority w:val="1"/><w:semiHidden/></w:style>'
    '<w:style w:type="table" w:default="1" w:styleId="TableNormal"><w:name w:val="Normal Table"/><w:uiPriority w:val="99"/>'
    '<w:semiHidden/><w:tblPr><w:tblInd w:w="0" w:type="dxa"/><w:tblCellMar><w:top w:w="0" w:type="dxa"/>'
    '<w:left w:w="108" w:type="dxa"/><w:bottom w:w="0" w:type="dxa"/><w:right w:w="108" w:type="dxa"/></w:tblCellMar>'
    "</w:tblPr></w:style>"
)
_RULES = "".join(
    f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="000000"/>'
    for side in ("top", "left", "bottom", "right", "insideH", "insideV")
)
_RULED = (
    '<w:style w:type="table" w:customStyle="1" w:styleId="BangKe"><w:name w:val="Bảng kẻ"/><w:basedOn w:val="TableNormal"/>'
    f"<w:tblPr><w:tblBorders>{_RULES}</w:tblBorders><w:tblCellMar>"
    '<w:top w:w="20" w:type="dxa"/><w:left w:w="70" w:type="dxa"/><w:bottom w:w="20" w:type="dxa"/>'
    '<w:right w:w="70" w:type="dxa"/></w:tblCellMar></w:tblPr></w:style>'
)

STYLES = "".join(
    (
        DECLARATION,
        f"<w:styles {NAMESPACES}>",
        _BASE,
        style("QuocHieu", "Quốc hiệu", 12, bold=True, align="center"),
        style("TieuNgu", "Tiêu ngữ", 13, bold=True, align="center"),
        style("ChuQuan", "Cơ quan chủ quản", 12, align="center"),
        style("CoQuan", "Cơ quan ban hành", 12, bold=True, align="center"),
        style("KeNgang", "Kẻ ngang", 2, align="center", before=3),
        style("SoKyHieu", "Số, ký hiệu", 13, align="center", before=6),
        style("DiaDanh", "Địa danh, thời gian", 13, italic=True, align="center", before=6),
        style("TenLoai", "Tên loại", 14, bold=True, align="center", before=18, keep=True),
        style("TrichYeu", "Trích yếu", 14, bold=True, align="center", keep=True),
        style("KinhGui", "Kính gửi", 14, align="center", before=12, after=6),
        style("KinhGuiDong", "Kính gửi, từng nơi", 14, first_line=50, before=0),
        style("CanCu", "Căn cứ", 14, italic=True, align="both", before=6, first_line=12.7),
        style("NoiDung", "Nội dung", 14, align="both", before=6, first_line=12.7),
        style("KetThuc", "Kết thúc", 14, align="both", before=6, first_line=12.7, keep=True),
        style("Muc", "Mục", 14, bold=True, align="left", before=6, first_line=12.7, keep=True, outline=0),
        style("Khoan", "Khoản", 14, bold=True, align="left", before=6, first_line=12.7, keep=True, outline=1),
        style("TenBang", "Tên bảng", 13, bold=True, align="center", before=8, after=4, keep=True),
        style("BangDau", "Bảng, đầu cột", 12, bold=True, align="center"),
        style("BangChu", "Bảng, chữ", 12),
        style("BangGiua", "Bảng, giữa", 12, align="center"),
        style("BangSo", "Bảng, số", 12, align="right"),
        style("ChucVu", "Chức vụ", 14, bold=True, align="center", keep=True),
        style("HoTen", "Họ tên", 14, bold=True, align="center"),
        style("NoiNhan", "Nơi nhận", 12, bold=True, italic=True),
        style("NoiNhanDong", "Nơi nhận, từng nơi", 11),
        style("PhuLuc", "Phụ lục", 14, bold=True, align="center", keep=True, outline=0),
        style("TenPhuLuc", "Tên phụ lục", 14, bold=True, align="center", keep=True),
        style("KemTheo", "Kèm theo", 14, italic=True, align="center", after=6, keep=True),
        style("DauBieu", "Đầu biểu", 11, before=2),
        style("DauBieuPhai", "Đầu biểu, bên phải", 11, italic=True, align="right", after=3),
        style("BieuDau", "Biểu, đầu cột", 10, bold=True, align="center"),
        style("BieuChu", "Biểu, chữ", 10),
        style("BieuGiua", "Biểu, giữa", 10, align="center"),
        style("BieuSo", "Biểu, số", 10, align="right"),
        style("GhiChu", "Ghi chú", 11, italic=True, align="both", before=3),
        style("SoTrang", "Số trang", 14, align="center"),
        _RULED,
        "</w:styles>",
    )
)
