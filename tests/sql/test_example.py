"""The example of a replica: its configuration over the tables that it is written for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.sql import SqlConnector
from tests.sql.servers import PASSWORD, Source
from tthc_monitor.installation import make_connector
from tthc_monitor.settings import load_settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "epar" / "tthc-monitor.yaml"
TABLES = (
    "CREATE TABLE t_unit (PK_UNIT int PRIMARY KEY, C_CODE varchar(40), C_NAME varchar(200))",
    "CREATE TABLE t_record_type (PK_RECORD_TYPE int PRIMARY KEY, C_CODE varchar(40), C_NAME varchar(500), C_SPEC_CODE varchar(40))",
    """
    CREATE TABLE t_record (
        PK_RECORD int PRIMARY KEY, C_CODE varchar(60), FK_RECORD_TYPE int, FK_UNIT int, C_STATUS varchar(40),
        C_RECEIVE_DATE datetime, C_RETURN_DATE datetime, C_CLEAR_DATE datetime, C_REJECTED tinyint, C_REJECT_REASON text,
        C_REJECT_DATE datetime, C_PAUSE_DATE datetime, C_UNPAUSE_DATE datetime, C_IS_INTERNET_RECORD tinyint,
        C_CITIZEN_NAME varchar(200), C_XML_DATA text, C_DELETED tinyint, C_UPDATED datetime
    )
    """,
)
XML = '<data><item id="txtHoTen"><value>Lê Thị Độc</value></item><item id="cboCoQuanPhoiHop"><value>H99.07</value></item></data>'


def test_the_example_reads_what_it_says(mariadb: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPAR_URL", mariadb.url)
    monkeypatch.setenv("EPAR_PASSWORD", PASSWORD)
    mariadb.run(
        *TABLES,
        "INSERT INTO t_unit VALUES (1, 'H99.05', 'Phòng Quản lý đô thị')",
        "INSERT INTO t_record_type VALUES (1, 'XD01', 'Cấp giấy phép xây dựng (mẫu)', 'XD')",
    )
    zeros = "0000-00-00 00:00:00"
    row = (
        "INSERT INTO t_record VALUES (:pk, :code, 1, 1, :status, '2026-10-05 08:00:00', '2026-10-12 16:00:00', :clear, \
           :rejected, 'x', :reject, :pause, :unpause, :online, 'Lê Thị Độc', :xml, :deleted, NULL)"
    )
    plain = {"status": "THU_LY", "clear": zeros, "rejected": 0, "reject": zeros, "pause": zeros, "unpause": zeros}
    plain |= {"online": 0, "xml": XML, "deleted": 0}
    mariadb.many(
        row,
        [
            {"pk": 1, "code": "XD01-1", **plain},
            {"pk": 2, "code": "XD01-2", **plain, "rejected": 1, "reject": "2026-10-06 09:00:00", "online": 1},
            {"pk": 3, "code": "XD01-3", **plain, "status": "BO_SUNG", "pause": "2026-10-07 10:00:00"},
            {"pk": 4, "code": "XD01-4", **plain, "deleted": 1},
        ],
    )
    settings = load_settings(EXAMPLE)
    connector = make_connector(settings, settings.source("epar"), lambda: datetime(2026, 10, 8, tzinfo=UTC))
    assert isinstance(connector, SqlConnector)
    [page] = connector.fetch(None)
    assert page.listed_all
    mapped = connector.map(page)
    assert mapped.rejects == () and mapped.unknown == {}
    columns = ("code", "status", "channel", "finished_at", "supplement_requested_at", "consulted_unit_code")
    assert mapped.records.select(columns).rows() == [
        ("XD01-1", 4, "direct", None, None, "H99.07"),
        ("XD01-2", 3, "online", datetime(2026, 10, 6, 2, tzinfo=UTC), None, "H99.07"),
        ("XD01-3", 5, "direct", None, datetime(2026, 10, 7, 3, tzinfo=UTC), "H99.07"),
    ]
    assert "Độc" not in str(page.content.table.frame.rows())
