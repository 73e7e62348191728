"""Texts of a column made comparable, working on each different text once where a column repeats few of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import polars as pl

_SAMPLE: Final = 2_000
_FEW: Final = 0.1
"""A column is worked on by its different texts when there are at most a tenth as many of them as rows."""


def plain(text: str) -> str:
    """A text as it is compared and kept: NFC, without blanks around it."""
    return unicodedata.normalize("NFC", text).strip()


def by_text(column: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """``change(column)``, for a change that treats every text by itself and leaves null null."""
    texts = _different(column)
    if texts is None:
        return change(column)
    changed = change(texts)
    if changed.dtype == column.dtype and changed.equals(texts, null_equal=True):
        return column
    return column.replace_strict(texts, changed, default=None, return_dtype=changed.dtype)


def has_nul(column: pl.Series) -> bool:
    """Whether a NUL character stands in any of the texts."""
    texts = _different(column)
    return bool((column if texts is None else texts).str.contains("\0", literal=True).any())


def clean(column: pl.Series, nulls: Sequence[str]) -> pl.Series:
    """Each text as :func:`plain` leaves it; null where nothing is left or it stands in ``nulls``."""

    def cleaned(texts: pl.Series) -> pl.Series:
        if texts.str.len_bytes().sum() != texts.str.len_chars().sum():
            texts = texts.str.normalize("NFC")
        texts = texts.str.strip_chars()
        return texts.set(texts.is_in(nulls), None) if texts.is_in(nulls).any() else texts

    return by_text(column, cleaned)


def without_prefix(column: pl.Series, prefixes: Sequence[str]) -> pl.Series:
    """Each text without the first of the prefixes that it begins with as a word, in any case; never an empty text."""
    pattern = prefix_pattern(prefixes)
    return by_text(column, lambda texts: texts.str.replace(pattern, "${1}"))


def prefix_pattern(prefixes: Sequence[str]) -> str:
    """Regular expression that finds one of the prefixes, the longest first, with a word after it as group 1."""
    words = sorted({plain(item) for item in prefixes}, key=len, reverse=True)
    either = "|".join(r"\s+".join(map(re.escape, item.split())) for item in words)
    return rf"(?i)^(?:{either})[\s.:-]+(\S)"


def padded(column: pl.Series, length: int) -> pl.Series:
    """Texts of ASCII digits alone, filled up with zeros on the left."""
    return _where(column, r"^[0-9]+$", lambda texts: texts.str.zfill(length))


def with_decimals(column: pl.Series, digits: int) -> pl.Series:
    """Texts that look like a number with at most so many decimals, filled up with zeros on the right."""

    def filled(texts: pl.Series) -> pl.Series:
        halves = texts.str.splitn(".", 2).struct.unnest()
        return halves["field_0"] + "." + halves["field_1"].fill_null("").str.pad_end(digits, "0")

    return _where(column, rf"^[0-9]+(\.[0-9]{{1,{digits}}})?$", filled)


def looked_up(column: pl.Series, table: Mapping[str, int | str], dtype: pl.DataType) -> pl.Series:
    """The table's value for each text, compared in lower case; null where the table has none."""
    keys, values = list(table), pl.Series(list(table.values()), dtype=dtype)
    return by_text(
        column,
        lambda texts: texts.str.to_lowercase().replace_strict(keys, values, default=None, return_dtype=dtype),
    )


def counted(column: pl.Series, thousands: str | None, dtype: pl.DataType) -> pl.Series:
    """Whole numbers that fit the type, perhaps with marked thousands or decimals of zero; null where the text is none."""

    def numbers(texts: pl.Series) -> pl.Series:
        if thousands is not None:
            grouped = texts.str.contains(rf"^[0-9]{{1,3}}(?:\{thousands}[0-9]{{3}})+$").fill_null(False)
            texts = texts.str.replace_all(thousands, "", literal=True).zip_with(grouped, texts)
        whole = texts.str.extract(r"^([0-9]{1,5})(?:\.0+)?$")
        return whole.cast(pl.Int32).cast(dtype, strict=False)

    return by_text(column, numbers)


def _where(column: pl.Series, pattern: str, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    def changed(texts: pl.Series) -> pl.Series:
        fits = texts.str.contains(pattern).fill_null(False)
        return change(texts).zip_with(fits, texts) if fits.any() else texts

    return by_text(column, changed)


def _different(column: pl.Series) -> pl.Series | None:
    """The different texts of a column, None when they are not few."""
    if len(column) < _SAMPLE or column.head(_SAMPLE).n_unique() > _SAMPLE // 2:
        return None
    texts = column.unique().drop_nulls()
    return texts if len(texts) <= _FEW * len(column) else None
