"""A monthly report made of plausible rows without a database, as large as a test wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_columns import COUNTS, form_checks
from tthc_monitor.outputs.report_series import PeriodCounts, Series
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.report_topics import TOPICS, Topic, TopicSource
from tthc_monitor.outputs.sealed import LedgerHead
from tthc_monitor.outputs.word_fields import Field

ZONE = "Asia/Ho_Chi_Minh"
PERIOD = calendar_month("2026-10", ZONE)
AS_OF = datetime(2026, 10, 31, 17, tzinfo=UTC)
UNITS, SECTORS, PROCEDURES = 150, 40, 400
_SHARES: dict[str, float] = {"on_time_percent": 66.67, "pending_in_time_percent": 50.0, "online_percent": np.nan}


def delayed(rows: int) -> pd.DataFrame:
    """Dossiers late or overdue, of many units and procedures."""
    place = np.arange(rows)
    received = pd.Timestamp("2026-09-01T01:00:00Z") + pd.to_timedelta(place % 40_000, unit="min")
    due = received + pd.Timedelta(days=20)
    open_ = place % 3 == 0
    return pd.DataFrame(
        {
            "dossier_id": place + 1,
            "code": [f"000.{number % UNITS:02d}.H99-261001-{number:05d}" for number in place],
            "has_number": [True] * rows,
            "source_key": [f"dvc-{number}" for number in place],
            "unit_code": [f"H99.{number % UNITS:03d}" for number in place],
            "unit_name": [f"Ủy ban nhân dân phường Mẫu số {number % UNITS}" for number in place],
            "sector_code": [f"LV{number % SECTORS}" for number in place],
            "sector": [f"Lĩnh vực đất đai, môi trường {number % SECTORS}" for number in place],
            "procedure_code": [f"1.{number % PROCEDURES:06d}" for number in place],
            "procedure": [f"Cấp giấy chứng nhận, xác nhận nội dung thứ {number % PROCEDURES}" for number in place],
            "received_at": pd.Series(received).astype("datetime64[us, UTC]"),
            "due_at": pd.Series(due).astype("datetime64[us, UTC]"),
            "ended_at": pd.Series(due + pd.Timedelta(days=3)).mask(open_).astype("datetime64[us, UTC]"),
            "verdict": np.where(open_, "open_overdue", "late"),
            "working_days_late": place % 60,
        }
    )


def _figures(units: int) -> pd.DataFrame:
    pairs = [(unit, sector) for unit in range(units) for sector in range(8)]
    frame = pd.DataFrame(
        {
            "unit_code": [f"H99.{unit:03d}" for unit, _ in pairs],
            "unit_name": [f"Ủy ban nhân dân phường Mẫu số {unit}" for unit, _ in pairs],
            "sector_code": [f"LV{sector}" for _, sector in pairs],
            "sector_name": [f"Lĩnh vực đất đai, môi trường {sector}" for _, sector in pairs],
        }
    )
    ends = list(COUNTS[3:])
    frame[ends] = 1
    frame["received_online"] = len(ends)
    frame[["received_direct", "carried_over"]] = 0
    return frame


def _ranked(figures: pd.DataFrame, of: str) -> pd.DataFrame:
    sums = figures.groupby([f"{of}_code", f"{of}_name"], as_index=False)[list(COUNTS)].sum()
    return sums.assign(late=sums["finished_late"] + sums["pending_overdue"], **_SHARES)


def made_report(rows: int = 5, units: int = 5, topics: tuple[Topic, ...] = ()) -> MonthlyReport:
    """A report with so many delayed dossiers, and so many units."""
    figures = _figures(units)
    sent_back: dict[str, Any] = {
        "kind": "returned",
        "still_waiting": False,
        "supplement_count": None,
        "status": "Trả lại",
    }
    late = delayed(rows)
    before = figures.assign(**dict.fromkeys(COUNTS, 0))
    counted = PeriodCounts(PERIOD, AS_OF, {name: int(figures[name].sum()) for name in COUNTS}, known=True, frozen=False)
    return MonthlyReport(
        PERIOD,
        AS_OF,
        False,
        "Trung tâm Phục vụ hành chính công Tỉnh Mẫu",
        (),
        figures,
        before,
        pd.concat([figures[list(COUNTS)].sum(), pd.Series(_SHARES)]),
        _ranked(figures, "unit"),
        _ranked(figures, "sector"),
        late,
        late.head(rows // 4).assign(happened_at=late["received_at"], **sent_back),
        form_checks(figures, before),
        None,
        None,
        (),
        LedgerHead(7, date(2026, 11, 1), "ab" * 32),
        Series(figures, before, {}, counted, counted, counted, (counted,)),
        AS_OF,
        (),
        topics,
    )


def stand_ins(rows: int) -> tuple[Topic, ...]:
    """A topic for each that reports have: counts of nothing, and something to say of each of so many delayed dossiers."""
    return tuple(_StandIn(source, rows) for source in TOPICS)


@dataclass(frozen=True)
class _StandIn:
    source: TopicSource
    rows: int

    def tables(self) -> Sequence[Table]:
        return ()

    def words(self) -> Mapping[str, Any]:
        return {field.name: _nothing(field) for field in self.source.fields}

    def delayed(self) -> pd.DataFrame:
        ids = pd.RangeIndex(1, self.rows + 1, name="dossier_id")
        names = [one.column.name for one in self.source.delayed]
        return pd.DataFrame(
            {name: [f"Chờ đơn vị phối hợp {number % 30}" for number in ids] for name in names}, index=ids
        )


def _nothing(field: Field) -> Any:
    if field.many:
        return []
    return {one.name: _nothing(one) for one in field.fields} if field.fields else 0
