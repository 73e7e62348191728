"""Which causes the records of delayed dossiers prove: each proof of the list, over all dossiers at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.causes import Cause, CauseList, Proof
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.delays import Delays, working_hours

_WAITED: Final = {"supplement": "Chờ bổ sung hồ sơ", "obligation": "Chờ thực hiện nghĩa vụ tài chính"}
_READY: Final = {"result_at": "Văn bản kết quả đề ngày", "delivered_at": "Trả kết quả ngày"}


def proved_causes(delays: Delays, causes: CauseList, calendar: WorkCalendar) -> pd.DataFrame:
    """The cause that records prove, by ``dossier_id``; dossiers of which nothing is proved are left out.

    Returns:
        ``code`` of the cause and ``shown_by``, the words of what proves it; of several proofs the one of the smallest
        priority, of equals the one that stands first in the list.
    """
    rows = [
        (dossier, cause.code, shown)
        for cause, proof in _by_priority(causes)
        for dossier, shown in _shown(delays, proof, calendar).items()
    ]
    found = pd.DataFrame(rows, columns=["dossier_id", "code", "shown_by"])
    return found.drop_duplicates("dossier_id").set_index("dossier_id")


def _by_priority(causes: CauseList) -> Sequence[tuple[Cause, Proof]]:
    pairs = [(cause, proof) for cause in causes.causes for proof in cause.recognised_by]
    return sorted(pairs, key=lambda pair: pair[1].priority)


def _shown(delays: Delays, proof: Proof, calendar: WorkCalendar) -> pd.Series:
    """By dossier, the words of what shows it; only where the proof holds."""
    if proof.rule is not None:
        shown = _by_rule(delays, proof)
    elif proof.wait is not None:
        shown = _by_wait(delays, proof, calendar)
    elif proof.by_due is not None:
        shown = _by_instant(delays.rows, proof.by_due, calendar.zone)
    else:
        shown = _by_inheritance(delays, proof, calendar.zone)
    return shown[shown.index.isin(_admitted(delays, proof))]


def _admitted(delays: Delays, proof: Proof) -> pd.Index:
    """Dossiers that what is said beside the ground of the proof does not leave out."""
    rows = delays.rows
    if proof.procedures:
        rows = rows[rows["procedure_code"].isin(proof.procedures)]
    if proof.sectors:
        rows = rows[rows["sector_code"].isin(proof.sectors)]
    if proof.delay_at_most_hours is not None:
        rows = rows[rows["ended_at"].notna() & (rows["late_hours"] <= proof.delay_at_most_hours)]
    if proof.unless:
        against = delays.findings.loc[delays.findings["rule_code"].isin(proof.unless), "dossier_id"]
        rows = rows[~rows.index.isin(against)]
    return rows.index


def _by_rule(delays: Delays, proof: Proof) -> pd.Series:
    some = delays.findings[delays.findings["rule_code"] == proof.rule]
    if proof.lasting:
        some = some[some["lasting"]]
    for key, value in proof.evidence.items():
        some = some[_mask(isinstance(told, dict) and told.get(key) == value for told in some["evidence"])]
    if proof.holder is not None:
        pairs = zip(some["unit_code"], some["resolving_code"], strict=True)
        some = some[_mask(is_within(*pair) == (proof.holder == "own") for pair in pairs)]
    if proof.unit_name_has:
        words = tuple(word.casefold() for word in proof.unit_name_has)
        names = [delays.unit_names.get(unit, "").casefold() for unit in some["unit_code"]]
        some = some[_mask(any(word in name for word in words) for name in names)]
    once = some.sort_values(["dossier_id", "starts_at"]).drop_duplicates("dossier_id")
    return once.set_index("dossier_id")["title"]


def _mask(holds: Iterable[bool]) -> npt.NDArray[np.bool_]:
    return np.array(list(holds), dtype=np.bool_)


def is_within(unit: object, whose: object) -> bool:
    """Whether a unit is another or below it (``H99.05.01`` under ``H99.05``); one that nobody names is the other's own."""
    return not isinstance(unit, str) or not unit or f"{unit}.".startswith(f"{whose}.")


def _by_wait(delays: Delays, proof: Proof, calendar: WorkCalendar) -> pd.Series:
    waits = delays.waits[delays.waits["wait"] == proof.wait]
    rows = delays.rows.reindex(waits["dossier_id"]).set_axis(waits.index)
    began = rows["received_at" if proof.counted_from == "reception" else "due_at"]
    since = waits["since"].where(waits["since"] > began, began)
    until = waits["until"].where(waits["until"] < rows["until"], rows["until"])
    waited = pd.Series(working_hours(calendar, since, until), index=waits["dossier_id"]).groupby(level=0).sum()
    late = delays.rows["late_hours"].reindex(waited.index)
    enough = waited[(waited > 0) & (waited >= late * proof.percent_of_delay / 100)]
    what = _WAITED[str(proof.wait)]
    return pd.Series(
        [
            f"{what} {wording.decimal(hours)} giờ làm việc, quá hạn {wording.decimal(whole)} giờ làm việc"
            for hours, whole in zip(enough, late.reindex(enough.index), strict=True)
        ],
        index=enough.index,
        dtype=object,
    )


def _by_instant(rows: pd.DataFrame, name: str, zone: str) -> pd.Series:
    instant = rows[name]
    some = instant[(instant >= rows["received_at"]) & (instant <= rows["due_at"])]
    return some.map(lambda at: f"{_READY[name]} {wording.short_instant(at.to_pydatetime(), zone)}").astype(object)


def _by_inheritance(delays: Delays, proof: Proof, zone: str) -> pd.Series:
    taken = delays.inherited.set_index("dossier_id")
    on = pd.to_datetime(taken["inherited_on"])
    due = delays.rows["due_at"].reindex(taken.index).dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    near = taken[due <= on + pd.Timedelta(days=proof.inherited_within_days or 0)]
    words = []
    for code, day in zip(near["inherited_from"], near["inherited_on"], strict=True):
        whose = wording.unit_label(code, delays.unit_names.get(code)) if isinstance(code, str) else "đơn vị cũ"
        words.append(f"Nhận bàn giao từ {whose} ngày {wording.day(day)}")
    return pd.Series(words, index=near.index, dtype=object)
