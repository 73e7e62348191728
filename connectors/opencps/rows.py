"""From the server's rows to canonical records: whitelist, texts, dates, statuses. Pure functions."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from connectors.opencps.history import History
from connectors.opencps.options import OpencpsOptions
from tthc_monitor.domain.records import INSTANT, Batch, Reject, conform, empty_records
from tthc_monitor.domain.statuses import Status

DATES: Final = ("submitDate", "receiveDate", "dueDate", "extendDate", "releaseDate", "finishDate", "cancellingDate")
KEPT: Final = (
    "dossierId",
    "groupId",
    "referenceUid",
    "dossierNo",
    "serviceCode",
    "serviceName",
    "govAgencyCode",
    "govAgencyName",
    "domainCode",
    "domainName",
    "dossierStatus",
    "dossierSubStatus",
    "stepCode",
    "stepName",
    "lastActionDate",
    "online",
    "viaPostal",
    "fromViaPostal",
    "systemId",
    "originality",
    "originDossierId",
    "dossierOverdue",
    *DATES,
)
"""The only fields of a row that are ever looked at again; persons, addresses and the PIN are not among them."""

APPLICANT_HASH: Final = "applicantHash"
APPLICANT_HASH_COLUMN: Final = "applicant_hash"
_DATE: Final = r"^\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}$"
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
HISTORY_COLUMNS: Final = frozenset({*_FROM_HISTORY, "supplement_count", "steps_done"})
"""Canonical columns that come from the step history."""
ROW_COLUMNS: Final = frozenset(
    {*_SAME, "source_key", "code", "kind", "procedure_code", "channel", "status", "source_status", "source_verdict"}
    | {"due_original", "due_current", "finished_at", "parent_key"}
) - {APPLICANT_HASH_COLUMN}
"""Canonical columns that come from a row of the list."""


def strip(row: Any, applicant_key: bytes | None) -> dict[str, Any]:
    """Keep the whitelisted fields, and the keyed hash of the applicant's number when there is a key.

    Of what is not a row at all nothing is kept; it becomes a reject.
    """
    if not isinstance(row, Mapping):
        return {}
    kept = {name: row[name] for name in KEPT if name in row}
    if applicant_key is not None:
        digest = applicant_hash(row.get("applicantIdNo"), applicant_key)
        if digest is not None:
            kept[APPLICANT_HASH] = digest
    return kept


def applicant_hash(number: Any, key: bytes) -> str | None:
    """HMAC-SHA256 of an identity number, in hex; None when there is no number.

    Leading zeros are cut first, because the server drops them from some answers and not from others.
    """
    canonical = text(number)
    canonical = canonical.replace(" ", "").lstrip("0") if canonical else None
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest() if canonical else None


def text(value: Any) -> str | None:
    """A field as text: the server writes numeric-looking texts as numbers, and null as an empty text."""
    if value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() or None


class RowReader:
    """Turns whitelisted rows into a batch, by the settings of one site; column by column, for speed."""

    def __init__(self, options: OpencpsOptions) -> None:
        self._statuses = {code: int(status) for code, status in options.all_statuses().items()}
        self._dates = [_instant(name, options.zone) for name in DATES]
        self._columns = self._shape()

    def read(self, rows: Sequence[Any], histories: Mapping[str, History | None], location: str) -> Batch:
        """Records of the rows, with one reject for each row that cannot be read.

        ``histories`` is keyed by ``dossierId`` as text; a dossier not in it, or None there, has no known history.
        """
        faults = {number: fault for number, row in enumerate(rows, start=1) if (fault := _fault(row)) is not None}
        rejects = [Reject(location, number, *fault) for number, fault in faults.items()]
        good = [row for number, row in enumerate(rows, start=1) if number not in faults] if faults else rows
        if not good:
            return Batch(empty_records(), tuple(rejects), len(rows))
        frame = (
            _texts(good)
            .with_columns(_known(good, histories))
            .lazy()
            .select(pl.all().exclude(DATES), pl.col(DATES).name.suffix("_text"), *self._dates)
            .with_columns(pl.any_horizontal(_unread(name) for name in DATES).alias("bad"))
            .collect()
        )
        if frame["bad"].any():
            numbers = [number for number in range(1, len(rows) + 1) if number not in faults]
            rejects += _rejects(frame, numbers, location)
            frame = frame.filter(~pl.col("bad"))
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


def _fault(row: Any) -> tuple[str | None, str] | None:
    if not isinstance(row, Mapping):
        return None, "not a record; ask the system's operator"
    for name in ("dossierId", "groupId"):
        if text(row.get(name)) is None:
            return name, "is missing, so the dossier cannot be told from others; ask the system's operator"
    return None


def _instant(name: str, zone: str) -> pl.Expr:
    column = pl.col(name)
    parsed = (
        pl.when(column.str.contains(_DATE))
        .then(column)
        .str.to_datetime("%d/%m/%Y %H:%M:%S", time_unit="us", strict=False)
        .dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
    )
    return pl.when(parsed.dt.year().is_between(2000, 2099)).then(parsed).alias(name)


def _unread(name: str) -> pl.Expr:
    return pl.col(name).is_null() & pl.col(f"{name}_text").is_not_null()


def _rejects(frame: pl.DataFrame, numbers: Sequence[int], location: str) -> Iterator[Reject]:
    """One reject for each bad row, naming its first unreadable date."""
    for index in frame["bad"].arg_true():
        for name in DATES:
            value = frame[f"{name}_text"][index]
            if value is not None and frame[name][index] is None:
                yield Reject(location, numbers[index], name, _NO_DATE, value)
                break


_TRIMMED: Final = pl.all().str.strip_chars().replace("", None)


def _texts(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Every kept field as a trimmed text; the server writes numbers for numeric-looking texts, and "" for null."""
    columns = [
        pl.Series(name, [row.get(name) for row in rows], dtype=pl.String, strict=False)
        for name in (*KEPT, APPLICANT_HASH)
    ]
    return pl.DataFrame(columns).select(_TRIMMED)


def _known(rows: Sequence[Mapping[str, Any]], histories: Mapping[str, History | None]) -> list[pl.Series]:
    known = [histories.get(str(row["dossierId"])) for row in rows] if histories else [None] * len(rows)
    return [
        pl.Series("supplement_count", [one and one.supplements for one in known], dtype=pl.Int16),
        pl.Series("steps_done", [one and one.steps for one in known], dtype=pl.Int16),
        *(
            pl.Series(name, [getattr(one, name, None) for one in known], dtype=pl.Int64)
            for name in ("requested_ms", "completed_ms", "first_ms", "last_ms", "entered_ms")
        ),
    ]
