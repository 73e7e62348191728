"""Dossiers that ways of counting judge differently, as the end of the period knew them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_OPINION: Final = "source_opinion"
_WAITING: Final = """
SELECT dossier_id FROM audit.dossiers
WHERE dossier_id = ANY(%(ids)s::bigint[]) AND supplement_requested_at < %(end)s
  AND (ended_at >= %(end)s) IS NOT FALSE AND (supplement_completed_at >= %(end)s) IS NOT FALSE
"""


def known_at_end(reading: Reading, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as the period's end knew them.

    A source tells what it thinks of a dossier today. Of one that ended within the period that is its last word; of one that
    went on it may rest on what came later, so that is no difference of counting.
    """
    goes_on = ~rows["finished"].astype(bool)
    source = rows["source_verdict"].astype(object).mask(goes_on, None)
    told = rows["reasons"].astype(object).str.split(" ")
    reasons = pd.Series(
        [[code for code in codes if code != _OPINION or ended] for codes, ended in zip(told, ~goes_on, strict=True)],
        index=rows.index,
        dtype=object,
    )
    differs = (rows["official"] != rows["national_766"]) | (rows["official"] != rows["opencps"])
    kept = differs | reasons.map(lambda codes: _OPINION in codes).astype(bool)
    unexplained = kept & reasons.map(lambda codes: codes in ([], ["other"])).astype(bool)
    values = {"ids": rows.loc[unexplained, "dossier_id"].tolist(), "end": reading.end}
    waiting = rows["dossier_id"].isin(read_frame(reading.connection, _WAITING, values)["dossier_id"])
    reasons = pd.Series(
        [
            " ".join(codes) if not bare else "awaiting_supplement" if waits else "other"
            for codes, bare, waits in zip(reasons, unexplained, waiting, strict=True)
        ],
        index=rows.index,
        dtype=object,
    )
    ended = rows["ended_at"].mask(goes_on)
    return rows.assign(source_verdict=source, reasons=reasons, ended_at=ended)[kept].reset_index(drop=True)
