"""From the server's rows to canonical records: texts, dates, statuses. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import polars as pl

from connectors.opencps.answers import APPLICANT_HASH, FIELDS, Scalar
from connectors.opencps.history import History
from connectors.opencps.options import OpencpsOptions
from tthc_monitor.domain.records import INSTANT, Batch, Reject, conform, empty_records
from tthc_monitor.domain.statuses import Status

DATES: Final = ("submitDate", "receiveDate", "dueDate", "extendDate", "releaseDate", "finishDate", "cancellingDate")
APPLICANT_HASH_COLUMN: Final = "applicant_hash"
_IDS: Final = ("dossierId", "groupId")
_DATE: Final = r"^\d{2}/\d{2}/20\d{2} \d{2}:\d{2}:\d{2}$"
_NO_RECORD: Final = "not a record; ask the system's operator"
_NO_ID: Final = "is missing, so the dossier cannot be told from others; ask the system's operator"
_NO_DATE: Final = "not a date dd/MM/yyyy HH:mm:ss between 2000 and 2099; have it corrected at the source"
_IS_ID: Final = "[1-9]"
"""A dossier that is part of none names 0 as the one it is part of."""
_SHORT_PROCEDURE: Final = r"^\d\.\d{1,5}$"
"""A national procedure code has six decimals; written as a number it loses its last zeros."""

_SAME: Final = {
    "procedure_name": "serviceName",
    "sector_code": "domainCode",
    "sector_name": "domainName",
    "unit_code": "govAgencyCode",
    "unit_name": "govAgencyName",
    "step_code": "stepCode",
    "step_name": "stepName",
    APPLICANT_HASH_COLUMN: APPLICANT_HASH,
    "submitted_at": "submitDate",
    "received_at": "receiveDate",
    "delivered_at": "finishDate",
    "stop_requested_at": "cancellingDate",
}
"""Canonical columns that are a field of the server as it stands."""

_FROM_HISTORY: Final = {
    "supplement_requested_at": "requested_ms",
    "supplement_completed_at": "completed_ms",
    "first_step_at": "first_ms",
    "last_step_at": "last_ms",
    "step_started_at": "entered_ms",
}
_HISTORY_FIELDS: Final = {
    "supplement_count": "supplements",
    "steps_done": "steps",
    **{name: name for name in _FROM_HISTORY.values()},
}
HISTORY_COLUMNS: Final = frozenset({*_FROM_HISTORY, "supplement_count", "steps_done"})
"""Canonical columns that come from the step history."""
ROW_COLUMNS: Final = frozenset(
    {*_SAME, "source_key", "code", "kind", "procedure_code", "channel", "status", "source_status", "source_verdict"}
    | {"due_original", "due_current", "finished_at", "parent_key"}
) - {APPLICANT_HASH_COLUMN}
"""Canonical columns that come from a row of the list."""
NOT_IN_DETAIL: Final = frozenset({"sector_code", "sector_name", "source_verdict"})
"""Canonical columns that the answer about a single dossier may leave out, though the list tells them."""


class RowReader:
    """Turns whitelisted rows into a batch, by the settings of one site; column by column, for speed."""

    def __init__(self, options: OpencpsOptions) -> None:
        self._statuses = {code: int(status) for code, status in options.all_statuses().items()}
        self._dates = [_instant(name, options.zone) for name in DATES]
        self._columns = self._shape()

    def read(self, rows: Sequence[Sequence[Scalar]], histories: Mapping[str, History | None], location: str) -> Batch:
        """Records of the rows, with one reject for each row that cannot be read.

        A row has the fields of ``FIELDS`` in that order, or none where the server gave no record. ``histories`` is keyed
        by ``dossierId`` as text; a dossier not in it, or None there, has no known history.
        """
        rejects = [Reject(location, number, None, _NO_RECORD) for number, row in enumerate(rows, start=1) if not row]
        numbers = [number for number, row in enumerate(rows, start=1) if row]
        told = [row for row in rows if row] if rejects else rows
        if not told:
            return Batch(empty_records(), tuple(rejects), len(rows))
        frame = (
            _texts(told)
            .with_columns(_known(told, histories))
            .lazy()
            .select(pl.all().exclude(DATES), pl.col(DATES).name.suffix("_text"), *self._dates)
            .with_columns(
                pl.any_horizontal(pl.col(_IDS).is_null(), *(_unread(name) for name in DATES)).alias("bad"),
            )
            .collect()
        )
        if frame["bad"].any():
            rejects += _rejects(frame, numbers, location)
            frame = frame.filter(~pl.col("bad"))
        rejects.sort(key=lambda reject: reject.row or 0)
        return Batch(conform(frame.select(self._columns)), tuple(rejects), len(rows))

    def _national(self) -> pl.Expr:
        """By sub-status, else by status; registered with a reception is received."""
        mapped = pl.coalesce(
            pl.col(name).replace_strict(self._statuses, default=None, return_dtype=pl.Int16)
            for name in ("dossierSubStatus", "dossierStatus")
        )
        received = (mapped == int(Status.REGISTERED)) & pl.col("receiveDate").is_not_null()
        return pl.when(received).then(pl.lit(int(Status.RECEIVED), pl.Int16)).otherwise(mapped)

    def _shape(self) -> list[pl.Expr]:
        status, sub = pl.col("dossierStatus"), pl.col("dossierSubStatus")
        opinion = pl.col("dossierOverdue")
        on_time = opinion.str.starts_with("Còn") | opinion.str.starts_with("Sớm") | opinion.str.starts_with("Đúng")
        postal = pl.col("viaPostal").eq_missing("2") | pl.col("fromViaPostal").is_in(["1", "2", "true"])
        reappointed = pl.col("extendDate") > pl.col("dueDate")
        procedure, origin = pl.col("serviceCode"), pl.col("originDossierId")
        return [
            pl.lit("dossier").alias("kind"),
            pl.concat_str("groupId", "dossierId", separator="/").alias("source_key"),
            pl.coalesce("dossierNo", "referenceUid").alias("code"),
            pl.when(procedure.str.contains(_SHORT_PROCEDURE))
            .then(procedure.str.pad_end(8, "0"))
            .otherwise(procedure)
            .alias("procedure_code"),
            pl.when(pl.col("online").eq_missing("true"))
            .then(pl.lit("online"))
            .when(postal)
            .then(pl.lit("postal"))
            .otherwise(pl.lit("direct"))
            .alias("channel"),
            self._national().alias("status"),
            pl.concat_str(status, sub, separator="/", ignore_nulls=True).replace("", None).alias("source_status"),
            pl.when(opinion.str.starts_with("Quá"))
            .then(pl.lit("late"))
            .when(on_time)
            .then(pl.lit("on_time"))
            .alias("source_verdict"),
            pl.when(reappointed).then("dueDate").cast(INSTANT).alias("due_original"),
            pl.when(reappointed).then("extendDate").otherwise("dueDate").alias("due_current"),
            pl.coalesce("releaseDate", "finishDate").alias("finished_at"),
            pl.col("supplement_count", "steps_done"),
            *((pl.col(source) * 1000).cast(INSTANT).alias(target) for target, source in _FROM_HISTORY.items()),
            pl.when(origin.str.contains(_IS_ID))
            .then(pl.concat_str("groupId", origin, separator="/"))
            .alias("parent_key"),
            *(pl.col(source).alias(target) for target, source in _SAME.items()),
        ]


def _instant(name: str, zone: str) -> pl.Expr:
    column = pl.col(name)
    return (
        pl.when(column.str.contains(_DATE))
        .then(column)
        .str.to_datetime("%d/%m/%Y %H:%M:%S", time_unit="us", strict=False)
        .dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
        .alias(name)
    )


def _unread(name: str) -> pl.Expr:
    return pl.col(name).is_null() & pl.col(f"{name}_text").is_not_null()


def _rejects(frame: pl.DataFrame, numbers: Sequence[int], location: str) -> Iterator[Reject]:
    """One reject for each bad row, naming the id it lacks or its first unreadable date."""
    for index in frame["bad"].arg_true():
        missing = next((name for name in _IDS if frame[name][index] is None), None)
        if missing is not None:
            yield Reject(location, numbers[index], missing, _NO_ID)
            continue
        unread = (name for name in DATES if frame[f"{name}_text"][index] is not None and frame[name][index] is None)
        name = next(unread)
        yield Reject(location, numbers[index], name, _NO_DATE, frame[f"{name}_text"][index])


_UNREAD: Final = frozenset({"lastActionDate", "systemId", "originality"})
"""Fields that decide what is asked for, and are in no record."""
_TRIMMED: Final = pl.all().str.strip_chars().replace("", None)


def _texts(rows: Sequence[Sequence[Scalar]]) -> pl.DataFrame:
    """Every field as a trimmed text; the server writes numbers for numeric-looking texts, and "" for null."""
    columns = zip(FIELDS, zip(*rows, strict=True), strict=True)
    return pl.DataFrame([_text(name, values) for name, values in columns if name not in _UNREAD]).select(_TRIMMED)


def _text(name: str, values: Sequence[Scalar]) -> pl.Series:
    kind = type(values[0])
    try:
        if kind is str:
            return pl.Series(name, values, dtype=pl.String)
        if kind is int and set(map(type, values)) == {int}:
            return pl.Series(name, values, dtype=pl.Int64).cast(pl.String)
        if kind is bool and set(map(type, values)) == {bool}:
            return pl.Series(name, values, dtype=pl.Boolean).cast(pl.String)
    except (OverflowError, TypeError):
        pass  # not all are texts, or some are larger than 64 bits
    return pl.Series(name, values, dtype=pl.String, strict=False)


def _known(rows: Sequence[Sequence[Scalar]], histories: Mapping[str, History | None]) -> list[pl.Expr | pl.Series]:
    if not histories:
        return [pl.lit(None, pl.Int64).alias(name) for name in _HISTORY_FIELDS]
    known = [histories.get(str(row[0])) for row in rows]
    return [
        pl.Series(name, [getattr(one, field, None) for one in known], dtype=pl.Int64)
        for name, field in _HISTORY_FIELDS.items()
    ]
