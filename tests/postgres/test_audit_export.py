"""What is handed out of schema audit: true to the database, one state of it, harmless in a spreadsheet, and checkable."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from sqlalchemy import Engine, text

from tests.postgres.seed import WORLD, ZONE, seed
from tthc_monitor.domain.errors import ConfigError, DataAssertionError, DeliveryError
from tthc_monitor.outputs import audit_export, export_tables
from tthc_monitor.outputs.audit_export import DEFAULT_VIEWS, Order, checked_order, export
from tthc_monitor.outputs.export_manifest import Format, Manifest, check_export
from tthc_monitor.outputs.export_workbook import WorkbookTable
from tthc_monitor.outputs.spreadsheet_cells import neutral, restored
from tthc_monitor.store.database import transaction
from tthc_monitor.store.read_columns import LAST_INSTANT, ReadColumn
from tthc_monitor.store.reading import describe, snapshot, stream


@pytest.fixture
def world(engine: Engine) -> Engine:
    with transaction(engine) as connection:
        seed(connection)
    return engine


def silent(_: str) -> Callable[[int], None]:
    return lambda _: None


def out(engine: Engine, folder: Path, form: Format = "csv", **more: object) -> Manifest:
    return export(engine, checked_order(Order(folder, form, ZONE, **more)), silent)  # type: ignore[arg-type]


def ask(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with transaction(engine) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


EVERYTHING = """
SELECT n AS id,
       CASE n WHEN 1 THEN '=1+1' WHEN 2 THEN '007' WHEN 3 THEN '' WHEN 5 THEN E'hai\\ndòng, "ngoặc"' WHEN 6 THEN '-5' END AS code,
       n = 1 AS truth, -5 * n AS below, n / 4.0 AS share,
       CASE WHEN n < 6 THEN timestamptz '2026-11-03 10:00:00.000001+07' + make_interval(days => n) ELSE 'infinity' END AS at,
       CASE n WHEN 1 THEN date '2025-07-01' WHEN 2 THEN 'infinity' WHEN 3 THEN '-infinity' END AS day,
       ARRAY['a', NULL, 'b,c'] AS list, jsonb_build_object('n', n) AS doc, '\\xdeadbeef'::bytea AS hash,
       9007199254740993::bigint AS huge
