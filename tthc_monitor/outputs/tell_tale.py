"""The tell-tale report of a month: signs to be checked, unit by unit, each with the dossiers behind it.

Views define every number (``audit.tell_tale``, ``audit.tell_tale_dossiers``); here they are read and put in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from tthc_monitor.domain.periods import Period
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.sealed import LedgerHead, read_ledger_head
from tthc_monitor.outputs.spreadsheet_cells import neutral
from tthc_monitor.outputs.whole_file import write_whole

INSTANTS: Final = ("received_at", "due_at", "claimed_at", "seen_before", "seen_at")

_TEXTS: Final = (
    "unit_code", "unit_name", "figure", "figure_name", "source", "code", "procedure_code", "procedure_name",
)  # fmt: skip

CAUTION: Final = (
    "Mỗi con số là dấu hiệu cần kiểm tra, không phải kết luận vi phạm: lỗi phần mềm, đồng bộ chậm hoặc lý do hợp pháp có thể "
    "giải thích. Ô ghi “chưa áp dụng” là quy tắc tương ứng không có trong bộ quy tắc đang dùng, không phải bằng 0."
)

NOT_APPLIED: Final = "chưa áp dụng"

_FIGURES = "SELECT figure, title, applied FROM audit.tell_tale_figures"
_COUNTS = """
    SELECT * FROM audit.tell_tale WHERE month = %(month)s AND (%(units)s::text[] IS NULL OR unit_code = ANY(%(units)s::text[]))
    ORDER BY dossiers DESC, unit_code
"""
_DOSSIERS = """
    SELECT unit_code, unit_name, figure, figure_name, dossier_id, source, code, procedure_code, procedure_name, received_at,
           due_at, claimed_at, seen_before, seen_at, related_dossier_id
    FROM audit.tell_tale_dossiers WHERE month = %(month)s AND (%(units)s::text[] IS NULL OR unit_code = ANY(%(units)s::text[]))
    ORDER BY claimed_at, seen_at, dossier_id
"""
_FIRST = "SELECT least(min(received_at), min(first_seen_at)) FROM audit.dossiers"


@dataclass(frozen=True)
class Figure:
    """One column of the report. ``applied``: the rule it rests on is in force; else nothing is known."""

    name: str
    title: str
    applied: bool


@dataclass(frozen=True)
class TellTale:
    """The report of a month.

    ``counts``
        one row a unit that has any sign, those with the most dossiers first; a column per figure.
    ``dossiers``
        the rows behind the counts, unit by unit in that order and figure by figure.
    ``has_data``
        whether anything can be said of the month: it has begun, and did not end before the first dossier.
    ``ledger_head``
        the head of the ledger as the report was made; None while it is empty.
    """

    period: Period
    as_of: datetime
    figures: Sequence[Figure]
    counts: pd.DataFrame
    dossiers: pd.DataFrame
    has_data: bool
    ledger_head: LedgerHead | None

    @property
    def nothing(self) -> str:
        """What stands in place of the counts when there are none."""
        return "Không có." if self.has_data else "Chưa có dữ liệu của tháng này."

    def unit_labels(self) -> list[str]:
        """How the unit of each row of ``counts`` is called."""
        pairs = zip(self.counts["unit_code"], self.counts["unit_name"], strict=True)
        return [wording.unit_label(code, name) for code, name in pairs]

    def lines(self) -> Iterator[str]:
        """The counts without a table: one line for each unit and figure that is not zero, then what was not applied."""
        for label, row in zip(self.unit_labels(), self.counts.to_dict("records"), strict=True):
            for one in self.figures:
                if one.applied and row[one.name]:
                    yield f"{label}: {one.title}: {wording.number(int(row[one.name]))}"
            yield f"{label}: số hồ sơ có dấu hiệu: {wording.number(int(row['dossiers']))}"
        yield from (f"{one.title}: {NOT_APPLIED}" for one in self.figures if not one.applied)


def build_tell_tale(
    connection: Connection, period: Period, as_of: datetime, units: Sequence[str] | None = None
) -> TellTale:
    """Read the report of a calendar month; ``units``: of these only."""
    values = {"month": period.first_day, "units": None if units is None else list(units)}
    figures = [Figure(*row) for row in read_frame(connection, _FIGURES, {}).itertuples(index=False)]
    counts = _plain(read_frame(connection, _COUNTS, values))
    dossiers = _plain(read_frame(connection, _DOSSIERS, values, INSTANTS))
    units_in_order = {unit: place for place, unit in enumerate(counts["unit_code"])}
    figures_in_order = {figure.name: place for place, figure in enumerate(figures)}
    places = dossiers.assign(
        at_unit=[units_in_order[unit] for unit in dossiers["unit_code"]],
        at_figure=dossiers["figure"].map(figures_in_order),
    )
    order = places.sort_values(["at_unit", "at_figure"], kind="stable").index
    return TellTale(
        period,
        as_of,
        figures,
        counts,
        dossiers.loc[order].reset_index(drop=True),
        has_data=not counts.empty or _has_data(connection, period, as_of),
        ledger_head=read_ledger_head(connection, period.zone),
    )


def write_csv(report: TellTale, path: Path) -> tuple[Path, Path]:
    """Write the counts to ``path`` and the dossiers behind them to a file beside it, for spreadsheets.

    Returns:
        both paths.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    behind = path.with_name(f"{path.stem}-ho-so{path.suffix}")
    for frame, file in ((report.counts, path), (report.dossiers, behind)):
        table = frame.map(lambda value: neutral(value) if isinstance(value, str) else value)
        for name in table.columns.intersection(list(INSTANTS)):
            table[name] = table[name].dt.tz_convert(report.period.zone).dt.strftime("%Y-%m-%d %H:%M:%S")
        # Without the mark Excel reads Vietnamese letters as something else.
        write_whole(file, partial(table.to_csv, index=False, encoding="utf-8-sig"))
    return path, behind


def _has_data(connection: Connection, period: Period, as_of: datetime) -> bool:
    first = connection.exec_driver_sql(_FIRST).scalar_one()
    return first is not None and first < period.end and period.start <= as_of


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with None for texts that are not there: a dossier may have no unit."""
    texts = {name: frame[name].astype(object).where(frame[name].notna(), None) for name in _TEXTS if name in frame}
    return frame.assign(**texts)
