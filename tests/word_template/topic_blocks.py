"""What sections of topics are made of: tables with a row for each item."""

from __future__ import annotations

from collections.abc import Sequence

from tests.word_template.markup import Column, cell, mm, paragraph, row, table, tag_row


def listing(title: str, items: str, columns: Sequence[Column]) -> str:
    """A table with its title; without any item it says so."""
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
            tag_row("{%tr else %}", widths),
            row([cell(sum(widths), paragraph("BangGiua", "Không có."), span=len(widths))]),
            tag_row("{%tr endfor %}", widths),
        ],
    )
