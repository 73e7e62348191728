"""The order of the annexes, by which sections refer to them by number."""

from __future__ import annotations

from tthc_monitor.outputs.report_form import roman

ANNEXES = ("form", "units", "delayed", "sent-back", "details", "reconciliation", "errata")
"""Names of the annexes in their order; those of topics stand before the errata."""
UPRIGHT = ("details",)
"""Annexes of narrow tables, on pages that stand upright; the last two of all never do, for they share a section's layout."""


def annex_number(name: str) -> str:
    """The Roman number of an annex."""
    return roman(1 + ANNEXES.index(name))
