"""Instants from texts and date cells: what was written, with or without offset, becomes UTC in a zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

import polars as pl

from connectors.mapping import EPOCHS, OFFSET, SERIALS, ColumnSpec

# Bounds of local times, before they have a zone.
EARLIEST: Final = datetime(1990, 1, 1)  # noqa: DTZ001
BEYOND: Final = datetime(2101, 1, 1)  # noqa: DTZ001
NAIVE: Final = pl.Datetime("us")
UTC: Final = pl.Datetime("us", "UTC")
_DAY: Final = 86_400_000_000
_WIDE: Final = {1_000_000: 12, 1_000: 15}
"""Digits of a number since 1970 that still fit into 64 bits of microseconds, by unit."""


def written(text: pl.Expr, cells: pl.Expr | None, spec: ColumnSpec, zone: str) -> tuple[pl.Expr, pl.Expr]:
    """What a column's texts and date cells say: the instants that need the zone (naive), and those with an offset (UTC)."""
    bare = [_naive(text, item) for item in spec.format or () if not OFFSET.search(item)]
    offset = [item for item in spec.format or () if OFFSET.search(item)]
    local = _first([*([] if cells is None else [cells]), *bare], NAIVE)
    if not offset:
        return local, pl.lit(None, dtype=UTC)
    zoned = _first([_aware(text, item) for item in offset], UTC)
    if spec.date_only is not None:
        moved = zoned.dt.convert_time_zone(zone).dt.replace_time_zone(None)
        midnight = _is_midnight(moved)
        local = pl.coalesce([local, pl.when(midnight).then(moved)])
        zoned = pl.when(~midnight).then(zoned)
    return local, zoned


def offset_of(zone: str, local: pl.Series) -> timedelta | None:
    """The zone's offset from UTC where it is one and the same in all years of some local times (within bounds)."""
    first, last = local.min(), local.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None
    return _fixed_offset(zone, max(first, EARLIEST).year, min(last, BEYOND).year)


@lru_cache(maxsize=64)
def _fixed_offset(zone: str, first_year: int, last_year: int) -> timedelta | None:
    if first_year > last_year:
        return None
    first, last = date(first_year - 1, 12, 28), date(last_year + 1, 1, 4)
    days = pl.date_range(first, last, eager=True).cast(UTC).dt.convert_time_zone(zone)
    offsets = (days.dt.base_utc_offset() + days.dt.dst_offset()).unique()
    found = offsets[0] if len(offsets) == 1 else None
    return found if isinstance(found, timedelta) else None


def instant(
    local: pl.Expr, zoned: pl.Expr | None, date_only: str | None, zone: str, offset: timedelta | None = None
) -> pl.Expr:
    """The instant in UTC; null when it is out of range or does not exist in the zone. ``zoned`` None: there are none.

    ``offset``: that of :func:`offset_of`, which spares asking the zone for every row.

    ``end_of_day`` is 23:59:59.999999, the last microsecond before the next local midnight: a dossier is late when
    it ended *after* its due instant, so one that ends on the stroke of midnight belongs to the next day and is
    late, one that ends any time on the due day is not; and the due instant still shows the due day.
    """
    local = pl.when(_in_range(local)).then(local)
    if offset is not None:
        utc = (_moved(local, date_only) - offset).dt.replace_time_zone("UTC")
        return utc if zoned is None else pl.coalesce([utc, _bounded(zoned)])
    utc = _localise(local, zone, "earliest")
    if date_only == "start_of_day":
        # Where clocks skip midnight itself, the day begins right after the last microsecond of the day before.
        before = _localise(local - timedelta(microseconds=1), zone, "latest") + timedelta(microseconds=1)
        utc = pl.coalesce([utc, pl.when(_is_midnight(local)).then(before)])
    elif date_only is not None:
        moved = _localise(_moved(local, date_only), zone, "latest" if date_only == "end_of_day" else "earliest")
        utc = pl.when(_is_midnight(local)).then(moved).otherwise(utc)
    return utc if zoned is None else pl.coalesce([utc, _bounded(zoned)])


def _moved(local: pl.Expr, date_only: str | None) -> pl.Expr:
    """Midnights moved to what a date without time of day means."""
    if date_only is None or date_only == "start_of_day":
        return local
    hours, minutes = map(int, ("24:00" if date_only == "end_of_day" else date_only).split(":"))
    by = timedelta(hours=hours, minutes=minutes, microseconds=-1 if date_only == "end_of_day" else 0)
    return pl.when(_is_midnight(local)).then(local + by).otherwise(local)


def _bounded(zoned: pl.Expr) -> pl.Expr:
    return pl.when(_in_range(zoned.dt.replace_time_zone(None))).then(zoned)


def _first(expressions: Sequence[pl.Expr], dtype: pl.DataType) -> pl.Expr:
    if len(expressions) == 1:
        return expressions[0]
    return pl.coalesce(expressions) if expressions else pl.lit(None, dtype=dtype)


def _naive(text: pl.Expr, form: str) -> pl.Expr:
    if form not in SERIALS:
        return text.str.strptime(NAIVE, form, strict=False)
    # A double keeps the time of day of such a number to the microsecond only nearly.
    days = pl.when(text.str.contains(r"^\d{1,6}(\.\d+)?$")).then(text).cast(pl.Float64)
    milliseconds = (days * 86_400_000).round().cast(pl.Int64)
    return pl.lit(SERIALS[form]).cast(NAIVE) + pl.duration(milliseconds=milliseconds)


def _aware(text: pl.Expr, form: str) -> pl.Expr:
    if form in EPOCHS:
        return _since_1970(text, EPOCHS[form])
    return text.str.replace(r"[zZ]$", "+00:00").str.strptime(UTC, form, strict=False)


def _since_1970(text: pl.Expr, unit: int) -> pl.Expr:
    """Instants from numbers of ``unit`` microseconds; a fraction counts down to the microsecond."""
    number = text.str.extract_groups(rf"^(-?\d{{1,{_WIDE[unit]}}})(?:\.(\d{{1,6}})\d*)?$")
    fraction = number.struct.field("2").fill_null("").str.pad_end(6, "0").cast(pl.Int64)
    whole = number.struct.field("1")
    signed = pl.when(whole.str.starts_with("-")).then(-fraction).otherwise(fraction)
    return (whole.cast(pl.Int64) * unit + signed * unit // 1_000_000).cast(UTC)


def _localise(local: pl.Expr, zone: str, fold: Literal["earliest", "latest"]) -> pl.Expr:
    here = local.dt.replace_time_zone(zone, ambiguous=fold, non_existent="null")
    return here.dt.convert_time_zone("UTC")


def _is_midnight(local: pl.Expr) -> pl.Expr:
    return local.cast(pl.Int64) % _DAY == 0


def _in_range(local: pl.Expr) -> pl.Expr:
    return (local >= pl.lit(EARLIEST, dtype=NAIVE)) & (local < pl.lit(BEYOND, dtype=NAIVE))
