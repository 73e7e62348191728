"""Published figures held against ours: what of a difference is another way of counting, dossier by dossier, and what is not.

A published figure differs from the one that we report by two parts. The publisher counts in another way: that part is
the sum over dossiers that both ways judge differently (``audit.period_differences``). Whatever is left once we count in the
publisher's way is not explained by anything that this program knows, and is said to be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

ON_TIME: Final = ("on_time", "open_in_time")
OVERDUE: Final = ("late", "open_overdue")

FIGURES: Final[Mapping[str, str]] = {
    "total_received": "Tổng số hồ sơ",
    "total_on_time": "Đúng hạn (đã và đang giải quyết)",
    "total_overdue": "Quá hạn (đã và đang giải quyết)",
    "received_online": "(4) Nhận trong kỳ: trực tuyến",
    "received_direct": "(5) Nhận trong kỳ: trực tiếp, dịch vụ bưu chính",
    "carried_over": "(6) Từ kỳ trước",
    "finished_total": "(7) Đã giải quyết: tổng số",
    "finished_early": "(8) Đã giải quyết: trước hạn",
    "finished_on_time": "(9) Đã giải quyết: đúng hạn",
    "finished_late": "(10) Đã giải quyết: quá hạn",
    "pending_total": "(11) Đang giải quyết: tổng số",
    "pending_in_time": "(12) Đang giải quyết: trong hạn",
    "pending_overdue": "(13) Đang giải quyết: quá hạn",
}
"""Published counts, in the order in which they are shown."""

_SUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "total_received": ("received_online", "received_direct", "carried_over"),
    "total_on_time": ("finished_early", "finished_on_time", "pending_in_time"),
    "total_overdue": ("finished_late", "pending_overdue"),
    "finished_total": ("finished_early", "finished_on_time", "finished_late", "finished_unknown"),
    "pending_total": ("pending_in_time", "pending_overdue", "pending_unknown"),
}
"""Figures that are sums of counts of ``audit.figures``; the others are such a count by themselves."""

KEYS: Final = ["unit_code", "sector_code"]
ROW: Final = (
    *("publisher", "counted_by", "unit_code", "unit_name", "sector_code", "figure", "published", "official"),
    *("difference", "explained", "recomputed", "unexplained", "unexplained_percent", "remark", "is_root"),
)

_WHOLE: Final = ("published", "official", "difference", "explained", "recomputed", "unexplained")


def official_figures(counts: pd.DataFrame) -> pd.DataFrame:
    """Our figures by unit and sector, from counts of ``audit.figures``, under the names of :data:`FIGURES`."""
    found = counts[KEYS].copy()
    for name in FIGURES:
        found[name] = counts[list(_SUMS.get(name, (name,)))].sum(axis=1)
    return found


def moved_by_counting(differences: pd.DataFrame, counted_by: str) -> pd.DataFrame:
    """What the publisher's way of counting moves, by unit and sector: figures added and taken away, dossier by dossier.

    By index 766 that is the national verdict. Of who counts by the form nothing but the source's own opinion of a dossier
    tells; where it has none, nothing moves.
    """
    rows = differences
    ours = {"on": rows["official"].isin(ON_TIME), "over": rows["official"].isin(OVERDUE)}
    moved = rows[KEYS].copy()
    if counted_by == "national_766":
        moved["total_received"] = -(rows["national_766"] == "not_counted").astype("int64")
        moved["total_on_time"] = rows["national_766"].isin(ON_TIME).astype("int64") - ours["on"]
        moved["total_overdue"] = rows["national_766"].isin(OVERDUE).astype("int64") - ours["over"]
    else:
        told = rows["source_verdict"].notna()
        late, timely = (rows["source_verdict"] == verdict for verdict in ("late", "on_time"))
        over = np.where(told, late.astype("int64") - ours["over"], 0)
        on = np.where(told, timely.astype("int64") - ours["on"], 0)
        finished = rows["finished"]
        moved["total_on_time"], moved["total_overdue"] = on, over
        moved["finished_late"] = np.where(finished, over, 0)
        moved["pending_overdue"] = np.where(finished, 0, over)
        moved["pending_in_time"] = np.where(finished, 0, on)
    return moved.groupby(KEYS, as_index=False).sum()


def compared(published: pd.DataFrame, official: pd.DataFrame, moved: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each published count, and for each unit that only one of both knows; columns as in :data:`ROW`.

    Args:
        published: rows of ``audit.published_figures`` of one period.
        official: :func:`official_figures` of it with ``unit_name``, petitions left out.
        moved: :func:`moved_by_counting` for each way that a publisher counts by.
    """
    rows: list[dict[str, Any]] = []
    published = published.astype(object).where(published.notna(), None)
    for (publisher, counted_by), told in published.groupby(["publisher", "counted_by"], sort=True):
        rows += _of_publisher(str(publisher), str(counted_by), told, official, moved[str(counted_by)])
    found = pd.DataFrame(rows, columns=list(ROW), dtype=object)
    return found.astype(dict.fromkeys(_WHOLE, "Int64"))


