"""The settings of a source that is described in the settings alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from connectors.base import ConnectorOptions
from connectors.http_options import HttpOptions
from connectors.mapping import EPOCHS, ColumnSpec, MappingOptions
from connectors.raw_table import clean_header
from connectors.rest.auth import Auth, Name, WebAddress
from connectors.rest.expressions import Expression, leaves_out
from connectors.rest.paging import NoPaging, Paging
from connectors.sweeping import ChangesOptions, wall_clock
from tthc_monitor.domain.records import INSTANT_COLUMNS


def _parameter(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


Parameters = dict[Name, Annotated[str | int, BeforeValidator(_parameter, json_schema_input_type=str | int | bool)]]


class ExpressionColumn(ColumnSpec):
    """As any column of a mapping; ``column`` and ``columns`` are JMESPath expressions, applied to each record."""

    column: Expression | None = None
    columns: tuple[Expression, ...] | None = Field(default=None, min_length=1)


class Changes(ChangesOptions):
    """How the source is asked for what changed since an instant.

    ``from_param`` / ``to_param``
        the parameters of the first and the last instant. Without ``to_param`` the end is left open, which is better
        where the source allows it.
    ``format``
        how an instant is written: strftime codes, ``epoch_s`` or ``epoch_ms``.
    ``params``
        parameters that are sent only when changes are asked for, such as the order of the list.
    """

    from_param: Name
    to_param: Name | None = None
    format: str = "%Y-%m-%dT%H:%M:%S%z"
    params: Parameters = Field(default_factory=dict)

    @field_validator("format")
    @classmethod
    def _writable(cls, value: str) -> str:
        if value in EPOCHS:
            return value
        if "%" not in value:
            raise ValueError(f"'{value}' has no strftime code; write for example '%Y-%m-%dT%H:%M:%S%z'")
        return value

    def written(self, instant: datetime, zone: ZoneInfo) -> str | int:
        """An instant as the source wants it."""
        if self.format in EPOCHS:
            microseconds = round((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
            return microseconds // EPOCHS[self.format]
        return instant.astimezone(zone).strftime(self.format)

    def written_start(self, instant: datetime, zone: ZoneInfo) -> str | int:
        """As :meth:`written`; without an offset beside it, the earliest time that clocks show from this instant on."""
        if self.format in EPOCHS or "%z" in self.format or "%:z" in self.format:
            return self.written(instant, zone)
        return wall_clock(instant, zone).strftime(self.format)


class Look(ConnectorOptions):
    """How the source is asked for one dossier: ``path`` with ``{key}`` in it, and where the dossier is in the answer."""

    path: str = Field(pattern=r"\{key\}", description="path below url, {key} stands for the dossier's source key")
    records: Expression = "@"


class Detail(ConnectorOptions):
    """How the source is asked for what its list leaves out of each record, one question a record.

    ``path`` has ``{key}`` in the place of what ``key`` finds in the record; the answer becomes the record's ``field``.
    """

    path: str = Field(pattern=r"\{key\}", description="path below url, {key} stands for the value of key")
    key: Expression
    field: Name = "detail"


class RestOptions(HttpOptions, MappingOptions):
    """Options of the ``rest`` connector, beside those of the mapping and of HTTP.

    ``url`` / ``path``
        the address of the interface, and of the list below it.
    ``method`` / ``body``
        GET, or POST of a JSON object, into which all parameters that change are put; a name with dots means objects
        within objects.
    ``params`` / ``headers``
        what is sent with every question.
    ``auth``
        see :mod:`connectors.rest.auth`.
    ``paging``
        see :mod:`connectors.rest.paging`.
    ``steady``
        true when nothing leaves the list or moves in it while it is read: it is sorted by what never changes and not
        filtered by what does. Then pages are not read again.
    ``records``
        JMESPath of the list of records in an answer.
    ``total`` / ``total_header``
        JMESPath, or the header, of the number of records that the whole list has.
    ``changes``
        how to ask for changes only; without it every run lists everything.
    ``lists_all_open``
        true when listing everything gives every dossier that is open: then one that is not given is gone.
    ``detail``
        how to ask for what the list leaves out, one question a record.
    ``look``
        how to ask for a single dossier.
    """

    url: WebAddress
    path: str = ""
    method: Literal["GET", "POST"] = "GET"
    body: dict[str, Any] | None = None
    params: Parameters = Field(default_factory=dict)
    headers: dict[Name, str] = Field(default_factory=dict)
    auth: Auth | None = None
    paging: Paging = Field(default_factory=NoPaging)
    steady: bool = False
    records: Expression = "@"
    total: Expression | None = None
    total_header: Name | None = None
    changes: Changes | None = None
    lists_all_open: bool = False
    detail: Detail | None = None
    look: Look | None = None
    columns: dict[str, ExpressionColumn]  # type: ignore[assignment]

    @field_validator("columns")
    @classmethod
    def _texts_have_formats(cls, value: dict[str, ExpressionColumn]) -> dict[str, ExpressionColumn]:
        bare = [name for name, spec in value.items() if name in INSTANT_COLUMNS and spec.format is None]
        if bare:
            raise ValueError(
                f"{', '.join(bare)}: JSON has no dates, only texts and numbers; give each a 'format', for example "
                "{column: NAME, format: '%Y-%m-%dT%H:%M:%S%z'}, or format: epoch_ms"
            )
        names = dict.fromkeys(name for spec in value.values() for name in spec.sources)
        if len({clean_header(name) for name in names}) < len(names):
            raise ValueError("two expressions differ only in white space; write them alike")
        return value

    @field_validator("path")
    @classmethod
    def _plain_path(cls, value: str) -> str:
        if "://" in value or "?" in value or "#" in value:
            raise ValueError("is not a path below url; move the server to url and what follows ? to params")
        return value

    @field_validator("headers")
    @classmethod
    def _no_secrets(cls, value: dict[str, str]) -> dict[str, str]:
        if any(name.lower() == "authorization" for name in value):
            raise ValueError("holds Authorization; describe it under auth, where secrets are kept out of this file")
        return value

    @field_validator("total_header")
    @classmethod
    def _one_total(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("total") is not None:
            raise ValueError("total and total_header are both given; keep one")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [*self.params, *self.paging.names]
        if self.changes is not None:
            names += [self.changes.from_param, *self.changes.params]
            names += [self.changes.to_param] if self.changes.to_param is not None else []
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"parameter {', '.join(twice)} is set by more than one of params, paging and changes; leave one of them"
            )
        if self.paging.by != "none" and leaves_out(self.records):
            raise ValueError(
                "records has a condition ([?...]), but an empty page ends the list and counts are compared; take the whole "
                "list, and let the source choose by params"
            )
        if self.method == "GET" and self.body is not None:
            raise ValueError("a GET has no body; set method: POST, or remove body")
        if self.method == "POST" and (self.paging.by in ("link_header", "next_link") or self.total_header is not None):
            raise ValueError("a POST cannot follow links or read headers here; use paging by page, offset or cursor")
        if self.steady and not self.paging.numbered:
            raise ValueError("steady is used only with paging by page, spring or offset; remove it")
        return self
