"""The reconciliation in the words of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.domain.published import COUNTED_BY_NAMES
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.reconciled_figures import FIGURES
from tthc_monitor.outputs.reconciliation_tables import OF_SOURCE, REASONS, cautions, said, why

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_reconciliation import Reconciliation

_TOP: Final = 10
_PRINTED: Final = 2_000
"""Dossiers on paper: a hundred pages; the workbook has more."""


def reconciliation_words(found: Reconciliation) -> Mapping[str, Any]:
    """A value for each field of the section and its annex."""
    apart = _apart(found.rows)
    totals = found.reasons.groupby("reason")["dossiers"].sum().sort_values(ascending=False, kind="stable")
    printed = found.dossiers.head(_PRINTED)
    return {
        "doi_soat_da_nhap": len(found.imports) > 0,
        "doi_soat_ap_dung": found.applied,
        "doi_soat_ghi_chu_nguon": OF_SOURCE,
        "doi_soat_luu_y": cautions(found),
        "doi_soat_nguon": [_publisher(found, row) for row in found.imports.to_dict("records")],
        "doi_soat_don_vi": [_unit(number, row) for number, row in enumerate(apart[:_TOP], 1)],
        "doi_soat_con_don_vi": max(len(apart) - _TOP, 0),
        "doi_soat_so_ho_so": found.count,
        "doi_soat_con_ho_so": found.count - len(printed),
        "doi_soat_ly_do": [
            {"ten": REASONS.get(str(code), str(code)), "so": int(sum_)} for code, sum_ in totals.items()
        ],
        "doi_soat_ho_so": [
            _dossier(number, row, found.zone) for number, row in enumerate(printed.to_dict("records"), 1)
        ],
    }


def _apart(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """Units whose published overdue dossiers are not ours, the furthest apart first; sums of others left out."""
    overdue = rows[
        rows["figure"].isin(("total_overdue", "pending_overdue", "finished_late")) & rows["sector_code"].isna()
    ]
    # Who publishes both parts and their sum is told of by the sum.
    summed = set(overdue.loc[overdue["figure"] == "total_overdue", "publisher"])
    kept = overdue[(overdue["figure"] == "total_overdue") | ~overdue["publisher"].isin(summed)]
    kept = kept[kept["difference"].notna() & (kept["difference"] != 0)]
    size = kept["difference"].astype("float64").abs()
    return kept.assign(size=size).sort_values(["size", "unit_code"], ascending=[False, True]).to_dict("records")


def _unit(number: int, row: Mapping[Any, Any]) -> dict[str, Any]:
    name = wording.unit_label(row["unit_code"], row["unit_name"])
    return {
        "tt": number,
        "nguon": row["publisher"],
        "ten": name if row["figure"] == "total_overdue" else f"{name} – {FIGURES[row['figure']]}",
        **_compared(int(row["published"]), int(row["official"]), int(row["explained"])),
    }


def _compared(published: int, official: int, explained: int) -> dict[str, Any]:
    return {
        "cong_bo": published,
        "he_thong": official,
        "chenh_lech": _signed(published - official),
        "giai_thich": _signed(explained),
        "chua_giai_thich": _signed(published - official - explained),
    }


def _publisher(found: Reconciliation, row: Mapping[Any, Any]) -> dict[str, Any]:
    rows = found.rows[found.rows["publisher"] == row["publisher"]]
    whole = rows[rows["sector_code"].isna()]
    both = whole[whole["difference"].notna()]
    # Units whose figures are in another published unit's are not added twice.
    roots = both[both["is_root"].astype(bool)]
    return {
        "ten": row["publisher"],
        "cach_tinh": COUNTED_BY_NAMES[row["counted_by"]],
        "lan": int(row["version"]),
        "nhap_luc": wording.instant(row["imported_at"].to_pydatetime(), found.zone),
        "nguoi_nhap": row["imported_by"],
        "so_don_vi": int(whole.loc[whole["published"].notna(), "unit_code"].nunique()),
        "so_lech": int(both.loc[both["difference"] != 0, "unit_code"].nunique()),
        "chi_cong_bo": int(whole.loc[whole["official"].isna(), "unit_code"].nunique()),
        "chi_he_thong": int(whole.loc[whole["published"].isna(), "unit_code"].nunique()),
        "chi_tieu": [
            {"ten": title, **_compared(*(int(part[name].sum()) for name in ("published", "official", "explained")))}
            for figure, title in FIGURES.items()
            if len(part := roots[roots["figure"] == figure])
        ],
    }


def _dossier(number: int, row: Mapping[Any, Any], zone: str) -> dict[str, Any]:
    return {
        "tt": number,
        "ma": row["code"],
        "don_vi": wording.unit_label(row["unit_code"], row["unit_name"]),
        "thu_tuc": row["procedure"] or "",
        "tiep_nhan": _when(row["received_at"], zone),
        "hen_tra": _when(row["due_at"], zone),
        "ket_thuc": _when(row["ended_at"], zone),
        "chinh_thuc": said(row["official"]),
        "theo_766": said(row["national_766"]),
        "theo_opencps": said(row["opencps"]),
        "theo_nguon": said(row["source_verdict"]),
        "ly_do": why(row["reasons"]),
    }


def _signed(value: int) -> str:
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{wording.number(abs(value))}"


def _when(value: Any, zone: str) -> str:
    return "" if pd.isna(value) else wording.short_instant(value.to_pydatetime(), zone)
