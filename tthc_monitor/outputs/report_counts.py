"""The counts of a monthly report by the names that its Word template knows: all together, ranked, procedure by procedure."""

from __future__ import annotations

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import pandas as pd

from tthc_monitor.outputs.report_columns import COUNTS, form_columns

_CENTS: Final = Decimal("0.01")
_COLUMNS: Final = {
    "tong": 3,
    "truc_tuyen": 4,
    "truc_tiep": 5,
    "ky_truoc": 6,
    "da_giai_quyet": 7,
    "truoc_han": 8,
    "dung_han": 9,
    "da_qua_han": 10,
    "dang_giai_quyet": 11,
    "trong_han": 12,
    "dang_qua_han": 13,
    "da_chua_ro": 14,
    "dang_chua_ro": 15,
}
_SHARES: Final = {
    "ty_le_dung_han": "on_time_percent",
    "ty_le_trong_han": "pending_in_time_percent",
    "ty_le_truc_tuyen": "online_percent",
}


def count_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Counts of ``audit.figures``, row by row, by the names of the template; with shares where the rows have them."""
    if not rows:
        return []
    columns = form_columns(pd.DataFrame(rows)).to_dict("records")
    return [
        {
            **{name: column[number] for name, number in _COLUMNS.items()},
            "moi": column[4] + column[5],
            "da_co_han": column[8] + column[9] + column[10],
            "dang_co_han": column[12] + column[13],
            "qua_han": column[10] + column[13],
            "chua_ro": column[14] + column[15],
            **{name: _share(row[share]) for name, share in _SHARES.items() if share in row},
        }
        for row, column in zip(rows, columns, strict=True)
    ]


def rank_rows(frame: pd.DataFrame, of: str) -> list[dict[str, Any]]:
    """Units or sectors (``of`` is ``unit`` or ``sector``) in the order of the report, with their share of what is late."""
    rows = records(frame)
    all_late = sum(row["late"] for row in rows)
    unnamed = "Chưa rõ đơn vị" if of == "unit" else "Chưa rõ lĩnh vực"
    shared = Counter(text_of(row[f"{of}_name"]) for row in rows)
    return [
        {
            "tt": number,
            "ten": _told_apart(text_of(row[f"{of}_name"]), str(row[f"{of}_code"]), shared) or unnamed,
            "ma": row[f"{of}_code"],
            **counted,
            "ty_trong": share_of(int(row["late"]), int(all_late)),
        }
        for number, (row, counted) in enumerate(zip(rows, count_rows(rows), strict=True), start=1)
    ]


def _told_apart(name: str, code: str, shared: Counter[str]) -> str:
    """A name, with its code when another has the same name."""
    return f"{name} ({code})" if name and code and shared[name] > 1 else name or code


def late_by_procedure(delayed: pd.DataFrame) -> pd.DataFrame:
    """Procedures of the delayed dossiers, the most first: ``procedure_code``, ``procedure``, ``late``, ``finished_late``,
    ``pending_overdue``.
    """
    known = delayed.assign(
        procedure_code=delayed["procedure_code"].fillna(""),
        procedure=delayed["procedure"].fillna("Chưa rõ thủ tục"),
        ended=delayed["verdict"] == "late",
    )
    counts = known.groupby(["procedure_code", "procedure"], as_index=False).agg(
        finished_late=("ended", "sum"), late=("ended", "size")
    )
    return counts.assign(pending_overdue=counts["late"] - counts["finished_late"]).sort_values(
        ["late", "procedure_code", "procedure"], ascending=[False, True, True], ignore_index=True
    )


def late_procedures(delayed: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of :func:`late_by_procedure` by the names of the template."""
    return [
        {
            "tt": number,
            "ma": row["procedure_code"],
            "ten": row["procedure"],
            "da_qua_han": int(row["finished_late"]),
            "dang_qua_han": int(row["pending_overdue"]),
            "qua_han": int(row["late"]),
        }
        for number, row in enumerate(records(late_by_procedure(delayed)), start=1)
    ]


def share_of(count: int, total: int) -> Decimal | None:
    """Percent with two decimals, rounded as the database rounds; None of nothing."""
    return (Decimal(100 * count) / total).quantize(_CENTS, ROUND_HALF_UP) if total else None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def sum_counts(figures: pd.DataFrame) -> dict[str, int]:
    """The counts of all rows together."""
    return {name: int(figures[name].sum()) for name in COUNTS}


def _share(value: Any) -> Decimal | None:
    return None if pd.isna(value) else Decimal(str(value))


def text_of(value: Any) -> str:
    """A text of a frame; empty where there is none."""
    return value if isinstance(value, str) else ""
