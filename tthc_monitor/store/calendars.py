"""Compiled calendars in the database, where auditors compute with them (``audit.working_seconds``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.calendars import Calendars
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.store.copy import copy_in

# Working time that goes on past midnight is one segment: it counts for every day that it touches.
_NUMBERED = """
    INSERT INTO tthc.calendar_days
    SELECT :compiled, d.day AT TIME ZONE :zone, row_number() OVER (ORDER BY d.day) FROM (
        SELECT DISTINCT generate_series(
            date_trunc('day', opens AT TIME ZONE :zone),
            (closes - interval '1 microsecond') AT TIME ZONE :zone, interval '1 day'
        ) AS day FROM tthc.calendar_segments WHERE compiled_id = :compiled
    ) d
"""

OFFICE_AT_LARGE = ""
"""Name of the variant that holds for every unit not named."""


def keep_segments(connection: Connection, calendar_version_id: int, calendars: Calendars) -> bool:
    """Keep the segments of a calendar version, once; a calendar compiled before is not written again.

    Args:
        calendar_version_id: what ``register_calendar`` gave for ``calendars.fingerprint``.

    Returns:
        whether anything was written; False when the version's segments were there.
    """
    held = text("SELECT EXISTS (SELECT FROM tthc.calendar_variants WHERE calendar_version_id = :version)")
    if connection.scalar(held, {"version": calendar_version_id}):
        return False
    named = [(OFFICE_AT_LARGE, calendars.default), *((one.name, one.calendar) for one in calendars.variants)]
    for variant, calendar in named:
        # Two processes may meet a new version at once; whoever comes second finds the other's.
        connection.execute(
            text(
                "INSERT INTO tthc.calendar_variants (calendar_version_id, variant, compiled_id) "
                "VALUES (:version, :variant, :compiled) ON CONFLICT DO NOTHING"
            ),
            {"version": calendar_version_id, "variant": variant, "compiled": _compiled(connection, calendar)},
        )
    connection.execute(
        text(
            "INSERT INTO tthc.calendar_units (calendar_version_id, unit_code, variant) "
            "SELECT :version, * FROM unnest(CAST(:codes AS text[]), CAST(:variants AS text[])) ON CONFLICT DO NOTHING"
        ),
        {
            "version": calendar_version_id,
            "codes": [code for one in calendars.variants for code in one.codes],
            "variants": [one.name for one in calendars.variants for _ in one.codes],
        },
    )
    return True


def calendar_in_force(connection: Connection) -> Mapping[str, Any] | None:
    """Definition of the calendar by which was judged last; None before the first evaluation."""
    definition: Mapping[str, Any] | None = connection.scalar(
        text(
            "SELECT c.definition FROM tthc.evaluations e JOIN tthc.calendar_versions c USING (calendar_version_id) "
            "ORDER BY e.evaluation_id DESC LIMIT 1"
        )
    )
    return definition


def calendars_without_segments(connection: Connection) -> list[tuple[int, Mapping[str, Any]]]:
    """Calendar versions that are not kept compiled, with what each says."""
    query = """
        SELECT v.calendar_version_id, v.definition FROM tthc.calendar_versions v
        WHERE NOT EXISTS (SELECT FROM tthc.calendar_variants k WHERE k.calendar_version_id = v.calendar_version_id)
    """
    return [(version, definition) for version, definition in connection.execute(text(query))]


def _compiled(connection: Connection, calendar: WorkCalendar) -> int:
    known = text("SELECT compiled_id FROM tthc.compiled_calendars WHERE fingerprint = :fingerprint")
    held: int | None = connection.scalar(known, {"fingerprint": calendar.fingerprint})
    if held is not None:
        return held  # nor is it compiled: of a new version most calendars are old ones
    first, last = calendar.bounds
    fresh: int | None = connection.scalar(
        text(
            "INSERT INTO tthc.compiled_calendars (fingerprint, answers_from, answers_to) "
            "VALUES (:fingerprint, :first, :last) ON CONFLICT (fingerprint) DO NOTHING RETURNING compiled_id"
        ),
        {"fingerprint": calendar.fingerprint, "first": first, "last": last},
    )
    if fresh is None:
        return int(connection.execute(known, {"fingerprint": calendar.fingerprint}).scalar_one())
    segments = calendar.segments
    frame = pl.DataFrame(
        {"opens": segments.opens, "closes": segments.closes, "cumulative_seconds": segments.cumulative}
    ).with_columns(
        pl.lit(fresh, dtype=pl.Int32()).alias("compiled_id"),
        pl.col("opens", "closes").dt.replace_time_zone("UTC"),
    )
    copy_in(connection, "tthc.calendar_segments", frame)
    connection.execute(text(_NUMBERED), {"compiled": fresh, "zone": calendar.zone})
    return fresh
