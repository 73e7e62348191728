"""The ledger out to files and into another database: the same rows, numbers and hashes, or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, text

from tests.conftest import _database
from tests.postgres.test_ledger import CHANGES, DAY, START, assert_chain_holds, query, record, take
from tests.postgres.test_recompute import grounds
from tthc_monitor.domain.errors import ConfigError, LedgerError
from tthc_monitor.ledger_files import export_ledger, import_ledger
from tthc_monitor.rebuild import rebuild
from tthc_monitor.store import ledger_tables
from tthc_monitor.store.database import make_engine
from tthc_monitor.verification import verify

TABLES = (
    "sources",
    "pull_runs",
    "sectors",
    "units",
    "procedures",
    "observation_batches",
    "observations",
    "ledger_events",
)


@pytest.fixture
def other(server_url: str) -> Iterator[Engine]:
    """Another database at the newest migration, with no rows."""
    addresses = _database(server_url, "tthc_template")
    engine = make_engine(next(addresses))
    yield engine
    engine.dispose()
    addresses.close()


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """A ledger of two sources over two months, with a dossier that has vanished."""
    named = {"unit_code": "H99.01", "unit_name": "Sở Xây dựng", "sector_code": "XD", "procedure_code": "1.000001"}
    texts = {"code": '"nhanh", gấp', "step_name": "\\N \\. ;'", "source_status": ""}
    take(engine, record("a", **named), record("b", **CHANGES), record("c", **texts))
    take(engine, record("a"), name="hai")
    for day, status in ((1, 5), (2, 4), (40, 9)):
        take(engine, record("a", **named, status=status), record("b", **CHANGES), at=START + day * DAY)
    return engine


def rows_of(engine: Engine, table: str) -> list[Any]:
    left_out = " - 'cursor' - 'scope'" if table == "sources" else ""
    return sorted(query(engine, f"SELECT (to_jsonb(t){left_out})::text FROM tthc.{table} t"))


@pytest.mark.parametrize("part", [1, 2, 100_000])
def test_what_is_brought_in_is_what_was_taken_out(
    filled: Engine, other: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(ledger_tables, "PART", part)
    manifest = export_ledger(filled, tmp_path / "so-cai", START)
    assert {one.file.rsplit("-", 1)[0] for one in manifest.files if one.table == "observations"} == {
        "observations-2026-03",
        "observations-2026-04",
    }
    read, verdict = import_ledger(other, tmp_path / "so-cai")
    assert read == manifest
    assert verdict.newest is not None
    assert verdict.newest.chain_hash.hex() == manifest.head == query(filled, "SELECT chain_hash FROM audit.ledger")[-1]
    for table in TABLES:
        assert rows_of(other, table) == rows_of(filled, table), table
    assert assert_chain_holds(other) == assert_chain_holds(filled)

    # Both go on alike: what is new gets the next numbers.
    rebuild(other, grounds(), now=lambda: START + 40 * DAY)
    for engine in (filled, other):
        engine.dispose()
        take(engine, record("d"), at=START + 41 * DAY, name="ba")
    numbers = "SELECT observation_id, dossier_id FROM tthc.observations ORDER BY 1 DESC LIMIT 1"
    assert query(other, numbers) == query(filled, numbers)
    verify(other, head=manifest.head).require()


def test_any_program_can_read_the_files(filled: Engine, tmp_path: Path) -> None:
    export_ledger(filled, tmp_path, START)
    observed = pl.read_parquet(tmp_path / "observations-2026-03-00001.parquet")
    assert observed.schema["seen_at"] == pl.Datetime("us", "UTC")
    assert observed["observation_id"].to_list() == sorted(observed["observation_id"])
    assert observed["content_hash"].str.contains(r"^\\x[0-9a-f]{64}$").all()
    assert "cursor" not in pl.read_parquet(tmp_path / "sources-00001.parquet").columns


def test_an_empty_ledger_goes_out_and_in(engine: Engine, other: Engine, tmp_path: Path) -> None:
    assert export_ledger(engine, tmp_path, START).head is None
    assert import_ledger(other, tmp_path)[1].links == 0


def test_a_database_with_a_ledger_takes_no_other(filled: Engine, tmp_path: Path) -> None:
    export_ledger(filled, tmp_path, START)
    with pytest.raises(ConfigError, match=r"has rows already .*two ledgers cannot be one; name a new"):
        import_ledger(filled, tmp_path)


def test_a_folder_in_use_is_not_written_to(filled: Engine, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(ConfigError, match="is not empty; choose a new folder"):
        export_ledger(filled, tmp_path, START)


def test_files_that_were_changed_are_refused(filled: Engine, other: Engine, tmp_path: Path) -> None:
    export_ledger(filled, tmp_path, START)
    path = tmp_path / "observations-2026-03-00001.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ConfigError, match=r"observations-2026-03-00001\.parquet is not the file that was exported"):
        import_ledger(other, tmp_path)
    path.unlink()
    with pytest.raises(
        ConfigError, match=r"no whole export of a ledger, for observations-2026-03-00001\.parquet cannot"
    ):
        import_ledger(other, tmp_path)
    (tmp_path / "manifest.json").write_text('{"files": [{"file": "../x.parquet"}]}', encoding="utf-8")
    with pytest.raises(ConfigError, match="is not the manifest of an export"):
        import_ledger(other, tmp_path)


def test_a_forged_export_leaves_nothing_behind(filled: Engine, other: Engine, tmp_path: Path) -> None:
    with filled.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE tthc.observations SET status = 9 WHERE observation_id = 2"))
    export_ledger(filled, tmp_path / "forged", START)
    with pytest.raises(LedgerError, match=r"first here: link 1 .*observation 2 \(dossier đổi code\) was changed"):
        import_ledger(other, tmp_path / "forged")
    assert query(other, "SELECT count(*) FROM tthc.sources") == [0]


def test_a_manifest_with_another_head_is_refused(filled: Engine, other: Engine, tmp_path: Path) -> None:
    export_ledger(filled, tmp_path, START)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "head": "0" * 64}), encoding="utf-8")
    with pytest.raises(LedgerError, match=r"has the head [0-9a-f]{64}, the export says 0{64}: nothing was kept"):
        import_ledger(other, tmp_path)
    assert query(other, "SELECT count(*) FROM tthc.observation_batches") == [0]
