"""``tthc-monitor sources`` as people type it, against a file that changes, on a database of its own."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import structlog
import yaml
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from tests.house.files import ROOT
from tthc_monitor.cli import app
from tthc_monitor.domain.errors import TthcError

HEADER = "so,thu_tuc,don_vi,trang_thai,nhan,hen,xong,nguoi_nop\n"
FIRST = "H99-1,1.001,H99.05,dang xu ly,02/11/2026 08:00,05/11/2026 08:00,,Nguyễn Văn Mẫu\n"
SETTINGS = """
database: {url: %s}
sources:
  - name: phuong
    kind: files
    options:
      path: so.csv
      zone: Asia/Ho_Chi_Minh
      lists_all_open: true
      statuses: {dang xu ly: 4, da tra: 10}
      columns:
        source_key: so
        code: so
        procedure_code: thu_tuc
        unit_code: don_vi
        status: {column: trang_thai, lookup: statuses}
        received_at: {column: nhan, format: "%%d/%%m/%%Y %%H:%%M"}
        due_current: {column: hen, format: "%%d/%%m/%%Y %%H:%%M"}
        finished_at: {column: xong, format: "%%d/%%m/%%Y %%H:%%M"}
  - name: khac
    kind: files
    options: {path: nowhere.csv, columns: {source_key: so}}
"""


@pytest.fixture
def folder(tmp_path: Path, database_address: str) -> Path:
    (tmp_path / "tthc-monitor.yaml").write_text(SETTINGS % json.dumps(database_address), encoding="utf-8")
    (tmp_path / "so.csv").write_text(HEADER + FIRST, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command says: in this process, since starting a program anew is most of its time."""
    with contextlib.chdir(folder):
        done = CliRunner(env={"COLUMNS": "240"}).invoke(app, ["sources", *arguments])
    structlog.reset_defaults()
    error = done.exception
    told = str(error) if isinstance(error, TthcError) else done.stderr
    found = error.exit_code if isinstance(error, TthcError) else done.exit_code
    assert found == code, f"{told} {error!r}"
    assert "Nguyễn Văn Mẫu" not in done.output + told
    return done.stdout if code == 0 else told


