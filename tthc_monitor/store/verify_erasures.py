"""Whether what retention has erased is what the events of the ledger tell, and was erased in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

_MISMATCHED: Final = """
    SELECT coalesce(e.batch_id, t.batch_id), coalesce(e.dossier_id, t.dossier_id), t.dossier_id IS NULL
    FROM (SELECT batch_id, dossier_id FROM tthc.ledger_events WHERE event = 'erased') e
    FULL JOIN tthc.erased t USING (batch_id, dossier_id)
    WHERE e.dossier_id IS NULL OR t.dossier_id IS NULL ORDER BY 1, 2 LIMIT 20
"""
_COUNTED: Final = """
    SELECT b.batch_id FROM tthc.observation_batches b LEFT JOIN tthc.erasures e USING (batch_id)
    WHERE b.kind = 'events' AND b.run_id IS NULL
      AND (e.batch_id IS NULL OR e.dossier_count <> b.row_count OR e.ended_before IS DISTINCT FROM b.asked_at
           OR b.linked_at - b.asked_at < interval '730 days')
    UNION ALL
    SELECT e.batch_id FROM tthc.erasures e JOIN tthc.observation_batches b USING (batch_id) WHERE b.run_id IS NOT NULL
    ORDER BY 1 LIMIT 20
"""
# From the last state before the instant on, each must be an end.
_TOO_EARLY: Final = """
    SELECT b.batch_id, t.dossier_id FROM tthc.erased t JOIN tthc.observation_batches b USING (batch_id)
    WHERE (SELECT bool_and(o.status IN (3, 7, 8, 9, 10) IS TRUE OR coalesce(o.finished_at, o.delivered_at) IS NOT NULL)
                  AND bool_or(o.seen_at < b.asked_at)
           FROM tthc.observations o
           WHERE o.dossier_id = t.dossier_id AND o.observation_id >= coalesce((
               SELECT max(x.observation_id) FROM tthc.observations x
               WHERE x.dossier_id = t.dossier_id AND x.seen_at < b.asked_at), 0)) IS NOT TRUE
    ORDER BY 1, 2 LIMIT 20
"""


def wrong_erasures(connection: Connection) -> Iterator[str]:
    """Erasures without their event or their tombstone, ones that count otherwise, and ones that came too early, in words."""
    for link, dossier, no_tombstone in connection.execute(text(_MISMATCHED)):
        missing = "tombstone" if no_tombstone else "event in the ledger"
        yield f"the details of dossier {dossier} were erased under link {link}, but there is no {missing} of it"
    for link in connection.execute(text(_COUNTED)).scalars():
        yield f"what is told of the erasure under link {link} is not what the link covers, or it lies too near"
    for link, dossier in connection.execute(text(_TOO_EARLY)):
        yield f"the details of dossier {dossier} were erased under link {link}, though by the ledger it had not ended long before"
