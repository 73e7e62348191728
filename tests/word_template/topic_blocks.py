"""What sections of topics are made of: tables with a row for each item."""

from __future__ import annotations

from collections.abc import Sequence

from tests.word_template.markup import Column, cell, mm, paragraph, row, table, tag_row, when


def listing(title: str, items: str, columns: Sequence[Column]) -> str:
    """A table with its title; without any item neither is there."""
    widths = [mm(column.width) for column in columns]
    rows = table(
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
    return when(items, paragraph("TenBang", title), rows)
