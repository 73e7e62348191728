"""What the units, sectors and dossiers of a report's rows are called."""

from __future__ import annotations

import pandas as pd

from tthc_monitor.outputs import wording


def unit_labels(rows: pd.DataFrame) -> list[str]:
    """What the units of rows are called, by ``unit_name`` and ``unit_code``."""
    return named(rows, "unit_name", "unit_code", wording.unit_label(None, None))


def named(rows: pd.DataFrame, name: str, code: str, nameless: str) -> list[str]:
    """The names in a column, else the codes in another, else what stands for neither."""
    pairs = zip(rows[name].tolist(), rows[code].tolist(), strict=True)
    return [next((text for text in pair if isinstance(text, str) and text), nameless) for pair in pairs]


def dossier_numbers(rows: pd.DataFrame) -> list[str]:
    """The numbers of dossiers (``code``), by ``has_number``; the key of a source stands for none of them on paper."""
    pairs = zip(rows["code"].tolist(), rows["has_number"].tolist(), strict=True)
    return [code if numbered else wording.NO_NUMBER for code, numbered in pairs]
