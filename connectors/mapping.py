"""The declarative mapping: which column of a source becomes which field of the canonical record, and how it is read.

The models here check a mapping when the settings are loaded; :mod:`connectors.mapping_engine` applies it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import available_timezones

import polars as pl
from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from connectors.base import ConnectorOptions
from tthc_monitor.domain.records import CHANNELS, INSTANT_COLUMNS, RECORD_SCHEMA, SOURCE_VERDICTS, Kind
from tthc_monitor.domain.short_forms import text_or_this
from tthc_monitor.domain.statuses import Status

MAPPABLE: Final = tuple(name for name in RECORD_SCHEMA if name != "kind")
NUMBER_COLUMNS: Final = tuple(name for name, dtype in RECORD_SCHEMA.items() if dtype == pl.Int16() and name != "status")
VOCABULARIES: Final[Mapping[str, tuple[str, ...]]] = {"channel": CHANNELS, "source_verdict": SOURCE_VERDICTS}
"""Fields that know only these values; a source's other values are unknown codes and land as null."""

OFFSET = re.compile(r"%:{0,3}#?z|%\+|^epoch_m?s$")
EPOCHS: Final[Mapping[str, int]] = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
"""Formats of instants written as a number since 1970-01-01 UTC, each with its unit in microseconds."""
SERIALS: Final[Mapping[str, date]] = {"serial_1900": date(1899, 12, 30), "serial_1904": date(1904, 1, 1)}
"""Formats of instants written as a number of days, as spreadsheets count them, each with the day that is 0."""
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _text_keys(value: Any) -> Any:
    """Keys of a lookup as texts: numbers are what they look like, but YAML's bare ``No`` or ``On`` must be quoted."""
    if not isinstance(value, dict):
        return value
    for key in value:
        if isinstance(key, bool) or key is None:
            raise ValueError(f"YAML reads the bare key as {key}; put quotation marks around it")
    return {str(key): item for key, item in value.items()}


def _text_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Lookup = Annotated[dict[str, int | str], BeforeValidator(_text_keys)]
StatusTable = Annotated[dict[str, Annotated[int, Field(ge=1, le=10)]], BeforeValidator(_text_keys)]
TextList = Annotated[tuple[str, ...], BeforeValidator(_text_list, json_schema_input_type=str | tuple[str, ...])]


