"""Messages of the national portal, invented, and an inbox in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from connectors.base import Cursor, Message, Surroundings
from connectors.dvcqg import DvcqgConnector, DvcqgOptions
from tthc_monitor.domain.patches import completed
from tthc_monitor.domain.records import OBSERVED_SCHEMA, Batch, Reject

NOW = datetime(2026, 10, 14, 3, 0, tzinfo=UTC)
KEY = b"k" * 32


def dossier(code: str = "H99.05-261005-0001", **fields: Any) -> dict[str, Any]:
    return {
        "MaHoSo": code,
        "MaTTHC": "1.008891",
        "TenTTHC": "Cấp chứng chỉ",
        "MaLinhVuc": "KT",
        "TenLinhVuc": "Kiến trúc",
        "KenhThucHien": "2",
        "NgayNopHoSo": "20261005080000",
        "NgayTiepNhan": "20261005090000",
        "NgayHenTra": "20261019163000",
        "TrangThaiHoSo": "4",
        "NgayTra": "",
        "NgayKetThucXuLy": "",
        "NgayTuChoi": "",
        "HinhThuc": "0",
        "DonViXuLy": "Sở Xây dựng tỉnh Mẫu",
        "DanhSachHoSoBoSung": [],
        **fields,
    }


def step(code: str = "H99.05-261005-0001", **fields: Any) -> dict[str, Any]:
    return {
        "MaHoSo": code,
        "ThoiDiemXuLy": "20261006100000",
        "PhongBanXuLy": "Phòng Mẫu",
        "TrangThai": "4",
        "NgayBatDau": "20261006100000",
        "NgayKetThucTheoQuyDinh": "20261008113000",
        **fields,
    }


def envelope(data: Any, service: str = "DongBoHoSoMC", **fields: Any) -> dict[str, Any]:
    return {
        "session": "PHIEN-BI-MAT",
        "madonvi": "000.00.00.H99",
        "service": service,
        "isUpdating": "True",
        "data": data,
        **fields,
    }


def body(data: Any, service: str = "DongBoHoSoMC", **fields: Any) -> bytes:
    return json.dumps(envelope(data, service, **fields)).encode()


def steps(*data: Any) -> bytes:
    return body(list(data), "CapNhatTienDoHoSoMC")


@dataclass
class MemoryInbox:
    """An inbox without a database: contents as JSON would bring them back."""

    kept: list[Message] = field(default_factory=list)

    def put(self, connector: DvcqgConnector, sent: bytes, at: datetime = NOW) -> Any:
        received = connector.receive(sent)
        for content in received.contents:
            self.kept.append(Message(len(self.kept) + 1, at, json.loads(json.dumps(content))))
        return received.answer

    def messages(self, after: int) -> Iterator[Message]:
        return (message for message in list(self.kept) if message.number > after)


def connect(
    inbox: MemoryInbox | None = None,
    base: Path = Path(),
    key: bytes | None = KEY,
    now: datetime = NOW,
    **options: Any,
) -> DvcqgConnector:
    surroundings = Surroundings(lambda: now, base, key, inbox=inbox)
    return DvcqgConnector("lgsp", DvcqgOptions(**options), surroundings)


@dataclass
class Ledger:
    """What the store does with rounds, in few words: every state told of a dossier that differs from the one before."""

    states: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    cursor: Cursor | None = None
    staged: list[tuple[Batch, Cursor | None]] = field(default_factory=list)
    rounds: int = 0

    def keep(self) -> None:
        """Append what is staged, with its cursor."""
        for batch, cursor in self.staged:
            for record in self._whole(batch).to_dicts():
                told = self.states.setdefault(record["source_key"], [])
                if not told or told[-1] != record:
                    told.append(record)
            self.rejects += batch.rejects
            self.cursor = cursor if cursor is None else json.loads(json.dumps(cursor, sort_keys=True))
        self.rounds += bool(self.staged)
        self.staged = []

    def _whole(self, batch: Batch) -> pl.DataFrame:
        assert batch.patch
        known = [self.states[key][-1] for key in batch.records["source_key"] if key in self.states]
        frame = pl.DataFrame(known, schema=dict(OBSERVED_SCHEMA))
        return completed(batch.records, frame, batch.clears).select(list(OBSERVED_SCHEMA))

    def pull(self, connector: DvcqgConnector, *, dies_after_round: int | None = None) -> None:
        """A pull; one that dies keeps the rounds before."""
        kept = 0
        for page in connector.fetch(self.cursor):
            if page.new_round:
                self.keep()
                kept += 1
                if kept == dies_after_round:
                    return
            batch = connector.normalise(page)
            keys = [key for one, _ in self.staged for key in one.records["source_key"]]
            assert not set(keys) & set(batch.records["source_key"]), "a dossier is told once a round"
            assert batch.records["source_key"].is_unique().all()
            self.staged.append((batch, page.cursor or (self.staged[-1][1] if self.staged else self.cursor)))
        self.keep()

    def told(self, column: str, code: str = "H99.05-261005-0001") -> list[Any]:
        return [state[column] for state in self.states.get(code, [])]


def local(written: str) -> datetime:
    """An instant as a message writes it, in UTC."""
    return datetime.strptime(f"{written}+0700", "%Y%m%d%H%M%S%z").astimezone(UTC)


def only(records: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    (record,) = records
    return record
