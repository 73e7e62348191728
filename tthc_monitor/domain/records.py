"""The canonical record: the one shape in which every connector hands over what it saw of a dossier.

A batch is a polars frame with the columns of :data:`RECORD_SCHEMA`, in that order. Instants are UTC with microseconds; a
missing value is null, never an empty text. Only what is named here may enter the database: codes, dates, units and
steps, no personal data. A value in a frame is a *claim* of the source; when we *saw* it is added by the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

Kind = Literal["dossier", "petition"]
KINDS: Final = ("dossier", "petition")
CHANNELS: Final = ("direct", "online", "postal", "kiosk")
SOURCE_VERDICTS: Final = ("on_time", "late")

INSTANT: Final = pl.Datetime("us", "UTC")

OBSERVED_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "source_key": pl.String(),
    "code": pl.String(),
    "kind": pl.String(),
    "procedure_code": pl.String(),
    "sector_code": pl.String(),
    "unit_code": pl.String(),
    "receiving_unit_code": pl.String(),
    "channel": pl.String(),
    "status": pl.Int16(),
    "source_status": pl.String(),
    "step_code": pl.String(),
    "step_name": pl.String(),
    "submitted_at": INSTANT,
    "received_at": INSTANT,
    "competent_received_at": INSTANT,
    "due_original": INSTANT,
    "due_current": INSTANT,
    "finished_at": INSTANT,
    "delivered_at": INSTANT,
    "supplement_requested_at": INSTANT,
    "supplement_completed_at": INSTANT,
    "supplement_count": pl.Int16(),
    "source_verdict": pl.String(),
    "applicant_hash": pl.String(),
    "parent_key": pl.String(),
    "postmarked_at": INSTANT,
    "transferred_at": INSTANT,
    "result_at": INSTANT,
    "published_at": INSTANT,
    "stop_requested_at": INSTANT,
    "apology_at": INSTANT,
    "reappointment_count": pl.Int16(),
    "obligation_requested_at": INSTANT,
    "obligation_completed_at": INSTANT,
    "step_unit_code": pl.String(),
    "step_started_at": INSTANT,
    "step_due_at": INSTANT,
    "consulted_unit_code": pl.String(),
    "consulted_at": INSTANT,
    "consulted_due_at": INSTANT,
    "consulted_answered_at": INSTANT,
    "steps_done": pl.Int16(),
    "first_step_at": INSTANT,
    "last_step_at": INSTANT,
}
"""What is kept of each dossier at each change.

``source_key``
    the source's own identifier, unique within a source; required.
``code``
    mã hồ sơ, for people.
``kind``
    ``dossier``, or ``petition`` for phản ánh, kiến nghị; required.
``unit_code`` / ``receiving_unit_code``
    the resolving unit, and the one-stop desk that received it.
``status`` / ``source_status``
    the national code 1..10 (null when the source's status is not mapped), and the source's own text or code.
``received_at`` / ``competent_received_at``
    reception at the desk; and, of a dossier received away from its competent agency (không phụ thuộc vào địa giới
    hành chính) only, the instant at which that agency received it (NĐ 118/2025 Art. 17.3).
``due_original`` / ``due_current``
    the first promised instant when the source gives it, and the promise in force.
``finished_at`` / ``delivered_at``
    end of processing, and result handed over.
``supplement_*``
    latest request for supplements, when the applicant completed it, and how many requests the source knows of.
``source_verdict``
    the source's own opinion, ``on_time`` or ``late``; never used to judge, only to compare.
``applicant_hash``
    keyed hash that links repeat filings; never an identifier.
``parent_key``
    ``source_key`` of the dossier that this one is a part of (liên thông).
``postmarked_at``
    postmark of a dossier that came by post.
``transferred_at``
    handed on by the desk to the unit that resolves it; of a petition, to the unit that answers it.
``result_at``
    date of the result document, which may be earlier than the closing in the software.
``published_at``
    publication of the answer to a petition.
``stop_requested_at``
    the applicant's request to withdraw or stop.
``apology_at`` / ``reappointment_count``
    the latest letter of apology (form 04), and how often the source says a new date was given.
``obligation_*``
    latest demand to fulfil a financial obligation, and when it was fulfilled.
``step_*``
    the step under way: the unit that holds it, since when, and by when it has to be done. Of an ended dossier: the last.
``consulted_*``
    the latest request for another body's opinion: whom, when, by when, and its answer.
``steps_done`` / ``first_step_at`` / ``last_step_at``
    how many steps were closed, and when the first and the last of them was.
"""

OPTIONAL_COLUMNS: Final = tuple(OBSERVED_SCHEMA)[tuple(OBSERVED_SCHEMA).index("applicant_hash") :]
"""Columns that many sources cannot fill. That one of them is empty says something only of a source that has it."""

NAME_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "procedure_name": pl.String(),
    "sector_name": pl.String(),
    "unit_name": pl.String(),
}
"""Names that belong to a code, not to a dossier; they fill the catalogues of procedures, sectors and units."""

RECORD_SCHEMA: Final[Mapping[str, pl.DataType]] = {**OBSERVED_SCHEMA, **NAME_SCHEMA}
REQUIRED_COLUMNS: Final = ("source_key", "kind")
INSTANT_COLUMNS: Final = tuple(name for name, dtype in OBSERVED_SCHEMA.items() if dtype == INSTANT)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be read, with what a person needs to find and mend it.

    ``location`` is the file name or request path; ``row`` the line or row number there (1 is the first line of the
    file, headers included), None when the source has no rows. ``value`` is given only for whitelisted columns, so that
    personal data never reach the rejects.
    """

    location: str
    row: int | None
    column: str | None
    reason: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Normalised records of one fetch step, with the rejects found beside them.

    ``rows_read`` counts what the source gave, rejects and exact duplicates included, for the share of rejects.
    ``patch``: the records tell only some columns of their dossiers (a step that was done, say); what is null in them
    stays as it was last seen, but for the columns in ``clears``: null there tells that there is nothing (any more).
    ``kind`` may be null in a patch too.
    ``unknown``: how many rows had a code that is not mapped, by canonical column and the source's own code. Statuses need
    not be told: they are found by their ``source_status``.
    """

    records: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    rows_read: int = 0
    patch: bool = False
    clears: frozenset[str] = frozenset()
    unknown: Mapping[tuple[str, str], int] = field(default_factory=dict)


def empty_records() -> pl.DataFrame:
    """A frame of no rows with the canonical schema."""
    return pl.DataFrame(schema=dict(RECORD_SCHEMA))


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Add missing canonical columns as nulls and put all in order.

    Raises:
        ValueError: a column is not canonical, an instant column has no zone, or a required column is absent.
    """
    unknown = [name for name in frame.columns if name not in RECORD_SCHEMA]
    if unknown:
        raise ValueError(f"columns {unknown} are not canonical; map them or leave them out")
    for name in REQUIRED_COLUMNS:
        if name not in frame.columns:
            raise ValueError(f"column {name} is required; add it to the mapping")
    for name in INSTANT_COLUMNS:
        if name in frame.columns and frame.schema[name] not in (INSTANT, pl.Null()):
            dtype = frame.schema[name]
            if not (isinstance(dtype, pl.Datetime) and dtype.time_zone is not None):
                raise ValueError(f"column {name} has type {dtype}, a naive instant; give it a zone")
    return frame.select(
        [
            (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name))
            for name, dtype in RECORD_SCHEMA.items()
        ]
    )