class ColumnSpec(ConnectorOptions):
    """Where one canonical field comes from. A bare text in the settings stands for ``{column: text}``.

    Exactly one of:

    ``column``
        a column of the source.
    ``columns``
        several; the first that is not empty in a row counts.
    ``const``
        the same value for every row.

    And, where the field allows it:

    ``format``
        how an instant is written (strftime codes: ``%d/%m/%Y %H:%M``, ``%.f`` for a fraction, ``%z`` for an offset;
        or ``epoch_s``, ``epoch_ms``: seconds or milliseconds since 1970; or ``serial_1900``, ``serial_1904``: days as
        a spreadsheet counts them); a list is tried in order. Not needed for cells that a workbook keeps as dates.
    ``date_only``
        what a value without time of day means: ``start_of_day`` (00:00 as it stands), ``end_of_day`` (23:59:59.999999)
        or a time of day such as ``"16:30"``. Values with another time of day than midnight stay as they are.
    ``lookup``
        source value → our value, compared without regard to case and surrounding blanks; ``statuses`` means the
        table of that name beside ``columns``. Unknown values: kept as they are in free texts; null in ``status``,
        ``channel`` and ``source_verdict``, and counted.
    ``default``
        the value where the source's cell is empty.
    ``present`` / ``absent``
        the value where the source's cell holds anything, and where it is empty: what it holds does not count.
    ``without_prefix``
        beginnings that do not count, in any case (``UBND``, ``Ủy ban nhân dân``): they are taken off the values, and off
        the lookup's keys, so that "UBND xã A" and "xã A" are one.
    ``pad``
        length to which codes of digits alone are filled up with zeros on the left, which spreadsheets drop (1 to 64).
    ``decimals``
        digits after the point of a code that looks like a number, filled up with zeros on the right: with 6, 1.00386 is
        1.003860 (1 to 12).
    ``thousands``
        the mark between thousands in a number, ``.`` in "1.234"; without it such a number cannot be read.
    """

    column: str | None = Field(default=None, min_length=1)
    columns: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(default=None, min_length=1)
    const: int | str | None = None
    format: TextList | None = Field(default=None, min_length=1)
    date_only: str | None = None
    lookup: Literal["statuses"] | Lookup | None = None
    default: int | str | None = None
    present: int | str | None = None
    absent: int | str | None = None
    without_prefix: TextList | None = Field(default=None, min_length=1)
    pad: int | None = Field(default=None, ge=1, le=64)
    decimals: int | None = Field(default=None, ge=1, le=12)
    thousands: Literal[".", ",", " ", "'"] | None = None

    model_config = ConfigDict(json_schema_extra=text_or_this)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(item is not None for item in (self.column, self.columns, self.const)) != 1:
            raise ValueError("give exactly one of 'column', 'columns' and 'const'")
        if self.const is not None and (self.lookup is not None or self.default is not None):
            raise ValueError("'const' is the final value; remove 'lookup' and 'default'")
        if (self.present is not None or self.absent is not None) and (
            self.lookup is not None or self.default is not None
        ):
            raise ValueError("'present' and 'absent' are the final values; remove 'lookup' and 'default'")
        return self

    @field_validator("without_prefix")
    @classmethod
    def _some_prefix(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and not all(item.strip() for item in value):
            raise ValueError("an empty prefix means nothing; remove it")
        return value

    @field_validator("format")
    @classmethod
    def _readable_format(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for item in value or ():
            if item in EPOCHS or item in SERIALS:
                continue
            if "%" not in item:
                raise ValueError(
                    f"'{item}' has no strftime code; write for example '%d/%m/%Y %H:%M', or {' or '.join(SERIALS)}"
                )
            if "%Z" in item:
                raise ValueError("zone names (%Z) are ambiguous; use %z for an offset, or leave it out and set 'zone'")
            try:
                pl.Series(["2000-01-01"]).str.strptime(pl.Datetime("us"), item, strict=False)
            except pl.exceptions.PolarsError as error:
                first = str(error).splitlines()[0]
                raise ValueError(f"'{item}' is not a format for instants: {first}; correct it") from None
        return value

    @field_validator("date_only")
    @classmethod
    def _known_moment(cls, value: str | None) -> str | None:
        if value is None or value in ("start_of_day", "end_of_day") or _CLOCK.fullmatch(value):
            return value
        raise ValueError('use start_of_day, end_of_day or a quoted time of day such as "16:30"')

    @property
    def sources(self) -> tuple[str, ...]:
        """The source's columns this field is read from."""
        return (self.column,) if self.column is not None else self.columns or ()

    @property
    def offsets(self) -> bool:
        """Whether some of its instants may bring an offset."""
        return any(OFFSET.search(item) for item in self.format or ())

    @property
    def needs_zone(self) -> bool:
        """Whether some of its instants may come without offset (or must be cut at local midnight)."""
        return self.format is None or self.date_only is not None or any(not OFFSET.search(item) for item in self.format)


class MappingOptions(ConnectorOptions):
    """The part of a connector's options that says how its columns become canonical records.

    ``zone``
        zone (IANA name) of instants that carry no offset; required as soon as there may be one.
    ``null_values``
        texts that mean "nothing here"; the empty text always does.
    ``kind``
        what every row is: ``dossier`` or ``petition``.
    ``statuses``
        source status → national code 1..10, for the ``status`` field.
    ``columns``
        canonical field → :class:`ColumnSpec`. ``source_key`` is required. ``source_status`` is filled from the status
        column unless it is mapped itself. ``applicant_hash`` names the column that identifies the applicant: its
        value is hashed with the installation's key before it leaves the mapping (null when there is no key).
    """

    zone: str | None = None
    null_values: TextList = ("",)
    kind: Kind = "dossier"
    statuses: StatusTable | None = Field(default=None, min_length=1)
    columns: dict[str, ColumnSpec]

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            near = difflib.get_close_matches(value, available_timezones(), 1)
            raise ValueError(
                f"unknown zone '{value}'; use an IANA name such as {near[0] if near else 'Asia/Ho_Chi_Minh'}"
            )
        return value

    @field_validator("columns")
    @classmethod
    def _fit(cls, value: dict[str, ColumnSpec], info: ValidationInfo) -> dict[str, ColumnSpec]:
        problems = [problem for name, spec in value.items() for problem in _problems(name, spec)]
        if "source_key" not in value:
            problems.append("source_key is required; name the column that identifies a row in the source")
        if "zone" in info.data and info.data["zone"] is None:
            bare = [name for name, spec in value.items() if name in INSTANT_COLUMNS and spec.needs_zone]
            if bare:
                problems.append(
                    f"{', '.join(bare)} may hold instants without offset; set 'zone' beside 'columns', "
                    "for example zone: Asia/Ho_Chi_Minh"
                )
        if "statuses" in info.data:
            problems += _status_problems(value.get("status"), info.data["statuses"])
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Every column of the source that the mapping reads, once; nothing else needs to leave the source."""
        return tuple(dict.fromkeys(name for spec in self.columns.values() for name in spec.sources))


def _status_problems(spec: ColumnSpec | None, table: Mapping[str, int] | None) -> list[str]:
    if table is None:
        if spec is not None and spec.lookup == "statuses":
            return ["status looks up 'statuses', which is missing; add the table beside 'columns'"]
        return []
    if spec is None or spec.const is not None or isinstance(spec.lookup, dict):
        return ["'statuses' is not used by the status column; remove it, or map status with lookup: statuses"]
    return []


def _problems(name: str, spec: ColumnSpec) -> list[str]:
    """What in a spec does not suit its canonical field; each message ends with what to do."""
    if name == "kind":
        return ["kind is the same for all rows; set 'kind' beside 'columns' instead"]
    if name not in MAPPABLE:
        near = difflib.get_close_matches(name, MAPPABLE, 1)
        return [f"'{name}' is not a canonical field; use {near[0] if near else 'one of ' + ', '.join(MAPPABLE)}"]
    found: list[str] = []
    instant = name in INSTANT_COLUMNS
    if not instant and (spec.format is not None or spec.date_only is not None):
        found.append(f"{name} is not an instant; remove 'format' and 'date_only'")
    if instant and (spec.const is not None or spec.lookup is not None or spec.default is not None):
        found.append(f"{name} is an instant; remove 'const', 'lookup' and 'default'")
    if name == "applicant_hash" and (spec.const is not None or spec.lookup is not None or spec.default is not None):
        found.append(f"{name} must come from a column alone; remove 'const', 'lookup' and 'default'")
    if name == "source_key" and (spec.const is not None or spec.default is not None):
        found.append("source_key must differ from row to row; take it from a column without 'default'")
    if spec.lookup == "statuses" and name != "status":
        found.append(f"{name} cannot use lookup: statuses; write its own table")
    if name in NUMBER_COLUMNS and spec.lookup is not None:
        found.append(f"{name} is a number; remove 'lookup'")
    found += _unused(name, spec)
    finals = [item for item in (spec.const, spec.default, spec.present, spec.absent) if item is not None]
    if isinstance(spec.lookup, dict):
        finals += spec.lookup.values()
    return found + [problem for item in finals if (problem := _final_problem(name, item)) is not None]


def _unused(name: str, spec: ColumnSpec) -> list[str]:
    """Settings of how a text is rewritten that would not be looked at."""
    found = []
    final = spec.present is not None or spec.absent is not None
    rewritten = spec.without_prefix is not None or spec.pad is not None or spec.decimals is not None
    taken_over = name in INSTANT_COLUMNS or name == "applicant_hash"
    if final and (taken_over or name == "source_key"):
        found.append(f"{name} takes its value from the cell; remove 'present' and 'absent'")
    if rewritten and (taken_over or final or spec.const is not None or name in NUMBER_COLUMNS):
        found.append(f"{name} has no use for 'without_prefix', 'pad' and 'decimals' here; remove them")
    if spec.thousands is not None and (name not in NUMBER_COLUMNS or not spec.sources or final):
        found.append(f"{name} has no use for 'thousands' here; remove it")
    return found


def _final_problem(name: str, value: int | str) -> str | None:
    if name == "status":
        if not isinstance(value, int) or value not in {int(status) for status in Status}:
            return f"status cannot be {value!r}; use a national code from 1 to 10"
    elif name in NUMBER_COLUMNS:
        if not isinstance(value, int) or not 0 <= value <= 32767:
            return f"{name} cannot be {value!r}; use a number from 0 to 32767"
    elif name in VOCABULARIES and value not in VOCABULARIES[name]:
        return f"{name} cannot be {value!r}; use {', '.join(VOCABULARIES[name])}"
    elif value == "":
        return f"{name} cannot be an empty text; leave it out"
    return None
