"""A table of dossiers as old one-stop systems keep it, made up, and a connector over it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from connectors.base import Cursor, Surroundings
from connectors.sql import SqlConnector, SqlOptions
from tests.sql.servers import PASSWORD, Source
from tthc_monitor.domain.records import Reject

NOON = datetime(2026, 9, 21, 5, tzinfo=UTC)
POISON = ("Nguyễn Văn Độc", "0999888777", "079000000001", "doc@example.invalid", "12 phố Thuốc Độc")

QUERY = """
    -- dossiers with the unit that holds them
    SELECT r.*, u.c_unit_name
    FROM t_record r LEFT JOIN t_unit u ON u.pk_unit = r.fk_unit;
"""

OPTIONS: dict[str, Any] = {
    "query": QUERY,
    "key": "pk_record",
    "cursor": "c_updated",
    "zone": "Asia/Ho_Chi_Minh",
    "statuses": {"DANG_XU_LY": 4, "DA_TRA": 10, "BO_SUNG": 5},
    "columns": {
        "source_key": "pk_record",
        "code": "c_code",
        "unit_name": "c_unit_name",
        "received_at": "c_receive_date",
        "due_current": "c_return_date",
        "finished_at": "c_clear_date",
        "status": {"column": "c_status", "lookup": "statuses"},
    },
}


def make_tables(source: Source) -> None:
    at = source.instant
    source.run(
        "CREATE TABLE t_unit (pk_unit int PRIMARY KEY, c_unit_name varchar(200))",
        f"""
        CREATE TABLE t_record (
            pk_record bigint PRIMARY KEY, c_code varchar(60), fk_unit int, c_status varchar(30),
            c_receive_date {at} NULL, c_return_date {at} NULL, c_clear_date {at} NULL, c_updated {at} NULL,
            c_citizen_name text, c_citizen_phone varchar(40), c_citizen_id varchar(40), c_email varchar(80),
            c_xml_data text
        )
        """,
        "CREATE INDEX ix_updated ON t_record (c_updated)",
        "INSERT INTO t_unit VALUES (1, 'Phòng Tư pháp'), (2, 'Phòng Tài nguyên và Môi trường')",
    )


def add(source: Source, *keys: int, **values: Any) -> None:
    """Dossiers received on a day in October, changed just now, with personal data in every other column."""
    name, phone, identity, mail, address = POISON
    row = {
        "c_code": None,
        "fk_unit": 1,
        "c_status": "DANG_XU_LY",
        "c_receive_date": "2026-10-05 08:00:00",
        "c_return_date": "2026-10-12 17:00:00",
        "c_clear_date": None,
        "c_citizen_name": name,
        "c_citizen_phone": phone,
        "c_citizen_id": identity,
        "c_email": mail,
        "c_xml_data": f"<data><item id='txtDiaChi'><value>{address}</value></item></data>",
        **values,
    }
    here = "" if "c_updated" in row else f", {source.here}"
    names = [*row, *(() if "c_updated" in row else ("c_updated",))]
    source.many(
        f"INSERT INTO t_record (pk_record, {', '.join(names)}) VALUES (:pk, {', '.join(':' + name for name in row)}{here})",
        [{"pk": key, **row, "c_code": row["c_code"] or f"000.00.01.H99-{key:04d}"} for key in keys],
    )


def connector(source: Source, *, now: datetime = NOON, folder: Path | None = None, **options: Any) -> SqlConnector:
    chosen = {**OPTIONS, "url": source.url, "password": PASSWORD, **options}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    around = Surroundings(lambda: now, folder or Path(), applicant_key=b"a key of tests alone")
    return SqlConnector("mot-cua", SqlOptions.model_validate(chosen), around)


def pull(sql: SqlConnector, cursor: Cursor | None = None) -> tuple[pl.DataFrame, list[Reject], Cursor | None]:
    """Records, rejects and the cursor left by a fetch."""
    pages = list(sql.fetch(cursor))
    batches = [sql.normalise(page) for page in pages]
    for batch in batches:
        assert batch.rows_read == batch.records.height + len(batch.rejects)
    rejects = [reject for batch in batches for reject in batch.rejects]
    return pl.concat(batch.records for batch in batches), rejects, pages[-1].cursor
