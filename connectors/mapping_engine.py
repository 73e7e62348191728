"""Applies a mapping to tables of texts, whole columns at a time.

Rules, the same for every source: texts are NFC and stripped, empty is null. A cell that is there but cannot be read
makes its row a reject; the other rows land. Codes that a lookup does not know are never an error. An instant that the
clock shows twice (autumn change) is the earlier one; one that the clock skips (spring change) cannot be read.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl

from connectors.mapping import NUMBER_COLUMNS, OFFSET, VOCABULARIES, ColumnSpec, MappingOptions
from connectors.raw_table import RawTable, clean_header
from tthc_monitor.domain.records import INSTANT_COLUMNS, RECORD_SCHEMA, Batch, Reject, conform
from tthc_monitor.domain.statuses import Status

EXCERPT: Final = 80
"""Longest piece of a refused value that a reject shows, in characters."""
# Bounds of local times, before they have a zone.
_EARLIEST: Final = datetime(1990, 1, 1)  # noqa: DTZ001
_BEYOND: Final = datetime(2101, 1, 1)  # noqa: DTZ001
_NAIVE: Final = pl.Datetime("us")
_UTC: Final = pl.Datetime("us", "UTC")
_SEEN: Final = "seen:"
_OUT: Final = "out:"
_LOCAL: Final = "local:"
_ZONED: Final = "zoned:"


@dataclass(frozen=True)
class Mapped:
    """What a table became: canonical records, rejects, and how often each unknown code was met.

    ``unknown`` maps (field, source's value) to a number of rows.
    """

    records: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    unknown: Mapping[tuple[str, str], int] = field(default_factory=dict)
    rows_read: int = 0

    @property
    def batch(self) -> Batch:
        """The part that the contract of connectors asks for."""
        return Batch(self.records, self.rejects, self.rows_read)


def applicant_hash(value: str, key: bytes) -> str | None:
    """Keyed hash (HMAC-SHA-256, hexadecimal) of what identifies an applicant; None when nothing is left of it.

    Case, blanks and leading zeros do not matter: spreadsheets drop the zeros of identity numbers.
    """
    same = "".join(unicodedata.normalize("NFC", value).casefold().split()).lstrip("0")
    return hmac.digest(key, same.encode(), "sha256").hex() if same else None


class Mapper:
    """A mapping made ready; applying it is pure: the same table gives the same answer."""

    def __init__(self, options: MappingOptions, applicant_key: bytes | None = None) -> None:
        self._options = options
        self._key = applicant_key
        self._zone = options.zone or "UTC"
        self._nulls = sorted({"", *(_plain(item) for item in options.null_values)})
        self.source_columns: tuple[str, ...] = tuple(dict.fromkeys(map(clean_header, options.source_columns)))
        self._specs = {name: options.columns[name] for name in RECORD_SCHEMA if name in options.columns}

    @property
    def provides(self) -> frozenset[str]:
        """The canonical columns that the mapping fills; the applicant's hash only when there is a key for it."""
        derived = {"kind", "source_status"} if "status" in self._specs else {"kind"}
        without_key = {"applicant_hash"} if self._key is None else set()
        return frozenset({*self._specs, *derived} - without_key)

    def apply(self, table: RawTable) -> Mapped:
        """Turn a table into records and rejects; the table must hold every column of ``source_columns``."""
        texts = self._clean(table.frame)
        typed = table.typed if table.typed is not None else pl.DataFrame()
        work = self._evaluate(texts, typed)
        bad = pl.any_horizontal([pl.col(_OUT + "source_key").is_null(), *self._faults()])
        mask = work.select(bad.alias("bad"))["bad"]
        rejects = table.broken
        if mask.any():
            rejects = tuple(sorted([*rejects, *self._explain(table, work, mask)], key=lambda item: item.row or 0))
            work = work.filter(~mask)
        records = conform(
            work.select(
                pl.lit(self._options.kind).alias("kind"),
                *(pl.col(_OUT + name).alias(name) for name in self._specs),
                *self._source_status(),
            )
        )
        return Mapped(records, rejects, self._unknown(work), table.frame.height + len(table.broken))

    # -- evaluation ----------------------------------------------------------------------------------------------

    def _clean(self, frame: pl.DataFrame) -> pl.DataFrame:
        columns = []
        for name in frame.columns:
            series = frame[name]
            text = pl.col(name)
            if series.str.len_bytes().sum() != series.str.len_chars().sum():
                text = text.str.normalize("NFC")
            columns.append(text.str.strip_chars())
        clean = frame.select(columns)
        texts = (pl.col(name) for name in clean.columns)
        return clean.select(pl.when(~text.is_in(self._nulls)).then(text) for text in texts)

    def _evaluate(self, texts: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
        seen = texts.select(
            pl.coalesce([pl.col(clean_header(item)) for item in spec.sources]).alias(_SEEN + name)
            if spec.sources
            else pl.lit(None, dtype=pl.String).alias(_SEEN + name)
            for name, spec in self._specs.items()
        )
        instants = {name: spec for name, spec in self._specs.items() if name in INSTANT_COLUMNS}
        cells = [self._typed(texts, typed, name, spec) for name, spec in instants.items()]
        work = seen.with_columns(cells).with_columns(
            expression for name, spec in instants.items() for expression in self._parsed(name, spec)
        )
        return work.with_columns(
            self._instant(name, spec) if name in instants else self._value(name, spec)
            for name, spec in self._specs.items()
        )

    @staticmethod
    def _typed(texts: pl.DataFrame, typed: pl.DataFrame, name: str, spec: ColumnSpec) -> pl.Series:
        """Date cells of an instant: those of the first of its columns that is not empty."""
        cells = pl.Series(_LOCAL + name, [None], dtype=_NAIVE).new_from_index(0, texts.height)
        taken = pl.Series([False]).new_from_index(0, texts.height)
        for item in map(clean_header, spec.sources):
            if item in typed.columns:
                cells = cells.zip_with(taken | typed[item].is_null(), typed[item].cast(_NAIVE)).alias(_LOCAL + name)
            taken = taken | texts[item].is_not_null()
        return cells

    def _parsed(self, name: str, spec: ColumnSpec) -> Iterator[pl.Expr]:
        """Two columns: the instants that need the zone (naive), and those that brought an offset (UTC)."""
        text = pl.col(_SEEN + name)
        bare = [item for item in spec.format or () if not OFFSET.search(item)]
        offset = [item for item in spec.format or () if OFFSET.search(item)]
        local = pl.coalesce([pl.col(_LOCAL + name), *(text.str.strptime(_NAIVE, item, strict=False) for item in bare)])
        zoned: pl.Expr = pl.lit(None, dtype=_UTC)
        if offset:
            plain = text.str.replace(r"[zZ]$", "+00:00")
            zoned = pl.coalesce([plain.str.strptime(_UTC, item, strict=False) for item in offset])
            if spec.date_only is not None:
                moved = zoned.dt.convert_time_zone(self._zone).dt.replace_time_zone(None)
                midnight = _is_midnight(moved)
                local = pl.coalesce([local, pl.when(midnight).then(moved)])
                zoned = pl.when(~midnight).then(zoned)
        yield local.alias(_LOCAL + name)
        yield zoned.alias(_ZONED + name)

    def _instant(self, name: str, spec: ColumnSpec) -> pl.Expr:
        """The instant in UTC; null when it is out of range or does not exist in the zone.

        ``end_of_day`` is 23:59:59.999999, the last microsecond before the next local midnight: a dossier is late when
        it ended *after* its due instant, so one that ends on the stroke of midnight belongs to the next day and is
        late, one that ends any time on the due day is not; and the due instant still shows the due day.
        """
        local, zoned = pl.col(_LOCAL + name), pl.col(_ZONED + name)
        local = pl.when(_in_range(local)).then(local)
        zoned = pl.when(_in_range(zoned.dt.replace_time_zone(None))).then(zoned)
        utc = self._localise(local, "earliest")
        if spec.date_only == "start_of_day":
            # Where clocks skip midnight itself, the day begins right after the last microsecond of the day before.
            before = self._localise(local - timedelta(microseconds=1), "latest") + timedelta(microseconds=1)
            utc = pl.coalesce([utc, pl.when(_is_midnight(local)).then(before)])
        elif spec.date_only == "end_of_day":
            end = local + timedelta(days=1, microseconds=-1)
            utc = pl.when(_is_midnight(local)).then(self._localise(end, "latest")).otherwise(utc)
        elif spec.date_only is not None:
            hours, minutes = map(int, spec.date_only.split(":"))
            moved = local + timedelta(hours=hours, minutes=minutes)
            utc = pl.when(_is_midnight(local)).then(self._localise(moved, "earliest")).otherwise(utc)
        return pl.coalesce([utc, zoned]).alias(_OUT + name)

    def _localise(self, local: pl.Expr, fold: Literal["earliest", "latest"]) -> pl.Expr:
        here = local.dt.replace_time_zone(self._zone, ambiguous=fold, non_existent="null")
        return here.dt.convert_time_zone("UTC")

    def _value(self, name: str, spec: ColumnSpec) -> pl.Expr:
        dtype = RECORD_SCHEMA[name]
        text = pl.col(_SEEN + name)
        if spec.const is not None:
            return pl.lit(_final(spec.const, dtype), dtype=dtype).alias(_OUT + name)
        table = self._table(name, spec)
        value: pl.Expr
        if name in NUMBER_COLUMNS:
            value = pl.when(text.str.contains(r"^\d{1,5}(\.0+)?$")).then(text.str.extract(r"^(\d+)"))
            value = value.cast(pl.Int32).cast(dtype, strict=False)
        elif name == "applicant_hash":
            value = self._hashed(text)
        elif table is None:
            value = text
        else:
            keys = text.str.to_lowercase()
            known = keys.replace_strict(
                list(table), [_final(item, dtype) for item in table.values()], default=None, return_dtype=dtype
            )
            value = known if _closed(name) else pl.coalesce([known, text])
        if spec.default is not None:
            value = pl.when(text.is_null()).then(pl.lit(_final(spec.default, dtype), dtype=dtype)).otherwise(value)
        return value.alias(_OUT + name)

    def _hashed(self, text: pl.Expr) -> pl.Expr:
        key = self._key
        if key is None:
            return pl.lit(None, dtype=pl.String)

        def hashed(series: pl.Series) -> pl.Series:
            return pl.Series([None if item is None else applicant_hash(item, key) for item in series], dtype=pl.String)

        return text.map_batches(hashed, return_dtype=pl.String)

    def _table(self, name: str, spec: ColumnSpec) -> dict[str, int | str] | None:
        """The lookup of a field, keys as they are compared; fields of a closed vocabulary always have one."""
        table: Mapping[str, int | str] | None
        if isinstance(spec.lookup, dict):
            table = spec.lookup
        elif name == "status":
            table = self._options.statuses or {str(int(status)): int(status) for status in Status}
        elif name in VOCABULARIES:
            table = {item: item for item in VOCABULARIES[name]}
        else:
            return None
        return {_plain(key).lower(): value for key, value in table.items()}

    def _source_status(self) -> list[pl.Expr]:
        if "source_status" in self._specs or "status" not in self._specs:
            return []
        return [pl.col(_SEEN + "status").alias("source_status")]

    # -- what went wrong -----------------------------------------------------------------------------------------

    def _faults(self) -> list[pl.Expr]:
        return [self._fault(name).alias("fault:" + name) for name, spec in self._specs.items() if spec.sources]

    @staticmethod
    def _fault(name: str) -> pl.Expr:
        seen = pl.col(_SEEN + name)
        if name in INSTANT_COLUMNS or name in NUMBER_COLUMNS:
            return seen.is_not_null() & pl.col(_OUT + name).is_null()
        return seen.str.contains("\0", literal=True).fill_null(False)

    def _explain(self, table: RawTable, work: pl.DataFrame, mask: pl.Series) -> list[Reject]:
        """One reject per bad row, about the first bad field in canonical order."""
        places = mask.arg_true().to_list()
        bad = work.filter(mask)
        faults = bad.select(self._faults())
        pending = [True] * len(places)
        found: list[Reject] = []
        for name, spec in self._specs.items():
            if not spec.sources:
                continue
            hits = faults["fault:" + name]
            if name == "source_key":
                hits = hits | bad[_OUT + name].is_null()
            for index in hits.arg_true().to_list():
                if not pending[index]:
                    continue
                pending[index] = False
                row = bad.row(index, named=True)
                value = row[_SEEN + name] if name != "applicant_hash" else None
                found.append(
                    Reject(
                        location=table.location,
                        row=table.row(places[index]),
                        column=" / ".join(spec.sources),
                        reason=self._reason(name, spec, row),
                        value=None if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:EXCERPT],
                    )
                )
        return found

    def _reason(self, name: str, spec: ColumnSpec, row: Mapping[str, object]) -> str:
        text = row[_SEEN + name]
        if text is None:
            return f"{name} is empty; fill the cell or remove the row"
        if name in NUMBER_COLUMNS:
            return f"{name} is not a number from 0 to 32767; correct the cell"
        if name not in INSTANT_COLUMNS:
            return f"{name} contains a NUL character; remove it from the cell"
        local, zoned = row[_LOCAL + name], row[_ZONED + name]
        instant = local if local is not None else zoned
        if not isinstance(instant, datetime):
            if spec.format is None:
                return (
                    f"{name} is a text where a date cell was expected; make it a date, or add 'format' to the mapping"
                )
            formats = " or ".join(f"'{item}'" for item in spec.format)
            return f"{name} is not an instant written as {formats}; correct the cell or the format in the mapping"
        if not _EARLIEST <= instant.replace(tzinfo=None) < _BEYOND:
            return f"{name} has the year {instant.year}, outside 1990..2100; correct the year"
        return (
            f"{name} never was: the clocks of {self._zone} skip this time; correct the time, or the zone in the mapping"
        )

    def _unknown(self, work: pl.DataFrame) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for name, spec in self._specs.items():
            if spec.sources and _closed(name):
                missed = work.filter(pl.col(_SEEN + name).is_not_null() & pl.col(_OUT + name).is_null())
                for value, count in missed[_SEEN + name].value_counts(sort=True).rows():
                    counts[name, value] = count
        return counts


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _closed(name: str) -> bool:
    return name == "status" or name in VOCABULARIES


def _final(value: int | str, dtype: pl.DataType) -> int | str:
    return str(value) if dtype == pl.String else value


def _is_midnight(local: pl.Expr) -> pl.Expr:
    return local.cast(pl.Int64) % 86_400_000_000 == 0


def _in_range(local: pl.Expr) -> pl.Expr:
    return (local >= pl.lit(_EARLIEST, dtype=_NAIVE)) & (local < pl.lit(_BEYOND, dtype=_NAIVE))
