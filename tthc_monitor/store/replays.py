"""Flags of dossiers as they were known at an instant, judged later: for a comparison, or kept for auditors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from tthc_monitor.store.grounds import JudgedBy

REJUDGED: Final = "pg_temp.rejudged_flags"
"""Temporary table of flags just judged, columns of :data:`tthc_monitor.store.flags.FLAG_SCHEMA`."""

_CONTENT: Final = "dossier_id, rule_version_id, starts_at, ends_at, unit_code, procedure_code, evidence"
STANDING: Final = (
    f"SELECT {_CONTENT} FROM tthc.flags f WHERE believed_to IS NULL "
    "AND NOT EXISTS (SELECT FROM pg_temp.exempt x WHERE x.dossier_id = f.dossier_id "
    "AND coalesce(x.rule_version_id, f.rule_version_id) = f.rule_version_id)"
)
"""What the flags that stand say, but for those that retention lets nobody judge anew (the temporary table ``exempt``). Which
evaluation found them, and on which observation, is another matter."""

JUDGED: Final = f"SELECT {_CONTENT} FROM {REJUDGED}"
IN_ORDER: Final = f"ORDER BY {_CONTENT}"


def create_rejudged(connection: Connection) -> None:
    """Make the temporary tables: judged flags, none yet, and what is exempt; they last as long as the transaction."""
    connection.execute(text(f"DROP TABLE IF EXISTS {REJUDGED}, pg_temp.exempt"))
    connection.execute(
        text(
            "CREATE TEMP TABLE exempt ON COMMIT DROP AS SELECT dossier_id, CAST(NULL AS int) AS rule_version_id "
            "FROM tthc.erased"
        )
    )
    connection.execute(
        text(
            "CREATE TEMP TABLE rejudged_flags ON COMMIT DROP AS "
            f"SELECT {_CONTENT}, observation_id FROM tthc.flags WITH NO DATA"
        )
    )


def exempt_spared(connection: Connection, rule_version_ids: Sequence[int]) -> None:
    """Exempt the dossiers in the temporary table ``spared`` (:mod:`tthc_monitor.store.groups`) from these rules."""
    connection.execute(
        text("INSERT INTO pg_temp.exempt SELECT dossier_id, unnest(CAST(:ids AS int[])) FROM spared"),
        {"ids": list(rule_version_ids)},
    )


def differing_flags(connection: Connection, limit: int) -> list[tuple[Any, ...]]:
    """Flags that stand and were not judged, and the other way round: where, dossier, rule version, beginning."""
    query = text(
        f"SELECT * FROM (SELECT 'stands, but the ledger does not give it', e.dossier_id, e.rule_version_id, e.starts_at "
        f"FROM ({STANDING} EXCEPT ALL {JUDGED}) e UNION ALL SELECT 'does not stand, but the ledger gives it', "
        f"e.dossier_id, e.rule_version_id, e.starts_at FROM ({JUDGED} EXCEPT ALL {STANDING}) e) both_ways "
        "ORDER BY 2, 3, 4 LIMIT :limit"
    )
    return [tuple(row) for row in connection.execute(query, {"limit": limit})]


def keep(
    connection: Connection,
    seen_at: datetime,
    judged_at: datetime,
    person: str,
    last_batch_id: int,
    dossiers: int,
    by: JudgedBy,
) -> tuple[int, int]:
    """Keep the flags just judged; returns the number of the replay and how many flags it has."""
    replay_id: int = connection.execute(
        text(
            "INSERT INTO tthc.replays (seen_at, judged_at, person, last_batch_id, dossiers, engine_version, "
            "ruleset_fingerprint, rule_version_ids, calendar_version_id, limit_version_id) VALUES (:seen, :judged, "
            ":person, :link, :dossiers, :engine, :rules, :rule_ids, :calendar, :limits) RETURNING replay_id"
        ),
        {
            "seen": seen_at,
            "judged": judged_at,
            "person": person,
            "link": last_batch_id,
            "dossiers": dossiers,
            "engine": by.engine_version,
            "rules": by.ruleset_fingerprint,
            "rule_ids": list(by.rule_version_ids),
            "calendar": by.calendar_version_id,
            "limits": by.limit_version_id,
        },
    ).scalar_one()
    kept = connection.execute(
        text(
            f"INSERT INTO tthc.replayed_flags (replay_id, {_CONTENT}, observation_id) "
            f"SELECT :replay, {_CONTENT}, observation_id FROM {REJUDGED}"
        ),
        {"replay": replay_id},
    ).rowcount
    return replay_id, kept
