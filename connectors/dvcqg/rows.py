"""From whitelisted fields to canonical records: dates, statuses, channels, units. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from connectors.dvcqg.messages import (
    APPLICANT,
    DATES,
    DOSSIERS,
    KEY,
    PROGRESS,
    ROW,
    SUPPLEMENT_DATES,
    SUPPLEMENTS,
    UNREADABLE,
)
from connectors.dvcqg.options import DvcqgOptions, same_name
from tthc_monitor.domain.records import RECORD_SCHEMA, Batch, Reject, conform
from tthc_monitor.domain.statuses import Status

_DATE: Final = re.compile(r"20\d{12}", re.ASCII)
_NO_DATE: Final = "not a date yyyyMMddHHmmss between 2000 and 2099; have it corrected at the platform"
_CHANNELS: Final = {"1": "direct", "2": "online", "3": "postal"}
_REFUSED: Final = frozenset({Status.REFUSED, Status.WITHDRAWN, Status.STOPPED})
_AT_THE_DESK: Final = frozenset({Status.REGISTERED, Status.RECEIVED, Status.REFUSED})
"""Filing and reception are no steps of the resolving."""

SUPPLEMENT_COLUMNS: Final = frozenset(
    {"supplement_requested_at", "supplement_completed_at", "supplement_count", "due_original"}
)
STEP_COLUMNS: Final = frozenset({"step_unit_code", "step_started_at", "step_due_at"})
DOSSIER_COLUMNS: Final = frozenset(
    {"procedure_code", "procedure_name", "sector_code", "sector_name", "unit_code", "unit_name", "channel"}
    | {"status", "source_status", "submitted_at", "received_at", "due_current", "finished_at", "delivered_at"}
)
"""Canonical columns that a message about a dossier tells, empty ones included."""


@dataclass(frozen=True)
class Told:
    """One whitelisted record with where it stood, for people, and the code of who sent it."""

    service: str
    unit: str | None
    where: str
    fields: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The dossier's number, its key within the source."""
        return str(self.fields[KEY])

    @property
    def shape(self) -> str:
        """Records of one shape tell the same columns: the service, and whether requests for supplements are told."""
        return f"{self.service}+" if self.fields.get(SUPPLEMENTS) else self.service

    def packed(self) -> list[Any]:
        """As plain JSON values."""
        return [self.service, self.unit, self.where, dict(self.fields)]


class _UnreadableError(ValueError):
    def __init__(self, column: str, value: str) -> None:
        super().__init__(_NO_DATE)
        self.column = column
        self.value = None if value == UNREADABLE else value


def instant(value: str | None, zone: ZoneInfo) -> datetime | None:
    """A date of a message in UTC; None when there is none.

    Raises:
        ValueError: it is not one of this century.
    """
    if value is None:
        return None
    if not _DATE.fullmatch(value):
        raise ValueError(_NO_DATE)
    parts = (int(value[:4]), *(int(value[at : at + 2]) for at in range(4, 14, 2)))
    return datetime(*parts, tzinfo=zone).astimezone(UTC)  # type: ignore[misc,arg-type]


