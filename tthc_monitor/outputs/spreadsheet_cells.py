"""Texts that a spreadsheet would take for a formula, made harmless: the one place that says which, and how.

A text is dangerous when it begins with one of :data:`SIGNS`. In CSV an apostrophe is put before it, and before one that
begins with apostrophes and then a sign, so that taking away one apostrophe always gives back what it was. Numbers that
are numbers stay numbers.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

SIGNS: Final = "=+-@\t\r\n＝＋－＠"
"""Signs with which formulas begin, or that spreadsheets drop before they look; the wide ones count in Asian settings."""

_PATTERN: Final = f"^'*[{re.escape(SIGNS)}]"
_DANGEROUS: Final = re.compile(_PATTERN)


def is_dangerous(text: str) -> bool:
    """Whether a text would be written with an apostrophe before it."""
    return _DANGEROUS.match(text) is not None


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if is_dangerous(text) else text


def restored(text: str) -> str:
    """What :func:`neutral` was given."""
    return text[1:] if text.startswith("'") and is_dangerous(text) else text


def dangerous(column: str) -> pl.Expr:
    """Which values of a text column :func:`neutralised` changes."""
    return pl.col(column).str.contains(_PATTERN).fill_null(False)


def neutralised(column: str) -> pl.Expr:
    """A text column whose values no spreadsheet takes for formulas."""
    apostrophe = pl.concat_str(pl.lit("'"), pl.col(column))
    return pl.when(dangerous(column)).then(apostrophe).otherwise(pl.col(column)).alias(column)
