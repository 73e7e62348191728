"""The settings of a source that gets the national portal's messages."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, field_validator

from connectors.base import ConnectorOptions
from tthc_monitor.domain.durations import Period
from tthc_monitor.domain.statuses import Status

Value = TypeVar("Value")


def same_name(name: str) -> str:
    """A name as it is compared: NFC, without regard to case and blanks."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _same_keys(table: dict[str, Value]) -> dict[str, Value]:
    found = {same_name(name): value for name, value in table.items()}
    if len(found) < len(table):
        raise ValueError("two of its keys differ only in case or blanks; remove one")
    return found


class DvcqgOptions(ConnectorOptions):
    """Settings of one platform that relays messages; see the field descriptions for meaning and units."""

    spool: Path | None = Field(
        default=None, description="folder into which the platform writes messages, one .json file each; never changed"
    )
    patience: Period = Field(
        default=timedelta(minutes=10), description="how long a half-written file holds up those after it"
    )
    zone: str = Field(default="Asia/Ho_Chi_Minh", description="time zone that the messages' dates are in")
    statuses: Annotated[dict[str, Status], AfterValidator(_same_keys)] = Field(
        default_factory=dict, description="national status of codes other than 1 to 10"
    )
    units: Annotated[dict[str, str], AfterValidator(_same_keys)] = Field(
        default_factory=dict,
        description="code of each unit that DonViXuLy and PhongBanXuLy give by name; a name that is not here stands "
        "for itself",
    )
    supplements_told: bool = Field(
        default=False, description="DanhSachHoSoBoSung is filled, so that an empty one means no request"
    )
    steps_told: bool = Field(
        default=False, description="CapNhatTienDoHoSoMC gives NgayBatDau and NgayKetThucTheoQuyDinh where there are any"
    )

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone is called {value!r}; use a name such as Asia/Ho_Chi_Minh")
        return value
