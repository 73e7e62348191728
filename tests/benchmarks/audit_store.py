"""A store as a year of work leaves it: a million dossiers, five observations of each, judged by all rules.

A year of pulls takes a day to play. So the ledger is written by a few statements that leave what pulls leave: hourly
links, partitions by month in the order of time, a projection that follows from the ledger, statistics and summaries. Only
hashes of contents and rows are made up; no query of an inspector computes them. The dossiers are those of
:mod:`tests.benchmarks.plausible`; what is flagged of them is found by a real evaluation, limits and units come in by import.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import yaml
from sqlalchemy import Connection, Engine, text

from tests.benchmarks.bench_rules import one_rule_changed
from tests.benchmarks.bench_store import NOW, PAGE, clock
from tests.benchmarks.plausible import PROCEDURES, _days, _procedure, grounds, page, unit, units
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.domain.procedure_catalogue import SourcedLimit
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.domain.time_limits import TimeLimit
from tthc_monitor.domain.unit_files import described
from tthc_monitor.evaluate import evaluate
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.database import transaction
from tthc_monitor.store.frozen import freeze
from tthc_monitor.store.time_limits import replace_limits
from tthc_monitor.store.units import lock_register, read_register, save_register

SCRIPT = Path(__file__).with_name("sql") / "audit_store.sql"
MONTH = "2026-10"
_BY = "Người vận hành"

_MOVED = "f.record % 33 = 0 AND f.due_current IS NOT NULL"
_DUE_FIRST = (
    f"CASE WHEN {_MOVED} THEN f.due_current - interval '3 days' ELSE coalesce(f.due_original, f.due_current) END"
)
_EARLIER = {
    "status": "CASE s.place WHEN 1 THEN 1 WHEN 2 THEN 2 WHEN 4 THEN "
    "CASE WHEN f.supplement_requested_at IS NULL THEN 4 ELSE 5 END ELSE 4 END",
    "received_at": "CASE WHEN s.place > 1 THEN f.received_at END",
    "due_original": f"CASE WHEN s.place > 1 THEN {_DUE_FIRST} END",
    "due_current": f"CASE s.place WHEN 1 THEN NULL WHEN 4 THEN f.due_current ELSE {_DUE_FIRST} END",
    "supplement_requested_at": "CASE WHEN s.place > 3 THEN f.supplement_requested_at END",
    "supplement_count": "CASE WHEN s.place > 3 THEN f.supplement_count ELSE 0 END",
    "step_due_at": "CASE WHEN s.place > 2 THEN f.step_due_at END",
    "step_unit_code": "CASE WHEN s.place > 2 THEN f.unit_code END",
    "transferred_at": "CASE WHEN s.place > 2 THEN f.transferred_at END",
    "consulted_at": "CASE WHEN s.place > 2 THEN f.consulted_at END",
    "consulted_due_at": "CASE WHEN s.place > 2 THEN f.consulted_due_at END",
    "consulted_unit_code": "CASE WHEN s.place > 2 THEN f.consulted_unit_code END",
    "apology_at": "CASE WHEN s.place > 3 THEN f.apology_at END",
}
"""What was told before the last of five states; what is named neither here nor in :data:`_ALWAYS` was not told yet."""
_ALWAYS = {
    "source_key", "code", "kind", "procedure_code", "sector_code", "unit_code", "receiving_unit_code", "channel",
    "source_status", "submitted_at", "postmarked_at", "competent_received_at", "applicant_hash", "parent_key",
    "reappointment_count",
}  # fmt: skip
_STEPS = {
    "step_code": "CASE WHEN s.place > 2 THEN 'B' || s.place END",
    "step_name": "CASE s.place WHEN 3 THEN 'Thẩm định' WHEN 4 THEN 'Trình ký' WHEN 5 THEN 'Trả kết quả' END",
    "step_started_at": "CASE WHEN s.place > 2 THEN date_trunc('minute', s.seen_at) - interval '40 minutes' END",
}


def _state(column: str) -> str:
    if column in _STEPS:
        return _STEPS[column]
    last = _DUE_FIRST if column == "due_original" else f"f.{column}"
    if column in _ALWAYS:
        return last
    return f"CASE WHEN s.place = 5 THEN {last} ELSE {_EARLIER.get(column, 'NULL')} END"


def _last(column: str) -> str:
    if column in ("step_code", "step_name"):
        return {"step_code": "'B5'", "step_name": "'Trả kết quả'"}[column]
    if column == "step_started_at":
        return "date_trunc('minute', h.seen[5]) - interval '40 minutes'"
    return "f.due_first" if column == "due_original" else f"f.{column}"


def fill(engine: Engine, dossiers: int) -> None:
    """Bring in so many dossiers, five times as many observations, and what stands beside them."""
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL work_mem = '512MB'; SET LOCAL maintenance_work_mem = '512MB'"))
        _final_states(connection, dossiers)
        script = SCRIPT.read_text(encoding="utf-8").format(
            columns=", ".join(OBSERVED_SCHEMA),
            states=", ".join(_state(column) for column in OBSERVED_SCHEMA),
            last_state=", ".join(_last(column) for column in OBSERVED_SCHEMA),
            moved=_MOVED,
            due_first=_DUE_FIRST,
        )
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(text(statement), {"now": NOW})
    _imports(engine, dossiers)
    settle(engine)
    evaluate(engine, grounds(), now=clock)
    with transaction(engine) as connection:
        freeze(connection, calendar_month(MONTH, "Asia/Ho_Chi_Minh"), _BY, clock())
    evaluate(engine, one_rule_changed(), now=lambda: clock() + timedelta(hours=1))
    settle(engine)


def _final_states(connection: Connection, dossiers: int) -> None:
    columns = ", ".join(f"o.{column}" for column in OBSERVED_SCHEMA)
    connection.execute(
        text(
            f"CREATE UNLOGGED TABLE final_states AS SELECT 0::bigint AS record, o.source_id, {columns} "
            "FROM tthc.observations o WITH NO DATA"
        )
    )
    for rich in (True, False):
        source = connection.scalar(
            text("INSERT INTO tthc.sources (name, kind, provides) VALUES (:n, 'made-up', :p) RETURNING source_id"),
            {"n": "rich" if rich else "plain", "p": sorted(OBSERVED_SCHEMA) if rich else []},
        )
        for first in range(0 if rich else PAGE, dossiers, 2 * PAGE):
            found = page(first, min(PAGE, dossiers - first), dossiers, rich=rich)
            numbered = found.select(
                pl.int_range(first, first + found.height, dtype=pl.Int64).alias("record"),
                pl.lit(source, pl.Int16).alias("source_id"),
                *OBSERVED_SCHEMA,
            )
            copy_in(connection, "final_states", numbered)
    connection.execute(text("ANALYZE final_states"))


def _imports(engine: Engine, dossiers: int) -> None:
    """Time limits, and a tenth of the units with a predecessor that was merged away on 1 July 2025."""
    amounts = [(_procedure(number), int(_days(number))) for number in range(PROCEDURES)]
    limits = [
        SourcedLimit(TimeLimit(procedure_code=code, amount=days, unit="working_day", legal_basis="QĐ mẫu"))
        for code, days in amounts
    ]
    merged = "2026-03-01"
    register = [
        {"code": unit(number), "name": f"Đơn vị {unit(number)}", "kind": "commune"} for number in range(units(dossiers))
    ]
    gone = [{**one, "valid_to": merged} for one in register[:-1:10]]
    content = yaml.safe_dump(
        {
            "units": [*gone, *(one for one in register if one["code"] not in {old["code"] for old in gone})],
            "successions": [
                {"from": one["code"], "to": register[-1]["code"], "date": merged, "document": "NQ mẫu"} for one in gone
            ],
        },
        allow_unicode=True,
    )
    with transaction(engine) as connection:
        replace_limits(connection, limits, {code for code, _ in amounts}, NOW, _BY, "office")
        lock_register(connection)
        known = read_register(connection)
        wanted, _ = described(known, content, "don-vi.yaml")
        save_register(connection, known, wanted, file="don-vi.yaml", content=content.encode(), by=_BY, now=NOW)


def settle(engine: Engine) -> None:
    """What a server does by itself, at an instant that nobody chooses: statistics, visibility, summaries."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        parts = "SELECT DISTINCT seen_at FROM tthc.observation_batches WHERE kind = 'observations'"
        months = "SELECT DISTINCT date_trunc('month', seen_at) AS month FROM (" + parts + ") b"
        connection.execute(text(f"SELECT tthc.observations_loaded(month) FROM ({months}) m"))
        connection.execute(text("CHECKPOINT"))


def main(address: str, dossiers: int) -> None:
    """Fill a database of one's own, to try queries on it."""
    from tthc_monitor.store import migrate
    from tthc_monitor.store.database import make_engine

    engine = make_engine(address)
    migrate.upgrade(engine)
    began = datetime.now(NOW.tzinfo)
    fill(engine, dossiers)
    print(datetime.now(NOW.tzinfo) - began)


if __name__ == "__main__":
    import sys

    main(sys.argv[1], int(sys.argv[2]))
