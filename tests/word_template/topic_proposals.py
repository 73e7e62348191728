"""What the figures ask for, and the last sentence of the report."""

from __future__ import annotations

from tests.word_template.markup import each, paragraph, when


def section(number: str) -> str:
    """The section."""
    return (
        paragraph("Muc", f"{number}. ĐỀ XUẤT, KIẾN NGHỊ")
        + each("cau", "de_xuat", paragraph("NoiDung", "{{ loop.index }}. {{ cau }}"))
        + when("not de_xuat", paragraph("NoiDung", "Không có."))
    )
