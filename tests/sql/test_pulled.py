"""From a source's table to our ledger: what was seen is kept, and no personal column is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from tests.sql.epar import POISON, add, connector, make_tables
from tests.sql.servers import Source
from tthc_monitor.ingest import Assertions, pull

NOW = datetime.now(UTC)


def test_our_dossiers_equal_the_source_after_the_sweep_and_hold_nothing_personal(
    postgres: Source, engine: Engine
) -> None:
    make_tables(postgres)

    def pulled(days: int) -> None:
        at = NOW + timedelta(days=days)
        sql = connector(postgres, now=at, lists_all_open=True, page_rows=4)
        pull(engine, "epar", "sql", sql, now=lambda: at, assertions=Assertions())

    add(postgres, *range(1, 10))
    pulled(0)
    postgres.run("UPDATE t_record SET c_status = 'BO_SUNG', c_updated = NULL WHERE pk_record = 2")
    postgres.run("UPDATE t_record SET c_status = 'DA_TRA', c_updated = '2026-01-01' WHERE pk_record = 3")
    add(postgres, 10)
    pulled(0)
    with engine.connect() as connection:
        found = dict(map(tuple, connection.execute(text("SELECT source_key, status FROM tthc.dossiers"))))
    assert found == {**{str(number): 4 for number in range(1, 11)}, "2": 5}
    pulled(2)
    with engine.connect() as connection:
        found = dict(map(tuple, connection.execute(text("SELECT source_key, status FROM tthc.dossiers"))))
        everything = [
            str(row)
            for (table,) in connection.execute(
                text(
                    "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                    "WHERE n.nspname = 'tthc' AND c.relkind = 'r'"
                )
            )
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    assert found == {**{str(number): 4 for number in range(1, 11)}, "2": 5, "3": 10}
    assert any("000.00.01.H99-0001" in row for row in everything)
    assert not [poison for poison in POISON if any(poison in row for row in everything)]
