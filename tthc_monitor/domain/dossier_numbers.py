"""What a dossier's number (mã hồ sơ) says: the day it names, and its serial number of that day.

Forms in use: ``000.00.01.H28-230915-0001`` (TT 01/2018 Art. 19), ``H28.12.34-230915-0001`` (TT 03/2025 Art. 13),
``H28.12.34-260302-01000123`` for centralised services since 25/01/2026 (TT 04/2025 Art. 23: two digits of the system's
owner, then four digits or more of the serial number), and ministries' ``G09.20-20260609-0092637``. A number that has
none of these forms, or names a day that never was, says nothing; that is no error.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from tthc_monitor.domain.records import INSTANT

_DAY: Final = r"^(?:[0-9]{6}|[0-9]{8})$"
_SERIAL: Final = r"^[0-9]{4,18}$"
_OWNER_FIRST: Final = r"^[A-Za-z]\d"
"""Since TT 03/2025 the code of the agency begins with its ministry or province; before, it ended with it."""
_OWNER_DIGITS_SINCE: Final = date(2026, 1, 25)


def number_day(column: str) -> pl.Expr:
    """The day in the numbers of a column, at 00:00 as if it were UTC, as column ``number_day``; years 2000 to 2099."""
    _, written, _ = _parts(column)
    day = pl.coalesce(
        pl.when(written.str.len_bytes() == length).then(written).str.to_date(form, strict=False)
        for length, form in ((6, "%y%m%d"), (8, "%Y%m%d"))
    )
    known = pl.when(day.dt.year().is_between(2000, 2099)).then(day)
    return known.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(INSTANT).alias("number_day")


def number_serial(column: str) -> pl.Expr:
    """The serial number in the numbers of a column, without the system owner's digits, as ``number_serial``."""
    agency, written, digits = _parts(column)
    since = f"{_OWNER_DIGITS_SINCE:%y%m%d}"
    has_owner = (
        agency.str.contains(_OWNER_FIRST)
        & (written.str.len_bytes() == len(since))
        & (written >= since)
        & (digits.str.len_bytes() >= 6)
    )
    serial = pl.when(has_owner).then(digits.str.slice(2)).otherwise(digits)
    return serial.cast(pl.Int64(), strict=False).alias("number_serial")


def _parts(column: str) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Agency, day and serial number as they are written; the last two null in what is no number of a dossier."""
    # Splitting is twenty times as fast as a regular expression with groups.
    parts = pl.col(column).str.strip_chars().str.split("-")
    agency, day, serial = (parts.list.get(index, null_on_oob=True) for index in (0, -2, -1))
    is_number = (parts.list.len() >= 3) & (agency != "") & day.str.contains(_DAY) & serial.str.contains(_SERIAL)
    return agency, pl.when(is_number).then(day), pl.when(is_number).then(serial)
