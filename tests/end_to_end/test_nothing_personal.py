"""Nothing personal is stored by default: sources full of it, through everything, and none of it anywhere afterwards.

The kinds that are described column by column, ``rest`` and ``sql``, have the same test with a source of their own
(test_rest_connector.py, tests/sql/test_pulled.py).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.end_to_end.receiving import LGSP, TOKEN, Clock, installed, rows, served, write_settings
from tests.end_to_end.test_igate_against_simulator import STATUSES
from tests.postgres.everywhere import places
from tthc_monitor import outbox_digest, outbox_report
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.jobs import pull_source
from tthc_monitor.outputs import flags_export
from tthc_monitor.outputs.metrics import exposition
from tthc_monitor.simulator.dvcqg_push import Pusher, PushFaults
from tthc_monitor.simulator.igate_server import CLIENT, SimulatedIgate
from tthc_monitor.simulator.opencps_api import FAKE_MARKS
from tthc_monitor.simulator.server import SimulatedServer
from tthc_monitor.simulator.world import World
from tthc_monitor.store.database import transaction
from tthc_monitor.web import scrape_settings

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
OF_FILES = ("Trần Thị Mẫu Thử", "079188888001", "0977777001", "mau.thu@gia-dinh.example.vn", "12 phố Không Có Thật")
"""Name, identity number, phone, mail and address in a table."""
MARKS = (*FAKE_MARKS[1:], *OF_FILES, "phiên bí mật", "DÂN GIẢ", "Bộ GIẢ", "QUYỀN GIẢ", "viên GIẢ", "chú GIẢ", "tờ GIẢ")
COLUMNS = ("Họ tên", "Số định danh", "Điện thoại", "Thư điện tử", "Địa chỉ")


def table(folder: Path) -> None:
    """A table in which a row cannot be read, one has an unknown status, and one is told twice with different content."""
    told = [
        ("T-1", "Đang xử lý", "02/11/2026"),
        ("T-2", "Chưa ai biết", "02/11/2026"),
        ("T-3", "Đang xử lý", "không phải ngày"),
        ("T-4", "Đang xử lý", "02/11/2026"),
        ("T-4", "Đã trả", "02/11/2026"),
    ]
    lines = [
        ",".join(("Mã", "Đơn vị", "Trạng thái", "Nhận", *COLUMNS)),
        *(",".join((key, "H99.01", state, day, *OF_FILES)) for key, state, day in told),
        "",
    ]
    (folder / "so.csv").write_text("\n".join(lines), encoding="utf-8")


FILES = {
    "name": "so",
    "kind": "files",
    "max_reject_share": 0.5,
    "options": {
        "path": "so.csv",
        "zone": "Asia/Ho_Chi_Minh",
        "statuses": {"Đang xử lý": 4, "Đã trả": 10},
        "columns": {
            "source_key": "Mã",
            "code": "Mã",
            "unit_code": "Đơn vị",
            "status": "Trạng thái",
            "received_at": {"column": "Nhận", "format": "%d/%m/%Y"},
            "applicant_hash": "Số định danh",
        },
    },
}


def unpacked(content: bytes) -> bytes:
    """A workbook's parts."""
    with ZipFile(BytesIO(content)) as book:
        return b"".join(book.read(name) for name in book.namelist())


def test_names_numbers_and_addresses_are_nowhere_when_all_is_done(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    table(tmp_path)
    world, clock = World(7, NOW, dossiers=20), Clock(NOW)
    with (
        capture_logs() as logged,
        SimulatedServer(world, clock=clock) as opencps,
        SimulatedIgate(world, clock=clock) as igate,
    ):
        sources: tuple[dict[str, Any], ...] = (
            {
                "name": "mot-cua",
                "kind": "opencps",
                "options": {
                    "url": opencps.url,
                    "group_id": opencps.group_id,
                    "username": opencps.username,
                    "password": opencps.password,
                },
            },
            {
                "name": "igate",
                "kind": "igate",
                "options": {
                    "url": igate.url,
                    "auth": {
                        "kind": "client_credentials",
                        "client_id": CLIENT,
                        "client_secret": igate.secret,
                        "token_url": igate.token_url,
                    },
                    "statuses": STATUSES,
                    "unit_codes": r"^H99\.",
                    "applicant": "applicant.data.identityNumber",
                },
            },
            LGSP,
            FILES,
        )
        installation = installed(engine, write_settings(tmp_path, *sources), clock)
        with served(installation) as web:
            Pusher(world, f"{web.url}/receive/lgsp", TOKEN, PushFaults()).push(NOW - timedelta(days=400), NOW)
        for source in installation.settings.sources:
            assert pull_source(installation, source).dossiers_new > 0
    hashed = rows(
        engine, "SELECT name, count(applicant_hash) FROM tthc.dossiers JOIN tthc.sources USING (source_id) GROUP BY 1"
    )
    assert {name for name, count in hashed if count} == {"mot-cua", "igate", "lgsp", "so"}, "they were told, and hashed"
    assert rows(engine, "SELECT count(*) FROM tthc.rejects") == [(2,)]
    assert ("so", "status", "Chưa ai biết") in rows(engine, "SELECT source, field, code FROM audit.unknown_codes")

    assert places(engine, MARKS) == {}
    with transaction(engine) as connection:
        verdicts = flags_export.verdicts(connection, NOW, installation.settings.calendar.compile())
    mails = outbox_digest.preview_digests(installation, tmp_path / "thu")
    november = calendar_month("2026-11", "Asia/Ho_Chi_Minh")
    reports = outbox_report.monthly_report(installation, november, tmp_path / "bao-cao", formats=("xlsx", "docx"))
    given = {
        "metrics": exposition(engine, scrape_settings(installation)),
        "export": flags_export.render(verdicts, "csv"),
        **{path.name: unpacked(path.read_bytes()) for path in reports},
        "logs": "\n".join([caplog.text, repr(logged), *capfd.readouterr()]).encode(),
        **{path.name: path.read_bytes() for path in mails},
    }
    assert mails and b"T-1" in given["export"]
    found = [(name, mark) for name, content in given.items() for mark in MARKS if mark.encode() in content]
    assert found == []
