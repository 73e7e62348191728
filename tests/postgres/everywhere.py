"""Looks for a text in every column of every table of a database."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Engine, text


def tables(engine: Engine) -> list[str]:
    """Every table of ours, partitions by their parent only."""
    with engine.connect() as connection:
        return list(
            connection.execute(
                text(
                    "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace IN "
                    "('tthc'::regnamespace, 'audit'::regnamespace) AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
                    "ORDER BY 1"
                )
            ).scalars()
        )


def places(engine: Engine, values: Iterable[str]) -> dict[str, list[str]]:
    """The tables in which each value stands, as text in whatever column, or spelt in bytes; values nowhere are left out."""
    found: dict[str, list[str]] = {}
    wanted = sorted({value for value in values if value})
    with engine.connect() as connection:
        for table in tables(engine):
            rows = connection.execute(
                text(
                    f"SELECT DISTINCT w.wanted FROM unnest(CAST(:values AS text[])) w (wanted), {table} held "
                    "WHERE strpos(held::text, w.wanted) > 0 "
                    "OR strpos(held::text, encode(convert_to(w.wanted, 'UTF8'), 'hex')) > 0"
                ),
                {"values": wanted},
            ).scalars()
            for value in rows:
                found.setdefault(value, []).append(table)
    return found
