"""The settings of an iGate source, and how its fields become canonical columns."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, field_validator

from connectors.http_options import HttpOptions
from connectors.mapping import ColumnSpec, MappingOptions, StatusTable
from connectors.rest.auth import Grant, Name, WebAddress
from connectors.rest.expressions import Expression
from connectors.rest.paging import PageNumbers, SpringPages
from connectors.sweeping import ChangesOptions
from tthc_monitor.domain.calendar_fields import Day
from tthc_monitor.domain.statuses import STATUS_LABELS, Status

TERMINAL: Final = frozenset({Status.REFUSED, Status.WITHDRAWN, Status.STOPPED, Status.DELIVERED})
"""Statuses that a dossier does not leave; finished ones are still to be handed over."""

_INSTANT: Final = ("%Y-%m-%dT%H:%M:%S%.f%z",)


class IgateOptions(HttpOptions, ChangesOptions):
    """Settings of one iGate; see the field descriptions for meaning and units."""

    url: WebAddress = Field(description="address of the interface, such as https://apiigate.example.gov.vn")
    path: str = Field(default="pa/dossier/search", description="the search below url")
    auth: Grant = Field(description="kind client_credentials or password, token_url, client_id and secrets")
    statuses: StatusTable = Field(
        default_factory=dict,
        description="number of a dossierStatus → national status 1..10; a name that is a national one is known without",
    )
    since: Day | None = Field(default=None, description="dossiers accepted before this day are read only while open")
    window_days: int | None = Field(
        default=None, ge=2, description="a sweep goes back so many days of acceptance; none: to the beginning"
    )
    spec: Literal["page", "slice"] = Field(default="page", description="pages with a total, or slices without")
    page_size: int = Field(default=100, ge=1, le=1000, description="records per request")
    agencies: tuple[Name, ...] = Field(default=(), description="only dossiers of these unit codes; empty means all")
    unit_codes: str | None = Field(
        default=None,
        description="regular expression of the codes that are units: the first of agency, parent and ancestors that "
        "fits resolves the dossier; without it the agency itself does",
    )
    due_date_means: Literal["start_of_day", "end_of_day"] = Field(
        default="end_of_day", description="what an appointment without time of day means"
    )
    zone: str = Field(default="Asia/Ho_Chi_Minh", description="time zone whose days those are")
    query_dates: str = Field(
        default="%Y-%m-%dT%H:%M:%S.000%z", description="how accepted-from and accepted-to are written"
    )
    applicant: Expression | None = Field(
        default=None, description="JMESPath of what identifies the applicant; only its keyed hash is kept"
    )

    @field_validator("unit_codes")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"'{value}' is not a regular expression ({error}); correct it") from None
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        MappingOptions(zone=value, columns={"source_key": ColumnSpec(column="code")})
        return value

    @field_validator("query_dates")
    @classmethod
    def _writable(cls, value: str) -> str:
        if "%" not in value:
            raise ValueError(f"'{value}' has no strftime code; write for example '%Y-%m-%dT%H:%M:%S.000%z'")
        return value

    @property
    def paging(self) -> PageNumbers:
        """The pages of the search."""
        return SpringPages(size=self.page_size)

    def known_statuses(self) -> dict[str, int]:
        """National status of each number and each national name, keys in lower case."""
        names = {label.lower(): int(status) for status, label in STATUS_LABELS.items()}
        return names | {key.lower(): value for key, value in self.statuses.items()}

    def open_numbers(self) -> tuple[str, ...]:
        """Numbers of the statuses that a dossier may still leave."""
        return tuple(key for key, value in self.statuses.items() if Status(value) not in TERMINAL)

    def mapping(self) -> MappingOptions:
        """The mapping of the fields that :mod:`connectors.igate.rows` leaves of a record."""
        columns: dict[str, ColumnSpec] = {
            name: ColumnSpec(column=name)
            for name in ("procedure_code", "procedure_name", "sector_code", "sector_name", "unit_code", "unit_name")
        }
        columns |= {name: ColumnSpec(column=name) for name in ("receiving_unit_code", "step_name", "source_status")}
        columns |= {"source_key": ColumnSpec(column="code"), "code": ColumnSpec(column="code")}
        columns["status"] = ColumnSpec(column="status", lookup="statuses")
        for name, field in _INSTANTS.items():
            columns[name] = ColumnSpec(column=field, format=_INSTANT)
        columns["due_current"] = ColumnSpec(
            columns=("appointmentDate", "dueDate"), format=_INSTANT, date_only=self.due_date_means
        )
        if self.applicant is not None:
            columns["applicant_hash"] = ColumnSpec(column="applicant")
        return MappingOptions(zone=self.zone, statuses=self.known_statuses(), columns=columns)


_INSTANTS: Final = {
    "submitted_at": "appliedDate",
    "received_at": "acceptedDate",
    "finished_at": "completedDate",
    "delivered_at": "returnedDate",
}
