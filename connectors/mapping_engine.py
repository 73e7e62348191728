"""Applies a mapping to tables of texts, whole columns at a time.

Rules, the same for every source: texts are NFC and stripped, empty is null. A cell that is there but cannot be read
makes its row a reject; the other rows land. Codes that a lookup does not know are never an error. An instant that the
clock shows twice (autumn change) is the earlier one; one that the clock skips (spring change) cannot be read.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import polars as pl

from connectors import cell_instants, cell_texts
from connectors.mapping import NUMBER_COLUMNS, VOCABULARIES, ColumnSpec, MappingOptions
from connectors.raw_table import RawTable, clean_header
from tthc_monitor.domain.applicant_keys import mark_of
from tthc_monitor.domain.records import INSTANT_COLUMNS, RECORD_SCHEMA, Batch, Reject, conform
from tthc_monitor.domain.statuses import Status

EXCERPT: Final = 80
"""Longest piece of a refused value that a reject shows, in characters."""
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
        return Batch(self.records, self.rejects, self.rows_read, unknown=self.unknown)


def applicant_hash(value: str, key: bytes) -> str | None:
    """Keyed hash (HMAC-SHA-256, hexadecimal) of what identifies an applicant; None when nothing is left of it.

    Case, blanks and leading zeros do not matter: spreadsheets drop the zeros of identity numbers. A key that has a name is
    told by it: ``name:hash``.
    """
    same = "".join(unicodedata.normalize("NFC", value).casefold().split()).lstrip("0")
    return mark_of(key) + hmac.digest(key, same.encode(), "sha256").hex() if same else None


class Mapper:
    """A mapping made ready; applying it is pure: the same table gives the same answer."""

    def __init__(self, options: MappingOptions, applicant_key: bytes | None = None) -> None:
        self._options = options
        self._key = applicant_key
        self._zone = options.zone or "UTC"
        self._nulls = sorted({"", *map(cell_texts.plain, options.null_values)})
        self.source_columns: tuple[str, ...] = tuple(dict.fromkeys(map(clean_header, options.source_columns)))
        self._specs = {name: options.columns[name] for name in RECORD_SCHEMA if name in options.columns}
        # The columns whose texts go into records as they are.
        self._kept = {
            clean_header(item)
            for name, spec in self._specs.items()
            if name not in INSTANT_COLUMNS and not self._is_counted(name)
            for item in spec.sources
        }
        self._tables = {name: self._table(name, spec) for name, spec in self._specs.items()}

    @property
    def provides(self) -> frozenset[str]:
        """The canonical columns that the mapping fills; the applicant's hash only when there is a key for it."""
        derived = {"kind", "source_status"} if "status" in self._specs else {"kind"}
        without_key = {"applicant_hash"} if self._key is None else set()
        return frozenset({*self._specs, *derived} - without_key)

    def veiled(self, table: RawTable) -> RawTable:
        """The table with keyed hashes (null without a key) in the columns that only the applicant's hash is made of."""
        others = {item for name, spec in self._specs.items() if name != "applicant_hash" for item in spec.sources}
        columns = self._specs["applicant_hash"].sources if "applicant_hash" in self._specs else ()
        if not columns or not {clean_header(item) for item in columns}.isdisjoint(map(clean_header, others)):
            return table
        names = list(map(clean_header, columns))
        hashes = [self._hashed(cell_texts.clean(table.frame[name], self._nulls)).alias(name) for name in names]
        typed = None if table.typed is None else table.typed.drop(names, strict=False)
        return replace(table, frame=table.frame.with_columns(hashes), typed=typed, veiled=True)

    def apply(self, table: RawTable) -> Mapped:
        """Turn a table into records and rejects; the table must hold every column of ``source_columns``."""
        texts = {name: cell_texts.clean(table.frame[name], self._nulls) for name in self.source_columns}
        nul = {name for name in self._kept if cell_texts.has_nul(texts[name])}
        work = self._evaluate(texts, table)
        faults = {name: fault for name in self._specs if (fault := self._fault(name, nul)) is not None}
        bad = work.select(pl.any_horizontal(pl.col(_OUT + "source_key").is_null(), *faults.values()))
        mask = bad.to_series()
        rejects = table.broken
        if mask.any():
            refused = self._explain(table, work, mask, faults)
            rejects = tuple(sorted([*rejects, *refused], key=lambda item: item.row or 0))
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

    def _evaluate(self, texts: Mapping[str, pl.Series], table: RawTable) -> pl.DataFrame:
        """The work frame: of every field what was seen, what comes out, and of instants what was written."""
        columns: list[pl.Series] = []
        for name, spec in self._specs.items():
            seen = _first_of([texts[clean_header(item)] for item in spec.sources], table.frame.height)
            columns.append(seen.alias(_SEEN + name))
            if name not in INSTANT_COLUMNS:
                ready = name == "applicant_hash" and table.veiled
                columns.append((seen if ready else self._value(name, spec, seen)).alias(_OUT + name))
        work = pl.DataFrame(columns)
        instants = {name: spec for name, spec in self._specs.items() if name in INSTANT_COLUMNS}
        written: list[pl.Expr] = []
        for name, spec in instants.items():
            cells = self._cells(texts, table.typed, spec)
            local, zoned = cell_instants.written(pl.col(_SEEN + name), cells, spec, self._zone)
            written += [local.alias(_LOCAL + name), zoned.alias(_ZONED + name)]
        work = work.with_columns(written)
        return work.with_columns(
            cell_instants.instant(
                pl.col(_LOCAL + name),
                pl.col(_ZONED + name) if spec.offsets else None,
                spec.date_only,
                self._zone,
                cell_instants.offset_of(self._zone, work[_LOCAL + name]),
            ).alias(_OUT + name)
            for name, spec in instants.items()
        )

    @staticmethod
    def _cells(texts: Mapping[str, pl.Series], typed: pl.DataFrame | None, spec: ColumnSpec) -> pl.Expr | None:
        """Date cells of an instant: those of the first of its columns that is not empty."""
        sources = [clean_header(item) for item in spec.sources]
        if typed is None or not any(item in typed.columns for item in sources):
            return None
        cells = pl.Series([None], dtype=cell_instants.NAIVE).new_from_index(0, typed.height)
        taken = pl.Series([False]).new_from_index(0, typed.height)
        for item in sources:
            if item in typed.columns:
                cells = cells.zip_with(taken | typed[item].is_null(), typed[item].cast(cell_instants.NAIVE))
            taken = taken | texts[item].is_not_null()
        return pl.lit(cells)

    def _value(self, name: str, spec: ColumnSpec, seen: pl.Series) -> pl.Series:
        dtype = RECORD_SCHEMA[name]
        if spec.const is not None:
            return _constant(spec.const, dtype, len(seen))
        if spec.present is not None or spec.absent is not None:
            there, nothing = _constant(spec.present, dtype, len(seen)), _constant(spec.absent, dtype, len(seen))
            return there.zip_with(seen.is_not_null(), nothing)
        if name == "applicant_hash":
            return self._hashed(seen)
        value = (
            cell_texts.counted(seen, spec.thousands, dtype) if name in NUMBER_COLUMNS else self._code(name, spec, seen)
        )
        if spec.default is not None:
            value = value.zip_with(seen.is_not_null(), _constant(spec.default, dtype, len(seen)))
        return value

    def _code(self, name: str, spec: ColumnSpec, seen: pl.Series) -> pl.Series:
        text = seen if spec.without_prefix is None else cell_texts.without_prefix(seen, spec.without_prefix)
        if spec.decimals is not None:
            text = cell_texts.with_decimals(text, spec.decimals)
        if spec.pad is not None:
            text = cell_texts.padded(text, spec.pad)
        table = self._tables[name]
        if table is None:
            return text
        known = cell_texts.looked_up(text, table, RECORD_SCHEMA[name])
        return known if _closed(name) else known.zip_with(known.is_not_null(), text)

    def _hashed(self, text: pl.Series) -> pl.Series:
        key = self._key
        hashed = [None if key is None or item is None else applicant_hash(item, key) for item in text]
        return pl.Series(hashed, dtype=pl.String)

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
        keys = pl.Series(list(map(cell_texts.plain, table)), dtype=pl.String)
        if spec.without_prefix is not None:
            keys = cell_texts.without_prefix(keys, spec.without_prefix)
        dtype = RECORD_SCHEMA[name]
        return {key.lower(): _final(value, dtype) for key, value in zip(keys, table.values(), strict=True)}

    def _source_status(self) -> list[pl.Expr]:
        if "source_status" in self._specs or "status" not in self._specs:
            return []
        return [pl.col(_SEEN + "status").alias("source_status")]

    # -- what went wrong -----------------------------------------------------------------------------------------

    def _fault(self, name: str, nul: set[str]) -> pl.Expr | None:
        """Where a field is there but cannot be read; None when that cannot be. ``nul``: columns with NUL characters."""
        seen = pl.col(_SEEN + name)
        sources = self._specs[name].sources
        if sources and (name in INSTANT_COLUMNS or self._is_counted(name)):
            return seen.is_not_null() & pl.col(_OUT + name).is_null()
        if any(clean_header(item) in nul for item in sources):
            return seen.str.contains("\0", literal=True).fill_null(False)
        return None

    def _is_counted(self, name: str) -> bool:
        spec = self._specs[name]
        return name in NUMBER_COLUMNS and spec.present is None and spec.absent is None

    def _explain(
        self, table: RawTable, work: pl.DataFrame, mask: pl.Series, faults: Mapping[str, pl.Expr]
    ) -> list[Reject]:
        """One reject per bad row, about the first bad field in canonical order."""
        places = mask.arg_true().to_list()
        # Years that Python's datetime cannot hold are left out: nothing but a message is made of them.
        instants = [mark + name for name in self._specs if name in INSTANT_COLUMNS for mark in (_LOCAL, _ZONED)]
        bad = work.filter(mask).with_columns(
            pl.when(pl.col(name).dt.year().is_between(1, 9999)).then(pl.col(name)) for name in instants
        )
        hits_of = bad.select(fault.alias(name) for name, fault in faults.items())
        pending = [True] * len(places)
        found: list[Reject] = []
        for name, spec in self._specs.items():
            hits = hits_of[name] if name in faults else pl.Series([False]).new_from_index(0, len(places))
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
        if self._is_counted(name):
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
        if not cell_instants.EARLIEST <= instant.replace(tzinfo=None) < cell_instants.BEYOND:
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


def _closed(name: str) -> bool:
    return name == "status" or name in VOCABULARIES


def _final(value: int | str, dtype: pl.DataType) -> int | str:
    return str(value) if dtype == pl.String else value


def _constant(value: int | str | None, dtype: pl.DataType, length: int) -> pl.Series:
    final = None if value is None else _final(value, dtype)
    return pl.Series([final], dtype=dtype).new_from_index(0, length)


def _first_of(columns: list[pl.Series], length: int) -> pl.Series:
    """The first text of each row that is not null."""
    if not columns:
        return _constant(None, pl.String(), length)
    first, *others = columns
    for other in others:
        first = first.zip_with(first.is_not_null(), other)
    return first
