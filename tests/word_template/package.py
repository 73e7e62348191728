"""The shipped template as a file: its parts, and the bytes that they give."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

from tests.word_template.annexes import annexes
from tests.word_template.letter import letter
from tests.word_template.markup import DECLARATION, NAMESPACES, paragraph
from tests.word_template.styles import STYLES
from tthc_monitor.outputs import report_docx

SHIPPED = Path(report_docx.__file__).with_name("templates") / report_docx.SHIPPED_TEMPLATE
_TYPES = "http://schemas.openxmlformats.org/package/2006"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_PAGE = (
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> PAGE </w:instrText></w:r>'
    '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>2</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
)


def parts() -> dict[str, str]:
    """Every part of the template by its name in the file."""
    styled = {
        "document": "document.main",
        "styles": "styles",
        "settings": "settings",
        "header1": "header",
        "header2": "header",
    }
    overrides = "".join(
        f'<Override PartName="/word/{part}.xml" ContentType="{_WORD}.{kind}+xml"/>' for part, kind in styled.items()
    )
    overrides += '<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>'
    related = {"rIdKieu": "styles", "rIdThietLap": "settings"}
    links = "".join(
        f'<Relationship Id="{key}" Type="{_RELATIONS}/{part}" Target="{part}.xml"/>' for key, part in related.items()
    )
    links += "".join(
        f'<Relationship Id="{key}" Type="{_RELATIONS}/header" Target="{part}.xml"/>'
        for key, part in {"rIdTrang": "header1", "rIdDau": "header2"}.items()
    )
    return {
        "[Content_Types].xml": (
            f'{DECLARATION}<Types xmlns="{_TYPES}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
        ),
        "_rels/.rels": (
            f'{DECLARATION}<Relationships xmlns="{_TYPES}/relationships">'
            f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="word/document.xml"/>'
            f'<Relationship Id="rId2" Type="{_TYPES}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
            "</Relationships>"
        ),
        "docProps/core.xml": (
            f'{DECLARATION}<cp:coreProperties xmlns:cp="{_TYPES}/metadata/core-properties"'
            ' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Mẫu báo cáo tháng</dc:title></cp:coreProperties>'
        ),
        "word/document.xml": f"{DECLARATION}<w:document {NAMESPACES}><w:body>{letter()}{annexes()}</w:body></w:document>",
        "word/_rels/document.xml.rels": f'{DECLARATION}<Relationships xmlns="{_TYPES}/relationships">{links}</Relationships>',
        "word/styles.xml": STYLES,
        "word/settings.xml": (
            f'{DECLARATION}<w:settings {NAMESPACES}><w:zoom w:percent="100"/><w:defaultTabStop w:val="720"/>'
            '<w:characterSpacingControl w:val="doNotCompress"/><w:compat><w:compatSetting w:name="compatibilityMode"'
            ' w:uri="http://schemas.microsoft.com/office/word" w:val="15"/></w:compat>'
            '<w:themeFontLang w:val="vi-VN"/><w:decimalSymbol w:val=","/><w:listSeparator w:val=";"/></w:settings>'
        ),
        "word/header1.xml": f"{DECLARATION}<w:hdr {NAMESPACES}>{paragraph('SoTrang').replace('</w:p>', f'{_PAGE}</w:p>')}</w:hdr>",
        "word/header2.xml": f"{DECLARATION}<w:hdr {NAMESPACES}>{paragraph('SoTrang')}</w:hdr>",
    }


def packed() -> bytes:
    """The template's file, the same whenever it is made."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts().items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, content.encode())
    return buffer.getvalue()