FROM generate_series(1, 6) n ORDER BY n
"""
CODES = ["=1+1", "007", "", None, 'hai\ndòng, "ngoặc"', "-5"]
INSTANTS = [datetime(2026, 11, 3 + n, 3, 0, 0, 1, tzinfo=UTC) for n in range(1, 6)]


def test_parquet_holds_every_value_as_it_is(world: Engine, tmp_path: Path) -> None:
    manifest = out(world, tmp_path / "x", "parquet", query=EVERYTHING)
    table = pl.read_parquet(tmp_path / "x" / "query.parquet")
    assert table["id"].to_list() == [1, 2, 3, 4, 5, 6]
    assert table["code"].to_list() == CODES
    assert table["truth"].to_list() == [True, False, False, False, False, False]
    assert table["below"].to_list() == [-5, -10, -15, -20, -25, -30]
    assert table["share"].to_list() == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    assert table.schema["at"] == pl.Datetime("us", "UTC")
    assert table["at"].to_list() == [*INSTANTS, LAST_INSTANT]
    assert table["day"].to_list() == [date(2025, 7, 1), date(9999, 12, 31), date(1, 1, 1), None, None, None]
    assert json.loads(table["list"][0]) == ["a", None, "b,c"] and json.loads(table["doc"][1]) == {"n": 2}
    assert table["hash"][0] == "deadbeef" and table["huge"][0] == 9007199254740993
    types = {column.name: (column.type, column.postgresql) for column in manifest.files[0].columns}
    assert types["at"] == ("timestamp with time zone", "timestamp with time zone")
    assert types["share"] == ("float64", "numeric") and types["doc"] == ("text (JSON)", "jsonb")
    assert manifest.files[0].sql == EVERYTHING.strip() and manifest.files[0].view is None


def test_csv_has_no_formula_and_gives_every_value_back(world: Engine, tmp_path: Path) -> None:
    manifest = out(world, tmp_path / "x", query=EVERYTHING)
    path = tmp_path / "x" / "query.csv"
    assert path.read_bytes().startswith(b"id,code,truth,below,share,at,day,list,doc,hash,huge\n1,'=1+1,true,-5,0.25,")
    table = pl.read_csv(path, infer_schema=False)
    assert table["code"].to_list() == ["'=1+1", "007", "", None, 'hai\ndòng, "ngoặc"', "'-5"]
    assert [value and restored(value) for value in table["code"]] == CODES
    assert table["below"].to_list() == ["-5", "-10", "-15", "-20", "-25", "-30"], "numbers stay numbers"
    assert table["at"][0] == "2026-11-04T10:00:00.000001+07:00"
    assert [datetime.fromisoformat(value) for value in table["at"][:5]] == INSTANTS
    assert table["at"][5] == "infinity"
    assert table["day"].to_list() == ["2025-07-01", "infinity", "-infinity", None, None, None]
    assert (manifest.files[0].neutralised, manifest.byte_order_mark) == (2, False)
    assert "apostrophe" in manifest.treatment
    marked = out(world, tmp_path / "y", query="SELECT 'ký' AS ten", byte_order_mark=True)
    assert (tmp_path / "y" / "query.csv").read_bytes() == b"\xef\xbb\xbften\nk\xc3\xbd\n"
    assert marked.byte_order_mark and check_export(tmp_path / "y") == marked


def test_a_workbook_has_texts_that_stay_texts_and_dates_in_the_zone_it_names(world: Engine, tmp_path: Path) -> None:
    manifest = out(world, tmp_path / "x", "xlsx", query=EVERYTHING)
    sheet = openpyxl.load_workbook(tmp_path / "x" / "query.xlsx")["query"]
    rows = {str(column[0].value): column[1:] for column in sheet.iter_cols()}
    assert [cell.value or "" for cell in rows["code"]] == [code or "" for code in CODES]
    assert rows["code"][0].data_type == "s" and rows["code"][0].number_format == "@", "not a formula, typed or re-typed"
    assert [cell.value for cell in rows["below"]] == [-5, -10, -15, -20, -25, -30]
    assert [cell.value for cell in rows["truth"]][:2] == [True, False]
    when = rows[f"at ({ZONE})"]
    assert when[0].value == datetime(2026, 11, 4, 10, 0, 0) and when[0].is_date and when[5].value == "infinity"
    assert rows["day"][0].value == datetime(2025, 7, 1) and rows["day"][1].value == "infinity"
    assert rows["huge"][0].value == "9007199254740993", "Excel would round it"
    assert manifest.files[0].sheets == ("query",) and manifest.files[0].neutralised == 2
    assert check_export(tmp_path / "x") == manifest


def test_more_rows_than_a_sheet_holds_go_on_upon_the_next(tmp_path: Path) -> None:
    columns = [ReadColumn("n", "integer", "whole", "c1")]
    table = WorkbookTable(tmp_path / "x.xlsx", "a" * 31, columns, ZONE, sheet_rows=4)
    for first in (0, 3, 6):
        table.take(pl.DataFrame({"n": [first, first + 1, first + 2]}))
    table.close()
    book = openpyxl.load_workbook(tmp_path / "x.xlsx")
    assert table.written.sheets == ("a" * 31, "a" * 29 + " 2", "a" * 29 + " 3") == tuple(book.sheetnames)
    values = [[row[0].value for row in sheet.iter_rows()] for sheet in book]
    assert values == [["n", 0, 1, 2, 3], ["n", 4, 5, 6, 7], ["n", 8]]
    assert [sheet.auto_filter.ref for sheet in book] == ["A1:A5", "A1:A5", "A1:A2"]


def test_a_sheet_prints_across_a_page_and_tells_what_its_columns_mean(world: Engine, tmp_path: Path) -> None:
    out(world, tmp_path / "x", "xlsx", views=("dossiers",))
    sheet = openpyxl.load_workbook(tmp_path / "x" / "dossiers.xlsx")["dossiers"]
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight, sheet.freeze_panes) == ("landscape", 0, "A2")
    assert sheet.sheet_properties.pageSetUpPr.fitToPage and sheet.print_title_rows == "$1:$1"
    assert sheet.auto_filter.ref.endswith(str(sheet.max_row))
    notes = {cell.value: cell.comment.text for cell in sheet[1] if cell.comment}
    assert notes["unit_code"] and " | " not in "".join(notes.values())
    assert len(notes) == sheet.max_column


def test_a_text_too_long_for_a_cell_is_cut_and_the_manifest_says_so(world: Engine, tmp_path: Path) -> None:
    query = "SELECT repeat('đ', 32768) AS a UNION ALL SELECT repeat('đ', 32767)"
    manifest = out(world, tmp_path / "x", "xlsx", query=query)
    sheet = openpyxl.load_workbook(tmp_path / "x" / "query.xlsx").active
    assert sheet is not None and [len(str(sheet.cell(row, 1).value)) for row in (2, 3)] == [32767, 32767]
    assert manifest.files[0].cut == 1
    assert out(world, tmp_path / "y", "parquet", query=query).files[0].cut == 0


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx"])
def test_the_default_views_come_whole_with_what_their_columns_mean(world: Engine, tmp_path: Path, form: Format) -> None:
    manifest = out(world, tmp_path / "x", form)
    assert [one.view for one in manifest.files] == [f"audit.{view}" for view in DEFAULT_VIEWS]
    counts = {one.view: one.rows for one in manifest.files}
    for view, rows in counts.items():
        assert ask(world, f"SELECT count(*) FROM {view}") == [(rows,)], view
    assert counts["audit.dossiers"] == len(WORLD) and counts["audit.flags"] > 10
    pulls = next(one for one in manifest.files if one.view == "audit.pull_runs")
    assert any("Do người yêu cầu" in (column.comment or "") for column in pulls.columns)
    assert check_export(tmp_path / "x") == manifest
    assert {path.name for path in (tmp_path / "x").iterdir()} == {
        "manifest.json", "SHA256SUMS", *(f"{view}.{form}" for view in DEFAULT_VIEWS)
    }  # fmt: skip
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        subprocess.run(command, cwd=tmp_path / "x", check=True, capture_output=True)


def test_the_manifest_tells_as_of_when_and_the_head_of_the_ledger(world: Engine, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    manifest = out(world, tmp_path / "x", views=("audit.units",))
    head = ask(world, "SELECT batch_id, chain_hash FROM audit.ledger ORDER BY batch_id DESC LIMIT 1")
    assert manifest.ledger_head is not None
    assert [(manifest.ledger_head.batch_id, manifest.ledger_head.chain_hash)] == head
    assert before <= manifest.as_of <= datetime.now(UTC)
    assert (manifest.role, manifest.zone) == ("tthc_auditor", ZONE)
    assert manifest.program.migration == ask(world, "SELECT version_num FROM tthc.alembic_version")[0][0]


def test_nothing_exported_and_no_ledger_yet_is_said_plainly(engine: Engine, tmp_path: Path) -> None:
    manifest = out(engine, tmp_path / "x", "parquet", views=("dossiers",))
    assert manifest.ledger_head is None and manifest.files[0].rows == 0
    assert "due_current" in pl.read_parquet(tmp_path / "x" / "dossiers.parquet").columns
    one_null = out(engine, tmp_path / "y", "parquet", query="SELECT NULL::text AS a UNION ALL SELECT NULL")
    assert one_null.files[0].rows == 2, "a row of one empty column is a row"


def test_all_files_show_one_state_although_the_database_changes_meanwhile(world: Engine, tmp_path: Path) -> None:
    def meddling(file: str) -> Callable[[int], None]:
        with transaction(world) as connection:
            connection.execute(text("INSERT INTO tthc.units VALUES (:code, 'Mới', now())"), {"code": f"X.{file}"})
        return lambda _: None

    order = Order(tmp_path / "x", "parquet", ZONE, views=("sources", "units", "sectors"))
    before = ask(world, "SELECT count(*) FROM audit.units")
    manifest = export(world, checked_order(order), meddling)
    assert [(one.rows,) for one in manifest.files if one.view == "audit.units"] == before
    assert ask(world, "SELECT count(*) FROM audit.units") == [(int(str(before[0][0])) + 3,)]


REFUSED = {
    "DELETE FROM audit.dossiers": "begins with DELETE",
    "SELECT 1; DROP TABLE tthc.flags": "holds another statement",
    "WITH x AS (DELETE FROM tthc.flags RETURNING 1) SELECT * FROM x": "leave only what reads",
    "SELECT set_config('role', 'none', false) AS a": "does more than read",
    "SELECT * FROM tthc.dossiers": "read from the views of schema audit only",
    "SELECT * FROM pg_authid": "read from the views of schema audit only",
    "SELECT pg_read_file('postgresql.conf') AS a": "does more than read",
    "SELECT nothing FROM dossiers": "correct it and try again",
    "SELECT 1 AS a, 2 AS a": "two columns named 'a'",
    "SELECT * FROM dossiers FOR UPDATE": "remove the lock",
    "SELECT 1 / (n - 3) AS a FROM generate_series(1, 5) n": "division by zero",
    "": "is empty",
    "SELEKT 1": "write one SELECT",
}


@pytest.mark.parametrize(("query", "told"), REFUSED.items())
def test_what_is_not_one_query_that_reads_audit_is_refused_and_leaves_no_file(
    world: Engine, tmp_path: Path, query: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        out(world, tmp_path / "x", query=query)
    assert not (tmp_path / "x").exists() or list((tmp_path / "x").iterdir()) == []


def test_even_past_the_check_the_session_cannot_write(world: Engine, tmp_path: Path) -> None:
    before = ask(world, "SELECT current_user")
    unchecked = Order(tmp_path / "x", "csv", ZONE, query="SELECT nextval('tthc.flag_ids') AS a")
    with pytest.raises(ConfigError, match="is refused: permission denied"):
        export(world, unchecked, silent)
    with snapshot(world, ZONE) as seen:
        # With the rights of the owner, which nothing here gives back.
        seen.connection.execute(text("SET LOCAL ROLE NONE"))
        with pytest.raises(ConfigError, match="would write"):
            stream(seen.connection, unchecked.query or "", describe(seen.connection, unchecked.query or ""), print)
    assert ask(world, "SHOW transaction_read_only") == [("off",)], "the next session of the pool is as it was"
    assert ask(world, "SELECT current_user") == before


def test_a_query_may_order_and_cut_and_speaks_local_time(world: Engine, tmp_path: Path) -> None:
    query = "SELECT code, to_char(received_at, 'HH24:MI') AS gio FROM dossiers WHERE code LIKE 'H99.01-2610%' ORDER BY 1 LIMIT 2 -- hai"
    out(world, tmp_path / "x", query=query)
    assert (tmp_path / "x" / "query.csv").read_text().splitlines()[1:] == [
        "H99.01-261001-0001,08:00",
        "H99.01-261001-0007,08:00",
    ]


def test_an_export_is_not_replaced_unless_one_says_so(world: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    out(world, folder, views=("units", "sectors"))
    with pytest.raises(ConfigError, match="holds an export already"):
        out(world, folder, views=("units",))
    (folder / "của-tôi.txt").write_text("giữ")
    out(world, folder, views=("units",), force=True)
    assert {path.name for path in folder.iterdir()} == {"units.csv", "manifest.json", "SHA256SUMS", "của-tôi.txt"}
    other = tmp_path / "y"
    other.mkdir()
    (other / "units.csv").write_text("của ai đó")
    with pytest.raises(ConfigError, match=r"has a file units\.csv"):
        out(world, other, views=("units",))
    assert (other / "units.csv").read_text() == "của ai đó"


def test_wrong_orders_are_refused_with_what_to_do(world: Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no view audit\.khong_co; choose from: .*dossiers"):
        out(world, tmp_path / "x", views=("khong_co",))
    with pytest.raises(ConfigError, match="choose one of --view and the query"):
        out(world, tmp_path / "x", views=("units",), query="SELECT 1 AS a")
    with pytest.raises(ConfigError, match="byte order mark is for CSV"):
        out(world, tmp_path / "x", "parquet", byte_order_mark=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file; choose a folder"):
        out(world, tmp_path / "file")


def test_a_full_disk_leaves_nothing_behind(world: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit_export, "write_manifest", full)
    with pytest.raises(DeliveryError, match="No space left on device; check the folder"):
        out(world, tmp_path / "x", "xlsx", views=("units",))
    assert list((tmp_path / "x").iterdir()) == []


@pytest.fixture
def exported(world: Engine, tmp_path: Path) -> Path:
    out(world, tmp_path / "x", views=("units", "sectors"))
    check_export(tmp_path / "x")
    return tmp_path / "x"


def test_whatever_is_changed_afterwards_is_found(exported: Path) -> None:
    def refused(told: str) -> None:
        with pytest.raises(DataAssertionError, match=told):
            check_export(exported)

    kept = (exported / "units.csv").read_bytes()
    (exported / "units.csv").write_bytes(kept.replace(b"H99.01", b"H99.09"))
    refused(r"units\.csv was changed")
    (exported / "units.csv").unlink()
    refused(r"units\.csv is missing")
    (exported / "units.csv").write_bytes(kept)
    check_export(exported)
    (exported / "thêm.csv").write_text("a\n")
    refused("thêm.csv is not of this export")
    (exported / "thêm.csv").unlink()
    manifest = (exported / "manifest.json").read_text()
    (exported / "manifest.json").write_text(manifest.replace('"rows": 4', '"rows": 5'))
    refused(r"disagree about manifest\.json(.|\n)*units\.csv has 4 rows")
    (exported / "manifest.json").write_text(manifest.replace('"file": "units.csv"', '"file": "../units.csv"'))
    with pytest.raises(ConfigError, match="is not the manifest of an export"):
        check_export(exported)
    (exported / "manifest.json").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        check_export(exported)


def test_rows_are_handed_over_in_parts_that_do_not_grow(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT n, repeat('x', 100) AS t FROM generate_series(1, 120000) n ORDER BY n"
    heights: list[int] = []
    with snapshot(engine, ZONE) as seen:
        columns = describe(seen.connection, query)
        stream(seen.connection, query, columns, lambda frame: heights.append(frame.height))
    assert sum(heights) == 120_000 and max(heights) == 50_000
    monkeypatch.setattr(export_tables, "_ROWS_OF_A_GROUP", 30_000)
    out(engine, tmp_path / "x", "parquet", query=query)
    assert pl.read_parquet(tmp_path / "x" / "query.parquet")["n"].to_list() == list(range(1, 120_001))


@pytest.mark.parametrize(
    "value", ["=a", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝a", "'=a", "''=a", "'a", "a=b", "", "x"]
)
def test_a_neutral_text_is_no_formula_and_gives_the_text_back(value: str) -> None:
    written = neutral(value)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    assert restored(written) == value
