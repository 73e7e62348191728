"""The order of the annexes, by which sections refer to them by number."""

from __future__ import annotations

from tthc_monitor.outputs.report_form import roman

ANNEXES = ("form", "units", "delayed", "sent-back", "reconciliation", "details", "errata")
"""Names of the annexes in their order; those of topics stand before the errata."""


def annex_number(name: str) -> str:
    """The Roman number of an annex."""
    return roman(1 + ANNEXES.index(name))