class RecordReader:
    """Turns records of one shape into a batch, by the settings of one platform."""

    def __init__(self, options: DvcqgOptions) -> None:
        self._zone = ZoneInfo(options.zone)
        self._units = options.units
        self._statuses = {str(int(status)): status for status in Status} | dict(options.statuses)
        self._supplements_told = options.supplements_told

    def read(self, told: Sequence[Told]) -> Batch:
        """Records, with one reject for each that cannot be read, and the codes that nobody knows."""
        unknown: Counter[tuple[str, str]] = Counter()
        found: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for one in told:
            read = self._dossier if one.service == DOSSIERS else self._progress
            try:
                found.append(read(one, unknown))
            except _UnreadableError as error:
                rejects.append(Reject(one.where, one.fields[ROW], error.column, _NO_DATE, error.value))
        frame = conform(pl.DataFrame(found, schema=dict(RECORD_SCHEMA)))
        return Batch(frame, tuple(rejects), len(told), patch=True, clears=self._clears(told), unknown=unknown)

    def moment(self, told: Told) -> datetime | None:
        """The latest instant that a record tells of; None when it tells of none that can be read."""
        fields = told.fields
        texts = [fields.get("ThoiDiemXuLy")]
        if told.service == DOSSIERS:
            texts = [fields.get(name) for name in DATES[DOSSIERS] if name != "NgayHenTra"]
            for request in fields.get(SUPPLEMENTS, ()):
                texts += [request.get("NgayBoSung"), request.get("NgayTiepNhanBoSung")]
        found = []
        for one in texts:
            try:
                found.append(instant(one, self._zone))
            except ValueError:
                continue
        return max(filter(None, found), default=None)

    def _clears(self, told: Sequence[Told]) -> frozenset[str]:
        if not told or told[0].service == PROGRESS:
            return STEP_COLUMNS
        listed = self._supplements_told or told[0].shape != DOSSIERS
        return DOSSIER_COLUMNS | (SUPPLEMENT_COLUMNS if listed else frozenset())

    def _dossier(self, one: Told, unknown: Counter[tuple[str, str]]) -> dict[str, Any]:
        fields = one.fields
        dates = {name: self._date(fields, name) for name in DATES[DOSSIERS]}
        status = self._status(fields.get("TrangThaiHoSo"))
        refused = dates["NgayTuChoi"] if status in _REFUSED else None
        name = fields.get("DonViXuLy")
        channel = fields.get("KenhThucHien", "1")
        if channel not in _CHANNELS:
            unknown["channel", channel] += 1
        return {
            "source_key": one.key,
            "code": one.key,
            "kind": "dossier",
            "procedure_code": fields.get("MaTTHC"),
            "procedure_name": fields.get("TenTTHC"),
            "sector_code": fields.get("MaLinhVuc"),
            "sector_name": fields.get("TenLinhVuc"),
            "unit_code": self._unit("unit_code", name, unknown) or one.unit,
            "unit_name": name,
            "channel": _CHANNELS.get(channel),
            "status": status,
            "source_status": fields.get("TrangThaiHoSo"),
            "submitted_at": dates["NgayNopHoSo"],
            "received_at": dates["NgayTiepNhan"],
            "due_current": dates["NgayHenTra"],
            "finished_at": dates["NgayKetThucXuLy"] or dates["NgayTra"] or refused,
            "delivered_at": dates["NgayTra"],
            "applicant_hash": fields.get(APPLICANT),
            **self._requests(fields.get(SUPPLEMENTS, [])),
        }

    def _requests(self, requests: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """What the requests for supplements tell: the latest of them, how many, and the promise before the first."""
        if not requests:
            return {"supplement_count": 0} if self._supplements_told else {}
        read = [{name: self._date(request, name, SUPPLEMENTS) for name in SUPPLEMENT_DATES} for request in requests]
        dated = [(asked, place) for place, one in enumerate(read) if (asked := one["NgayBoSung"]) is not None]
        first, latest = (read[min(dated)[1]], read[max(dated)[1]]) if dated else (read[0], read[-1])
        return {
            "supplement_requested_at": latest["NgayBoSung"],
            "supplement_completed_at": latest["NgayTiepNhanBoSung"],
            "supplement_count": len(read),
            "due_original": first["NgayHenTraTruoc"],
        }

    def _progress(self, one: Told, unknown: Counter[tuple[str, str]]) -> dict[str, Any]:
        fields = one.fields
        dates = {name: self._date(fields, name) for name in DATES[PROGRESS]}
        status = self._status(fields.get("TrangThai"))
        return {
            "source_key": one.key,
            "code": one.key,
            "kind": "dossier",
            "status": status,
            "source_status": fields.get("TrangThai"),
            "step_unit_code": self._unit("step_unit_code", fields.get("PhongBanXuLy"), unknown),
            "step_started_at": dates["NgayBatDau"] or dates["ThoiDiemXuLy"],
            "step_due_at": dates["NgayKetThucTheoQuyDinh"],
            "last_step_at": None if status in _AT_THE_DESK else dates["ThoiDiemXuLy"],
        }

    def _date(self, fields: Mapping[str, Any], name: str, within: str | None = None) -> datetime | None:
        value = fields.get(name)
        try:
            return instant(value, self._zone)
        except ValueError:
            raise _UnreadableError(f"{within}.{name}" if within else name, str(value)) from None

    def _status(self, code: str | None) -> int | None:
        if code is None:
            return None
        return self._statuses.get(code.lstrip("0")) or self._statuses.get(same_name(code))

    def _unit(self, column: str, name: str | None, unknown: Counter[tuple[str, str]]) -> str | None:
        """The code of a unit that a message names; a name that the table does not know stands for itself."""
        if name is None or not self._units:
            return name
        code = self._units.get(same_name(name))
        if code is None and name not in self._units.values():
            unknown[column, name] += 1
        return code or name
