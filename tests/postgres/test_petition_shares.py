"""On-time shares of petitions per unit: what cannot be told is counted apart, never passed off as on time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rules.loader import load_packs
from tests.postgres.test_evaluate import judge
from tests.postgres.test_ledger import Told, query, record, take

RULES = load_packs(("core", "petitions"), Path())


def at(local: str) -> datetime:
    return datetime.fromisoformat(local + "+07:00")


def petition(key: str, unit: str, sent: str, **fields: Any) -> dict[str, Any]:
    """A petition received an hour after it was sent, and transferred an hour after that; 15 working days (index 766, 5.2)."""
    day, clock = sent.split()
    hour = int(clock[:2])
    given = {"received_at": at(f"{day} {hour + 1:02d}:00"), "transferred_at": at(f"{day} {hour + 2:02d}:00")}
    return record(key, **{"kind": "petition", "unit_code": unit, "submitted_at": at(sent), **given, **fields})


PETITIONS = (
    petition("in time", "A", "2026-10-05 09:00", status=9, finished_at=at("2026-10-20 09:00")),
    petition("on the last day", "A", "2026-10-05 09:00", status=9, finished_at=at("2026-10-26 23:00")),
    petition("late", "A", "2026-10-05 09:00", status=9, finished_at=at("2026-10-28 09:00")),
    petition("open and late", "A", "2026-10-05 09:00"),
    petition("open", "B", "2026-10-26 09:00"),
    petition("refused late", "B", "2026-10-05 09:00", status=3, finished_at=at("2026-10-20 09:00")),
    petition("withdrawn", "B", "2026-10-05 09:00", status=7, finished_at=at("2026-10-07 09:00")),
    petition("ended nobody knows when", "B", "2026-10-05 09:00", status=9),
    petition("of a month before", "B", "2026-09-01 09:00", status=9, finished_at=at("2026-09-10 09:00")),
)


def shares(engine: Engine) -> list[Any]:
    take(engine, *PETITIONS, at=at("2026-10-30 08:00"))
    judge(engine, at("2026-10-30 09:00"), RULES)
    span = {"first": at("2026-10-01 00:00"), "after": at("2026-11-01 00:00")}
    return query(engine, "SELECT * FROM audit.petition_shares(:first, :after) ORDER BY 1", **span)


def test_each_petition_of_the_period_is_counted_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Told, "provides", frozenset({"transferred_at"}))
    assert shares(engine) == [("A", 2, 1, 0, 0, 1, 0, Decimal(50)), ("B", 0, 1, 1, 1, 0, 0, Decimal(0))]


def test_of_a_source_without_transfers_nothing_can_be_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Told, "provides", frozenset())
    assert [(row[0], row[1:6], row[-1]) for row in shares(engine)] == [
        ("A", (0, 0, 3, 0, 0), None),
        ("B", (0, 0, 2, 0, 0), None),
    ]
