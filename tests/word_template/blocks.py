"""What several sections of the report are made of: a part under a condition, a list of paragraphs, a table of rows."""

from __future__ import annotations

from collections.abc import Sequence

from tests.word_template.annexes import Column
from tests.word_template.markup import cell, mm, paragraph, row, table, tag_row


def when(condition: str, *content: str) -> str:
    """Content that is there when a condition holds."""
    return paragraph("BangChu", f"{{%p if {condition} %}}") + "".join(content) + paragraph("BangChu", "{%p endif %}")


def each(name: str, items: str, *content: str) -> str:
    """Content for each of some items."""
    return (
        paragraph("BangChu", f"{{%p for {name} in {items} %}}")
        + "".join(content)
        + paragraph("BangChu", "{%p endfor %}")
    )


def listing(items: str, title: str, columns: Sequence[Column]) -> str:
    """A table with a name: a row for each of some items."""
    widths = [mm(column.width) for column in columns]
    return paragraph("TenBang", title) + table(
        widths,
        [
            row([cell(mm(column.width), paragraph("BangDau", column.title)) for column in columns], head=True),
            tag_row(f"{{%tr for dong in {items} %}}", widths),
            row(
                [
                    cell(mm(column.width), paragraph(column.style, f"{{{{ dong.{column.field} }}}}"))
                    for column in columns
                ]
            ),
            tag_row("{%tr endfor %}", widths),
        ],
    )