def _of_publisher(
    publisher: str, counted_by: str, told: pd.DataFrame, official: pd.DataFrame, moved: pd.DataFrame
) -> list[dict[str, Any]]:
    below = _below(told)
    known = set(official["unit_code"])
    of_unit, of_sector = _summed(official), _summed(moved)
    found = []
    for row in told.to_dict("records"):
        units, sector = below[row["unit_code"]], row["sector_code"] or None
        ours = known & units
        root = sector is None and row["parent_code"] not in below
        for figure in FIGURES:
            if row[figure] is None:
                continue
            said = int(row[figure])
            one = _base(publisher, counted_by, row["unit_code"], row["unit_name"], sector, figure, is_root=root)
            if not ours:
                found.append(one | {"published": said, "remark": "Chỉ có trong số liệu công bố"})
                continue
            have, move = (sum(sums.get((unit, sector, figure), 0) for unit in ours) for sums in (of_unit, of_sector))
            found.append(one | _difference(said, have, move))
    published_units = set(told["unit_code"])
    names = dict(zip(official["unit_code"], official["unit_name"], strict=True))
    for unit in sorted(known - published_units):
        have = of_unit.get((unit, None, "total_received"), 0)
        one = _base(publisher, counted_by, unit, names.get(unit), None, "total_received", is_root=False)
        found.append(one | {"official": have, "remark": "Chỉ có trong hệ thống này"})
    return found


def _difference(said: int, have: int, move: int) -> dict[str, Any]:
    left = said - have - move
    higher = "Số công bố cao hơn" if said > have else "Số công bố thấp hơn" if said < have else "Khớp"
    return {
        "published": said,
        "official": have,
        "difference": said - have,
        "explained": move,
        "recomputed": have + move,
        "unexplained": left,
        "unexplained_percent": None if said == 0 else round(100 * abs(left) / said, 2),
        "remark": higher if left == 0 else f"{higher}; chưa giải thích được {'+' if left > 0 else '−'}{abs(left)}",
    }


def _base(
    publisher: str, counted_by: str, unit: str, name: Any, sector: str | None, figure: str, *, is_root: bool
) -> dict[str, Any]:
    empty = dict.fromkeys(ROW)
    return empty | {
        "publisher": publisher,
        "counted_by": counted_by,
        "unit_code": unit,
        "unit_name": name if isinstance(name, str) else None,
        "sector_code": sector,
        "figure": figure,
        "is_root": is_root,
    }


def _below(told: pd.DataFrame) -> dict[str, set[str]]:
    """Each published unit with all that its figures include, as the publication itself tells."""
    children: dict[str, set[str]] = {}
    for unit, parent in zip(told["unit_code"], told["parent_code"], strict=True):
        if isinstance(parent, str):
            children.setdefault(parent, set()).add(unit)
    found = {}
    for unit in dict.fromkeys(told["unit_code"]):
        reached, left = {unit}, [unit]
        while left:
            new = children.get(left.pop(), set()) - reached
            reached |= new
            left += new
        found[unit] = reached
    return found


def _summed(figures: pd.DataFrame) -> dict[tuple[str, str | None, str], int]:
    """Figures by unit, sector and name; None as the sector: all sectors together."""
    names = [name for name in FIGURES if name in figures]
    sums: dict[tuple[str, str | None, str], int] = {}
    for row in figures.to_dict("records"):
        for name in names:
            for sector in (None, row["sector_code"]):
                key = (row["unit_code"], sector, name)
                sums[key] = sums.get(key, 0) + int(row[name])
    return sums
