"""Prints what became of each fault of each kind of source, from what the fault matrix noted."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def fault_table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """One line a fault, one column a kind; a dash where a kind does not know a fault. Empty when nothing was noted."""
    noted: dict[str, dict[str, str]] = {}
    kinds: dict[str, None] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == "fault":
                kind, fault, came = value  # type: ignore[misc,unused-ignore]
                kinds[kind] = None
                noted.setdefault(fault, {})[kind] = came
    if not noted:
        return []
    rows = [["fault", *kinds], *([fault, *(came.get(kind, "-") for kind in kinds)] for fault, came in noted.items())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
