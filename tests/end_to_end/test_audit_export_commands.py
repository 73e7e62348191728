"""Handing data out from the command line, and checking what was handed out."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Engine

from tests.end_to_end.test_cli import run
from tests.postgres.seed import WORLD, seed
from tthc_monitor.store.database import transaction


@pytest.fixture
def office(engine: Engine, database_address: str, tmp_path: Path) -> Path:
    """A folder with a configuration, whose database has the small world in it."""
    with transaction(engine) as connection:
        seed(connection)
    (tmp_path / "tthc-monitor.yaml").write_text(f"database: {{url: '{database_address}'}}\n", encoding="utf-8")
    return tmp_path


def test_views_go_out_and_what_came_can_be_checked_without_a_database(office: Path) -> None:
    told = run(
        "audit", "export", "--out", "ra", "--view", "dossiers", "--view", "flags", "--format", "parquet", cwd=office
    )
    assert f"dossiers.parquet: {len(WORLD)} rows" in told.good().out and "head of the ledger 01234567" in told.out
    assert "dossiers.parquet" in told.err, "a long export shows which file it is at"
    table = pl.read_parquet(office / "ra" / "dossiers.parquet")
    assert table.height == len(WORLD) and "=H99-000001" in table["code"].to_list()

    elsewhere = office / "kiem-tra"
    (office / "ra").rename(elsewhere)
    (office / "tthc-monitor.yaml").unlink()
    checked = run("audit", "export-check", elsewhere, cwd=office).good()
    assert (
        "2 files" in checked.out and "all as exported" in checked.out and "head of the ledger 01234567" in checked.out
    )
    with (elsewhere / "flags.parquet").open("ab") as file:
        file.write(b"!")
    refused = run("audit", "export-check", elsewhere, cwd=office)
    assert refused.code == 5 and "flags.parquet was changed" in refused.err


def test_a_query_goes_out_and_what_is_none_is_refused(office: Path) -> None:
    (office / "q.sql").write_text("-- của tôi\nSELECT code, unit_code FROM dossiers ORDER BY code;\n", encoding="utf-8")
    told = run("audit", "export", "--out", "ra", "--query", "q.sql", "--bom", cwd=office).good()
    assert "query.csv" in told.out and "1 texts kept from being formulas" in told.out
    lines = (office / "ra" / "query.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "code,unit_code" and "'=H99-000001," in lines
    manifest = json.loads((office / "ra" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"][0]["sql"] == "SELECT code, unit_code FROM dossiers ORDER BY code"

    again = run("audit", "export", "--out", "ra", "--sql", "SELECT 1 AS a", cwd=office)
    assert again.code == 2 and "add --force" in again.err
    refused = run("audit", "export", "--out", "moi", "--sql", "SELECT 1 AS a", "--query", "q.sql", cwd=office)
    assert refused.code == 2 and "give one" in refused.err
    assert not (office / "moi").exists()
