"""docs/data-inventory.md names every table, and every view that shows what can lead to a person."""

from __future__ import annotations

import re

from sqlalchemy import Engine

from tests.house.files import ROOT
from tests.postgres.test_ledger import query
from tthc_monitor.privacy_settings import RetentionSettings
from tthc_monitor.settings_schema import settings_schema
from tthc_monitor.store.canonical import DETAILS

TEXT = (ROOT / "docs" / "data-inventory.md").read_text(encoding="utf-8")
PERSONAL = {
    table: set(re.findall(r"`(\w+)`", columns))
    for table, columns in re.findall(r"^\| `tthc\.(\w+)` \| ([^|]+) \|", TEXT, flags=re.MULTILINE)
}
"""Tables that hold what can lead to a person, and its columns."""


def part(title: str) -> str:
    return re.split(r"^## ", TEXT.split(f"## {title}")[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_table_is_in_one_of_the_two_lists(engine: Engine) -> None:
    plain = re.findall(r"`tthc\.(\w+)`", part("Tables that hold nothing of the kind"))
    there = query(
        engine,
        "SELECT relname FROM pg_class WHERE relnamespace IN ('tthc'::regnamespace, 'audit'::regnamespace) "
        "AND relkind IN ('r', 'p', 'm', 'f') AND NOT relispartition",
    )
    assert sorted([*PERSONAL, *plain]) == sorted(there)


def test_the_columns_that_it_names_are_there_and_details_everywhere_they_are(engine: Engine) -> None:
    columns = query(
        engine,
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attnum > 0 "
        "AND NOT a.attisdropped AND c.relnamespace = 'tthc'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND NOT c.relispartition AND a.atttypid IN ('text'::regtype, 'json'::regtype, 'jsonb'::regtype, 'bytea'::regtype)",
    )
    there: dict[str, set[str]] = {}
    for table, column in columns:
        there.setdefault(table, set()).add(column)
    assert all(named <= there[table] for table, named in PERSONAL.items())
    telling = {
        *DETAILS,
        "value",
        "content",
        "cursor",
        "evidence",
        "person",
        "imported_by",
        "recipient",
        "error",
        "note",
    }
    missing = {table: (names & telling) - PERSONAL.get(table, set()) for table, names in there.items()}
    assert not {table: names for table, names in missing.items() if names}


def test_the_views_that_show_it_are_named_and_none_shows_the_hash_of_an_applicant(engine: Engine) -> None:
    columns = query(
        engine,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'audit'",
    )
    personal = set().union(*PERSONAL.values()) - {"source_text", "reason", "file", "location", "key_hash", "cursor"}
    showing = {view for view, column in columns if column in personal}
    assert showing == set(re.findall(r"`audit\.(\w+)`", part("Views that show it to auditors")))
    assert "applicant_hash" not in {column for _, column in columns}


def test_the_periods_are_those_of_the_settings() -> None:
    defaults = settings_schema()["$defs"]["RetentionSettings"]["properties"]
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", part("How long"), flags=re.MULTILINE))
    assert told == {name: defaults[name]["default"] for name in RetentionSettings.model_fields if name != "at"}
