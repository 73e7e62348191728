"""What a pull has given so far: keys and hashes in the database, whole records on local disk.

The tables are temporary: no other connection sees them, and they vanish with theirs. A pull may come in rounds; the
records of the round under way are in ``staging``, the keys of those before it in ``told``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.domain.statuses import ENDED
from tthc_monitor.store.copy import copy_in, copy_out
from tthc_monitor.store.spool import Spool

CATALOGUES = {
    "units": ("unit_code", "unit_name"),
    "procedures": ("procedure_code", "procedure_name", "sector_code"),
    "sectors": ("sector_code", "sector_name"),
}
"""Catalogue tables, and the columns of a record that fill each; the first is the key."""

_STAGED = "(position bigint, source_key text, content_hash bytea, is_open boolean)"
_GIVEN = "SELECT * FROM staging UNION ALL SELECT * FROM told"
_OPEN: Final = (
    ~pl.col("status").is_in([int(status) for status in ENDED]).fill_null(value=False)
    & pl.col("finished_at").is_null()
    & pl.col("delivered_at").is_null()
)


def create_staging(connection: Connection) -> None:
    """Make this connection's staging tables, and the view ``listed`` of all keys that the pull has given.

    ``dated`` has the instants as of which staged positions tell, where the source says them; ``happened`` what the pull
    shows that no observation tells (:func:`tthc_monitor.store.ledger.add_events`).
    """
    connection.execute(text(f"CREATE TEMP TABLE staging {_STAGED}"))
    connection.execute(text(f"CREATE TEMP TABLE told {_STAGED}"))
    connection.execute(text("CREATE TEMP TABLE wanted (source_key text)"))
    connection.execute(
        text(
            "CREATE TEMP VIEW listed AS SELECT source_key, is_open FROM staging "
            "UNION ALL SELECT source_key, is_open FROM told"
        )
    )
    connection.execute(text("CREATE TEMP TABLE happened (dossier_id bigint, event text)"))
    connection.execute(text("CREATE TEMP TABLE dated (first bigint, until bigint, as_of timestamptz)"))
    for table, columns in CATALOGUES.items():
        connection.execute(text(f"CREATE TEMP TABLE staging_{table} ({', '.join(f'{name} text' for name in columns)})"))


def stage(connection: Connection, spool: Spool, prepared: pl.DataFrame, as_of: datetime | None = None) -> None:
    """Spool prepared records and send their keys and hashes, not the records: most pulls bring little news.

    Args:
        as_of: the instant as of which they tell, when the source says it.
    """
    position = spool.add(prepared.select(*OBSERVED_SCHEMA, "content_hash"))
    keys = prepared.select("source_key", wire_hash(), is_open=_OPEN).with_row_index("position", offset=position)
    copy_in(connection, "staging", keys)
    if as_of is not None and prepared.height:
        values = {"first": position, "until": position + prepared.height, "as_of": as_of}
        longer = text("UPDATE dated SET until = :until WHERE until = :first AND as_of = :as_of")
        if not connection.execute(longer, values).rowcount:
            connection.execute(text("INSERT INTO dated VALUES (:first, :until, :as_of)"), values)
    stage_names(connection, prepared)


def stage_names(connection: Connection, records: pl.DataFrame) -> None:
    """Send the codes of records with their names."""
    for table, columns in CATALOGUES.items():
        copy_in(connection, f"staging_{table}", records.select(columns).drop_nulls(columns[0]).unique())


def wire_hash() -> pl.Expr:
    """The content hash as COPY wants it."""
    return (pl.lit("\\x") + pl.col("content_hash").bin.encode("hex")).alias("content_hash")


def supersede(connection: Connection, keys: pl.Series) -> int:
    """Take out what this round has staged of some dossiers, because it is to be staged anew; returns the number."""
    _want(connection, keys)
    return connection.execute(text("DELETE FROM staging s USING wanted w WHERE s.source_key = w.source_key")).rowcount


def known_records(connection: Connection, spool: Spool, source_id: int, keys: pl.Series) -> pl.DataFrame:
    """The last known records of dossiers: as staged in this pull, else as the projection holds them.

    Returns:
        a row of :data:`OBSERVED_SCHEMA` for each that is known.
    """
    _want(connection, keys)
    given = _GIVEN if spool.keeps_rounds else "SELECT * FROM staging"
    positions = connection.execute(
        text(f"SELECT max(s.position) FROM ({given}) s JOIN wanted w USING (source_key) GROUP BY s.source_key")
    ).scalars()
    staged = spool.take(sorted(positions)).select(list(OBSERVED_SCHEMA))
    held = _held(connection, source_id)
    return pl.concat([staged, held.join(staged, on="source_key", how="anti")])


def held_records(connection: Connection, source_id: int, keys: pl.Series) -> pl.DataFrame:
    """What the projection holds of dossiers: a row of :data:`OBSERVED_SCHEMA` for each that it has."""
    _want(connection, keys)
    return _held(connection, source_id)


def _held(connection: Connection, source_id: int) -> pl.DataFrame:
    columns = ", ".join(f"d.{name}" for name in OBSERVED_SCHEMA)
    query = f"""
        SELECT {columns} FROM wanted w
        JOIN tthc.dossiers d ON d.source_id = {int(source_id)} AND d.source_key = w.source_key
    """
    return copy_out(connection, query, OBSERVED_SCHEMA, exact=True)


def may_repeat(hashes: Sequence[pl.Series]) -> bool:
    """Whether keys may come more than once, by a hash of each: two that differ seldom have the same, two alike always."""
    return bool(hashes) and pl.concat(hashes).n_unique() < sum(map(len, hashes))


def drop_repeated(connection: Connection, *, possible: bool = True) -> tuple[int, list[str]]:
    """Keep the last record of each source key in this round.

    Args:
        possible: False when it is known that each key was given once; looking for them all costs a tenth of a pull.

    Returns:
        the number of records dropped, and the keys of those that differed from the record kept.
    """
    connection.execute(text("ANALYZE staging (source_key)"))
    if not possible:
        return 0, []
    connection.execute(
        text(
            "CREATE TEMP TABLE repeated AS SELECT source_key, max(position) AS kept FROM staging "
            "GROUP BY source_key HAVING count(*) > 1"
        )
    )
    differing = connection.execute(
        text(
            "SELECT DISTINCT s.source_key FROM staging s JOIN repeated r USING (source_key) "
            "JOIN staging k ON k.source_key = r.source_key AND k.position = r.kept "
            "WHERE s.content_hash <> k.content_hash ORDER BY 1"
        )
    ).scalars()
    keys = list(differing)
    dropped = connection.execute(
        text("DELETE FROM staging s USING repeated r WHERE s.source_key = r.source_key AND s.position < r.kept")
    ).rowcount
    connection.execute(text("DROP TABLE repeated"))
    return dropped, keys


def drop_outdated(connection: Connection, source_id: int) -> int:
    """Take out what is older than what is held of the same dossier; returns the number of dossiers.

    A dossier held of which nobody can tell as of when is replaced.
    """
    # Where no pull began later than what is staged tells, nothing held can be newer.
    later = text(
        "SELECT EXISTS (SELECT FROM tthc.pull_runs WHERE source_id = :source AND outcome <> 'running' "
        "AND started_at > (SELECT min(as_of) FROM dated))"
    )
    if not connection.scalar(later, {"source": source_id}):
        return 0
    return connection.execute(
        text(
            "DELETE FROM staging s USING dated t, tthc.dossiers d WHERE s.position >= t.first AND s.position < t.until "
            "AND d.source_id = :source AND d.source_key = s.source_key AND d.asked_at > t.as_of "
            "AND d.asked_at > (SELECT min(as_of) FROM dated)"
        ),
        {"source": source_id},
    ).rowcount


def drop_erased(connection: Connection, source_id: int) -> int:
    """Take out the dossiers whose details retention has erased: the source may list them still, or tell them anew.

    Returns:
        the number of dossiers.
    """
    if not connection.scalar(
        text("SELECT EXISTS (SELECT FROM tthc.erased WHERE source_id = :source)"), {"source": source_id}
    ):
        return 0
    return connection.execute(
        text(
            "DELETE FROM staging s USING tthc.erased e WHERE e.source_id = :source "
            "AND e.key_hash = sha256(convert_to(s.source_key, 'UTF8'))"
        ),
        {"source": source_id},
    ).rowcount


def open_dossiers(connection: Connection) -> int:
    """How many dossiers the pull told of last as not ended; within the round under way none may be staged twice."""
    rounds = connection.scalar(text("SELECT EXISTS (SELECT FROM told)"))
    last = f"(SELECT DISTINCT ON (source_key) is_open FROM ({_GIVEN}) g ORDER BY source_key, position DESC)"
    counted: int = connection.execute(
        text(f"SELECT count(*) FROM {last if rounds else 'staging'} l WHERE is_open")
    ).scalar_one()
    return counted


def one_listed(connection: Connection) -> str | None:
    """The key of a dossier that the pull has given, an open one where there is one; None: it gave none."""
    key: str | None = connection.scalar(text("SELECT source_key FROM listed ORDER BY is_open DESC LIMIT 1"))
    return key


def end_round(connection: Connection, spool: Spool) -> None:
    """Begin a new round: what was staged is told, and staging is empty."""
    connection.execute(text("INSERT INTO told SELECT * FROM staging"))
    connection.execute(text(f"TRUNCATE staging, dated, {', '.join(f'staging_{table}' for table in CATALOGUES)}"))
    spool.end_round()


def _want(connection: Connection, keys: pl.Series) -> None:
    connection.execute(text("TRUNCATE wanted"))
    copy_in(connection, "wanted", keys.unique().alias("source_key").to_frame())
    connection.execute(text("ANALYZE wanted"))