def held(engine: Engine) -> list[tuple[str, int | None]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT source_key, status FROM tthc.dossiers ORDER BY 1"))
        return [(row[0], row[1]) for row in rows]


def test_a_preview_shows_dossiers_as_they_would_be_kept_and_stores_nothing(folder: Path, engine: Engine) -> None:
    (folder / "so.csv").write_text(
        HEADER + FIRST + "H99-2,1.001,H99.05,cho ky,x,,,\n" + "H99-3,1.001,H99.05,cho ky,,,,\n", encoding="utf-8"
    )
    told = run(folder, "preview", "phuong")
    assert "2026-11-02 08:00:00" in told and "H99-1" in told and "H99.05" in told
    assert "refused: so.csv, row 3, column nhan: received_at is not an instant" in told
    assert "unknown: status 'cho ky', 1 rows; map it in the source's options" in told
    assert held(engine) == []
    one = run(folder, "preview", "phuong", "--rows", "1")
    assert "H99-3" not in one
    (folder / "khac.csv").write_text(HEADER + FIRST.replace("H99-1", "H99-9"), encoding="utf-8")
    assert "H99-9" in run(folder, "preview", "phuong", "--file", "khac.csv")


def test_a_dry_run_tells_what_would_change_and_stores_nothing(folder: Path, engine: Engine) -> None:
    told = run(folder, "pull", "phuong", "--dry-run")
    assert "1 dossiers would be new, 0 would change, 0 stay as they are; nothing was stored" in told
    assert "new: H99-1: procedure_code 1.001, unit_code H99.05" in told
    assert held(engine) == []

    assert "1 new, 0 changed" in run(folder, "pull", "phuong")
    changed = FIRST.replace("dang xu ly", "da tra").replace("08:00,,", "08:00,04/11/2026 09:30,")
    (folder / "so.csv").write_text(HEADER + changed + FIRST.replace("H99-1", "H99-2"), encoding="utf-8")
    told = run(folder, "pull", "phuong", "--dry-run")
    assert "1 dossiers would be new, 1 would change, 0 stay as they are" in told
    assert "change: H99-1\n    status: 4 → 10\n    source_status: dang xu ly → da tra\n" in told
    assert "finished_at: (empty) → 2026-11-04 09:30:00" in told
    assert held(engine) == [("H99-1", 4)]

    (folder / "so.csv").write_text(HEADER + FIRST.replace("H99-1", "H99-2"), encoding="utf-8")
    told = run(folder, "pull", "phuong", "--dry-run")
    assert "1 open dossiers are not listed, 0 of them would count as vanished" in told


def test_a_dry_run_says_by_which_check_the_pull_would_fail(folder: Path) -> None:
    rows = "".join(f"H99-{number},1.001,H99.05,dang xu ly,x,,,\n" for number in range(2, 30))
    (folder / "so.csv").write_text(HEADER + FIRST + rows, encoding="utf-8")
    told = run(folder, "pull", "phuong", "--dry-run")
    assert "the pull would fail: 28 of 29 rows were rejected" in told
    assert "… and 8 more refused" in told


def test_a_file_at_hand_is_pulled_instead_of_the_sources_own(folder: Path, engine: Engine) -> None:
    (folder / "gui.csv").write_text(HEADER + FIRST.replace("H99-1", "H99-7"), encoding="utf-8")
    run(folder, "pull", "phuong", "--file", "gui.csv")
    assert held(engine) == [("H99-7", 4)]
    assert "--file is read as one source; name that source" in run(folder, "pull", "--file", "gui.csv", code=2)
    assert "--whole says what the file of --file is; name that file" in run(folder, "pull", "phuong", "--whole", code=2)
    assert "is no file; name the file to read" in run(folder, "pull", "phuong", "--file", "nirgends.csv", code=2)


def test_a_file_at_hand_is_a_part_unless_it_is_said_to_be_whole(folder: Path) -> None:
    run(folder, "pull", "phuong")
    (folder / "gui.csv").write_text(HEADER + FIRST.replace("H99-1", "H99-7"), encoding="utf-8")
    said = "1 open dossiers are not listed"
    assert said not in run(folder, "pull", "phuong", "--dry-run", "--file", "gui.csv")
    assert said in run(folder, "pull", "phuong", "--dry-run", "--file", "gui.csv", "--whole")


def test_a_file_at_hand_tells_what_was_when_it_was_written(folder: Path, engine: Engine) -> None:
    (folder / "gui.csv").write_text(HEADER + FIRST, encoding="utf-8")
    written = datetime(2026, 11, 3, 9, tzinfo=UTC)
    os.utime(folder / "gui.csv", (written.timestamp(), written.timestamp()))
    run(folder, "pull", "phuong", "--file", "gui.csv")
    with engine.connect() as connection:
        seen = connection.execute(text("SELECT asked_at FROM tthc.dossiers")).scalar_one()
    assert seen == written


def test_a_failed_source_does_not_keep_the_others_from_being_pulled(folder: Path, engine: Engine) -> None:
    told = run(folder, "pull", code=4)
    assert "khac: no file found under" in told
    assert held(engine) == [("H99-1", 4)]


CONFIGURATIONS = [
    path
    for path in sorted((ROOT / "examples").rglob("*.yaml"))
    if "sources:" in path.read_text(encoding="utf-8") and "plugin" not in path.parts
]


def test_the_schema_takes_every_example_and_finds_what_is_misspelt(folder: Path) -> None:
    schema = json.loads(run(folder, "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert len(CONFIGURATIONS) >= 2
    for path in CONFIGURATIONS:
        # Dates are texts to an editor.
        typed = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
        assert [f"{path.name}: {list(e.path)} {e.message[:200]}" for e in validator.iter_errors(typed)] == []

    def wrong(sources: str) -> list[str]:
        found = validator.iter_errors({"sources": yaml.safe_load(sources)})
        return [".".join(map(str, error.path)) + ": " + error.message for error in found]

    assert wrong("[{name: a, kind: opencps}]") == ["sources.0: 'options' is a required property"]
    assert "'nosuch' is not one of" in wrong("[{name: a, kind: nosuch}]")[0]
    assert "'pth' was unexpected" in " ".join(wrong("[{name: a, kind: files, options: {pth: x, columns: {}}}]"))
    assert "does not match" in wrong("[{name: a, kind: dvcqg, every: soon, options: {}}]")[0]
