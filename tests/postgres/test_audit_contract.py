"""Schema audit is a public contract: its views, their columns and types, its functions, and a comment on each of them.

The contract stands in ``audit_contract.txt``, a line each. What is added there is told in the CHANGELOG; what is taken away
or renamed breaks the queries of inspectors.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from tests.postgres.test_ledger import query

CONTRACT = Path(__file__).with_name("audit_contract.txt")

SHAPE = """
    SELECT 'view ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) AS line
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
    UNION ALL
    SELECT 'function ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') -> ' || pg_get_function_result(p.oid)
    FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace
    ORDER BY 1
"""
COMMENTS = """
    SELECT 'view ' || c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c
    WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
    UNION ALL
    SELECT 'column ' || c.relname || '.' || a.attname, col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') AND a.attnum > 0
    UNION ALL
    SELECT 'function ' || p.oid::regprocedure, obj_description(p.oid, 'pg_proc')
    FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace
"""


def test_views_columns_types_and_functions_are_those_of_the_contract(engine: Engine) -> None:
    kept = CONTRACT.read_text(encoding="utf-8").splitlines()
    found = query(engine, SHAPE)
    lost = [line for line in kept if line not in found]
    added = [line for line in found if line not in kept]
    assert not lost, (
        "BREAKING for those who query schema audit: renamed, removed or of another type. Put back what was there and add the "
        "new beside it; if that cannot be, tell it in CHANGELOG.md as a breaking change and take it out of "
        f"{CONTRACT.name}:\n" + "\n".join(lost)
    )
    assert not added, (
        f"not in the contract yet: tell it in CHANGELOG.md and add it to {CONTRACT.name}, in alphabetical order:\n"
        + "\n".join(added)
    )


def test_columns_stand_where_they_stood(engine: Engine) -> None:
    """Who reads by position, or by INSERT INTO … SELECT *, relies on the order of the columns."""
    first = query(
        engine,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'audit.dossiers'::regclass AND attnum BETWEEN 1 AND 68 ORDER BY attnum",
    )
    assert first[:3] == ["dossier_id", "source", "source_key"]
    assert first[34:36] == ["observation_id", "parent_key"]
    assert first[66:] == ["vanished_seen_at", "due_lawful"]


def test_everything_has_a_comment_in_vietnamese_and_english(engine: Engine) -> None:
    comments = query(engine, COMMENTS)
    assert len(comments) > 500
    wanting = [what for what, comment in comments if not all(part.strip() for part in (comment or "").partition(" | "))]
    assert not wanting, "give each a comment `Vietnamese | English`:\n" + "\n".join(wanting)
