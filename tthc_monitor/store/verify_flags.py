"""Whether the flags held are those that the evaluations on record say they opened."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text


def flags_that_do_not_add_up(connection: Connection) -> Iterator[str]:
    """Flags of no evaluation, and evaluations that opened another number of flags than are held, in words.

    Evaluations that did not end tell no number.
    """
    rows = connection.execute(
        text(
            "SELECT evaluation_id, coalesce(f.flags, 0), e.flags_opened "
            "FROM (SELECT evaluation_id, count(*) AS flags FROM tthc.flags GROUP BY 1) f "
            "FULL JOIN tthc.evaluations e USING (evaluation_id) "
            "WHERE e.started_at IS NULL OR (e.finished_at IS NOT NULL AND coalesce(f.flags, 0) <> e.flags_opened) "
            "ORDER BY 1 LIMIT 20"
        )
    )
    for evaluation, flags, opened in rows:
        if opened is None:
            yield f"{flags} flags are of evaluation {evaluation}, of which there is no record"
        else:
            yield f"evaluation {evaluation} opened {opened} flags, but {flags} of it are held"
