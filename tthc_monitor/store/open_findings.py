"""The flags that stand of open dossiers, kept apart: what is counted every minute must not grow with what has ended.

Whoever replaces flags renews this in the same transaction. Of a dossier that ended since it was judged, rows may be left
until it is judged again; whoever reads joins the open dossiers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from sqlalchemy import Connection, text

STILL_OPEN = "(d.end_seen_at IS NULL OR coalesce(d.finished_at, d.delivered_at) > d.end_seen_at)"
"""SQL: not ended, or with an end that was still to come when it was seen."""

_KEEP = """
    INSERT INTO tthc.open_findings (dossier_id, rule_version_id, flag_id, starts_at, ends_at, due_at)
    SELECT h.dossier_id, h.rule_version_id, h.flag_id, h.starts_at, h.ends_at,
           CASE WHEN r.verdict IS NOT NULL THEN (h.evidence ->> 'due_at')::timestamptz END
    FROM ({dossiers}) o CROSS JOIN LATERAL (
        SELECT * FROM tthc.flags f WHERE f.dossier_id = o.dossier_id AND f.believed_to IS NULL
        AND f.rule_version_id = ANY(:owned) OFFSET 0
    ) h JOIN tthc.rule_versions r USING (rule_version_id)
"""


def renew(
    connection: Connection,
    owned: Collection[int],
    *,
    of: Literal["judged", "all"],
    open_dossiers: Sequence[int] | None = None,
) -> None:
    """Make this what the flags of these rule versions say.

    Args:
        owned: rule versions whose flags were replaced.
        of: the dossiers concerned: those in the temporary table ``judged``, or all.
        open_dossiers: those of ``judged`` that are open, when the caller knows.
    """
    gone = "USING judged j WHERE j.dossier_id = f.dossier_id AND" if of == "judged" else "WHERE"
    connection.execute(
        text(f"DELETE FROM tthc.open_findings f {gone} f.rule_version_id = ANY(:owned)"), {"owned": list(owned)}
    )
    if open_dossiers is not None:
        dossiers = "SELECT unnest(CAST(:ids AS bigint[])) AS dossier_id"
    elif of == "judged":
        dossiers = f"SELECT d.dossier_id FROM judged j JOIN tthc.dossiers d USING (dossier_id) WHERE {STILL_OPEN}"
    else:
        dossiers = f"SELECT d.dossier_id FROM tthc.dossiers d WHERE {STILL_OPEN}"
    values = {"owned": list(owned)} | ({} if open_dossiers is None else {"ids": list(open_dossiers)})
    keep = _KEEP.format(dossiers=dossiers).replace("::", "\\:\\:")
    connection.execute(text(keep), values)
