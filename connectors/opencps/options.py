"""The settings of an OpenCPS source."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator, model_validator

from connectors.http_options import HttpOptions
from tthc_monitor.domain.statuses import Status

DEFAULT_STATUSES: Final[dict[str, Status]] = {
    "new": Status.REGISTERED,
    "collecting": Status.REGISTERED,
    "receiving": Status.REGISTERED,
    "processing": Status.PROCESSING,
    "interoperating": Status.PROCESSING,
    "handover": Status.PROCESSING,
    "pausing": Status.PROCESSING,
    "waiting": Status.SUPPLEMENT_REQUESTED,
    "correcting": Status.SUPPLEMENT_REQUESTED,
    "paying": Status.FINANCIAL_OBLIGATION,
    "cancelling": Status.WITHDRAWN,
    "cancelled": Status.WITHDRAWN,
    "denied": Status.REFUSED,
    "unresolved": Status.STOPPED,
    "releasing": Status.FINISHED,
    "posting": Status.FINISHED,
    "done": Status.DELIVERED,
}
"""National status of each status of a stock OpenCPS; sites add their own, sub-statuses included."""

DEFAULT_TERMINAL: Final = ("done", "denied", "unresolved", "cancelled")


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Code = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int), Field(min_length=1)]


class OpencpsOptions(HttpOptions):
    """Settings of one OpenCPS site; see the field descriptions for meaning and units."""

    url: str = Field(description="address up to and including /o, such as https://motcua.example.gov.vn/o")
    group_id: Code = Field(description="the site's id (header groupId)")
    username: str = Field(min_length=1)
    password: SecretStr | None = Field(default=None, description="or password_file, or password_env")
    password_file: Path | None = Field(default=None, description="file that holds only the password")
    password_env: str | None = Field(default=None, description="environment variable that holds the password")
    zone: str = Field(default="Asia/Ho_Chi_Minh", description="time zone the server writes its dates in")
    since: date | None = Field(default=None, description="first pull starts at this reception or release day")
    window_days: int = Field(default=45, ge=2, description="days looked back once a day at ended dossiers")
    page_size: int = Field(default=200, ge=2, le=1000, description="records per request")
    max_hits: int = Field(default=10_000, ge=10, description="most records the server lists for one question")
    statuses: dict[str, Status] = Field(default_factory=dict, description="added to, or instead of, the defaults")
    terminal_statuses: tuple[str, ...] = Field(default=DEFAULT_TERMINAL, description="statuses of ended dossiers")
    waiting_steps: tuple[Code, ...] = Field(default=("131", "201"), description="steps that ask for a supplement")
    system_ids: tuple[Code, ...] = Field(default=("0", "1", "2", "5"), min_length=1)
    originality: tuple[Code, ...] = Field(default=("0", "1", "2", "3", "4"), min_length=1)
    agencies: tuple[Code, ...] = Field(default=(), description="only these unit codes; empty means all")
    fetch_history: bool = Field(default=True, description="read supplement requests, one request a changed dossier")
    workers: int = Field(
        default=4,
        ge=1,
        le=16,
        validation_alias=AliasChoices("workers", "history_workers"),
        description="requests under way at once",
    )

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is not an http or https address; write it like https://motcua.example.gov.vn/o")
        if parts.username or parts.password:
            raise ValueError("holds credentials; move them to username and password_file")
        if parts.query or parts.fragment:
            raise ValueError("has parts after ? or #; leave them out")
        return value.rstrip("/")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"no time zone is called {value!r}; use a name such as Asia/Ho_Chi_Minh") from None
        return value

    @model_validator(mode="after")
    def _one_password(self) -> OpencpsOptions:
        if sum(item is not None for item in (self.password, self.password_file, self.password_env)) != 1:
            raise ValueError("exactly one of password, password_file and password_env must be given; set one")
        if self.page_size > self.max_hits:
            raise ValueError("page_size is larger than max_hits; lower it")
        return self

    def all_statuses(self) -> dict[str, Status]:
        """The defaults with the site's own statuses over them."""
        return {**DEFAULT_STATUSES, **self.statuses}

    def open_statuses(self) -> tuple[str, ...]:
        """Every mapped status a dossier may still leave."""
        return tuple(code for code in self.all_statuses() if code not in self.terminal_statuses)
