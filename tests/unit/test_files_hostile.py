"""Files that are broken, forged or full of what must not be kept: a reject or a clear error each time."""

from __future__ import annotations

import gzip
import logging
import os
import subprocess
import sys
import textwrap
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.csv_text import text_blocks
from connectors.files import FilesConnector, FilesOptions
from connectors.mapping_engine import applicant_hash
from connectors.workbook_guard import check_workbook
from tests.unit.test_files_connector import DUE, HEAD, book_of, connector, csv_of, pull, surroundings
from tests.unit.xls_files import write_xls
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError, TthcError
from tthc_monitor.domain.records import RECORD_SCHEMA, Reject

ID = {"source_key": "id"}
WHAT_TO_DO = ("; ", "again", "correct", "set ", "save", "put ", "make ", "export", "next run", "delete")
root = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by a limit that Linux keeps")


def outcome(files: FilesConnector) -> tuple[pl.DataFrame, list[Reject]] | TthcError:
    """What a pull gives: records and rejects, or an error of ours; anything else fails the test."""
    try:
        return pull(files)
    except TthcError as told:
        error = told
    assert any(words in str(error) for words in WHAT_TO_DO), error
    return error


# -- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "key"),
    [
        ("01/01/0001", "a"), ("31/12/9999", "a"), ("01/01/99999", "a"), ("00/00/0000", "a"), ("-1", "a"),
        ("\0", "a"), ("01/02/2026\0", "a"), ("=NOW()", "a"), ("9" * 5000, "a"), ("01/02/2026", "\0"), ("01/02/2026", "  "),
    ],
)  # fmt: skip
def test_one_bad_cell_costs_one_row(due: str, key: str, tmp_path: Path) -> None:
    csv_of(tmp_path, f"{HEAD}{key},x,u,{due}\n2,x,u,01/02/2026\n")
    frame, rejects = pull(connector(tmp_path))
    assert frame["source_key"].to_list() == ["2"]
    assert [reject.row for reject in rejects] == [2]
    assert all(len(reject.value or "") <= 80 for reject in rejects)


@pytest.mark.parametrize("written", ["epoch_s", "epoch_ms", "serial_1900", "serial_1904"])
@given(number=st.integers() | st.floats(allow_nan=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_number_is_an_instant_or_a_reject(written: str, number: float, tmp_path: Path) -> None:
    csv_of(tmp_path, f"id,due\n1,{number}\n")
    files = connector(tmp_path, columns={**ID, "due_current": {"column": "due", "format": written}})
    frame, rejects = pull(files)
    assert frame.height + len(rejects) == 1
    assert frame["due_current"].dt.year().is_between(1989, 2101).all()


def test_ids_beyond_what_a_spreadsheet_keeps_are_refused_and_texts_are_kept(tmp_path: Path) -> None:
    ids = [2**63, 10**15, 999_999_999_999_999, str(2**63), "0000000000017", -(2**63), 1e300]
    book_of(tmp_path, [["id"], *([one] for one in ids)])
    frame, rejects = pull(connector(tmp_path, "a.xlsx", ID))
    assert frame["source_key"].to_list() == ["999999999999999", str(2**63), "0000000000017"]
    assert [reject.row for reject in rejects] == [2, 3, 7, 8]
    assert "more than 15 digits" in rejects[0].reason
    csv_of(tmp_path, f"id\n{2**63}\n{2**64 + 1}\n007\n")
    assert pull(connector(tmp_path, columns=ID))[0]["source_key"].to_list() == [str(2**63), str(2**64 + 1), "007"]


def test_a_formula_that_was_never_computed_is_an_empty_cell(tmp_path: Path) -> None:
    book_of(tmp_path, [["id", "unit"], ["=1+1", "a"], ["2", "=A2"]])
    frame, rejects = pull(connector(tmp_path, "a.xlsx", {**ID, "unit_name": "unit"}))
    assert (frame["source_key"].to_list(), frame["unit_name"].to_list()) == (["2"], [None])
    assert "source_key is empty" in rejects[0].reason


def test_nul_and_other_encodings_are_named(tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-32"):
        csv_of(tmp_path, (HEAD + "1,x,u,01/02/2026\n").encode(encoding))
        with pytest.raises(PermanentSourceError, match=r"csv\.encoding"):
            pull(connector(tmp_path))


# -- memory --------------------------------------------------------------------------------------------------------

READ_BOUNDED = """
    import json, resource, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from connectors.base import Surroundings
    from connectors.files import FilesConnector, FilesOptions
    from tthc_monitor.domain.errors import TthcError
    files = FilesConnector(
        "x", FilesOptions.model_validate(json.loads(sys.argv[1])), Surroundings(lambda: datetime.now(UTC), Path(sys.argv[2]))
    )

    def mib(name):
        # Not ru_maxrss, which begins with that of the parent.
        return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith(name))

    started = mib("VmHWM")
    resource.setrlimit(resource.RLIMIT_AS, ((mib("VmSize") + 1200) * 2**20,) * 2)
    try:
        batches = [files.normalise(page) for page in files.fetch(None)]
        print([key for one in batches for key in one.records["source_key"]])
        print([(reject.row, reject.reason) for one in batches for reject in one.rejects])
    except TthcError as error:
        print(type(error).__name__, error)
    print(mib("VmHWM") - started)
"""


def bounded(folder: Path, options: str) -> tuple[list[str], int]:
    """What reading gives in a process that may not take more than 1200 MiB, and how many MiB it did take."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(READ_BOUNDED), options, str(folder)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=120,
        env={**os.environ, "POLARS_MAX_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    *said, took = done.stdout.splitlines()
    return said, int(took)


@root
def test_a_line_of_a_gigabyte_is_one_reject_in_bounded_memory(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "id,unit\n1,a\n2,")
    with path.open("r+b") as file:
        file.seek(1 << 30)  # a hole: bytes of zero that take no place on the disk
        file.write(b"\n3,c\n")
    said, took = bounded(tmp_path, '{"path": "a.csv", "columns": {"source_key": "id", "unit_name": "unit"}}')
    assert said[0] == "['1', '3']"
    assert said[1].startswith("[(3, 'the line is longer than 16 MiB")
    assert took < 500


@root
def test_a_header_of_a_gigabyte_is_an_error_in_bounded_memory(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "id,unit" + "x" * 5000)
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    said, took = bounded(tmp_path, '{"path": "a.csv", "columns": {"source_key": "id"}}')
    assert said[0].startswith("PermanentSourceError a.csv: no header")
    assert took < 500


@root
def test_a_quotation_mark_that_is_never_closed_costs_its_line_in_bounded_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.csv.gz", "wb", compresslevel=1) as file:
        file.write(b'id,unit\n1,"never closed\n')
        file.write((b"2," + b"x" * 1000 + b"\n") * 100_000)
    said, took = bounded(tmp_path, '{"path": "a.csv.gz", "columns": {"source_key": "id"}}')
    assert said[0].count("'2'") == 100_000
    assert "never closed" in said[1]
    assert took < 500


# -- workbooks that are more than they seem ------------------------------------------------------------------------


def repacked(folder: Path, part: str, content: bytes, *, claim: int | None = None) -> Path:
    """A small workbook with one part replaced; ``claim`` is written into the directory as its size."""
    small = book_of(folder, [["id"], ["1"]], "small.xlsx")
    path = folder / "a.xlsx"
    with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, content if name == part else source.read(name))
    if claim is not None:
        data = path.read_bytes()
        size = len(content).to_bytes(4, "little")
        assert data.count(size) == 2
        path.write_bytes(data.replace(size, claim.to_bytes(4, "little")))
    return path


SHEET = "xl/worksheets/sheet1.xml"


def sheet(rows: str) -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<?xml version="1.0"?><worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def test_a_bomb_is_refused_by_its_directory_before_it_is_unpacked(tmp_path: Path) -> None:
    repacked(tmp_path, SHEET, sheet(" " * (80 << 20)))
    with pytest.raises(PermanentSourceError, match="unpacked, the workbook would take 80 MiB"):
        pull(connector(tmp_path, "a.xlsx", ID))


@pytest.mark.parametrize("before", [b"xx", b"MZ", bytes.fromhex("D0CF11E0A1B11AE1"), b" "])
def test_a_workbook_behind_something_else_is_none(before: bytes, tmp_path: Path) -> None:
    """The parser would find it there, unpack it and fill the memory."""
    path = repacked(tmp_path, SHEET, sheet(" " * (80 << 20)))
    path.write_bytes(before + path.read_bytes())
    with pytest.raises(PermanentSourceError, match="it is no workbook"):
        pull(connector(tmp_path, "a.xlsx", ID))


def test_a_gzipped_text_that_has_no_end_for_its_size_is_refused(tmp_path: Path) -> None:
    piece = gzip.compress(b"1,2\n" * (4 << 20), 9)
    path = csv_of(tmp_path, piece * 65, "a.csv.gz")
    with pytest.raises(
        PermanentSourceError, match=r"a\.csv\.gz: unpacked, the file takes more than 200 times its size"
    ):
        sum(map(len, text_blocks(path, "a.csv.gz", "utf-8", 8 << 20)))


def test_a_bomb_whose_directory_lies_is_refused_where_it_goes_beyond(tmp_path: Path) -> None:
    repacked(tmp_path, SHEET, sheet(" " * (80 << 20)), claim=1000)
    with pytest.raises(PermanentSourceError, match="larger than the directory says"):
        pull(connector(tmp_path, "a.xlsx", ID))


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c></row>',
        "<row r='1'><c r='A1'><v>1</v></c><c\n r\n=\n'xfd1048576'><v>1</v></c></row>",
        '<row r="1">' + "<c><v>1</v></c>" * 500 + "</row>" + "<row/>" * 100_000 + "<row><c><v>1</v></c></row>",
        '<row r="1"><c r="A1"><v>1</v></c><c r="ZZ0000000000000001048576"><v>1</v></c></row>',
    ],
)
def test_cells_far_apart_are_refused_before_the_space_between_them_is_made(rows: str, tmp_path: Path) -> None:
    repacked(tmp_path, SHEET, sheet(rows))
    with pytest.raises(PermanentSourceError, match="a sheet reaches to row"):
        pull(connector(tmp_path, "a.xlsx", ID))


def test_a_sheet_of_xml_that_is_called_otherwise_is_looked_through_too(tmp_path: Path) -> None:
    path = repacked(tmp_path, "docProps/app.xml", b"")
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("xl/worksheets/sheet2.bin", sheet('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))
    with pytest.raises(PermanentSourceError, match="a sheet reaches to row"):
        pull(connector(tmp_path, "a.xlsx", ID))


def test_an_xlsb_is_looked_through_too(tmp_path: Path) -> None:
    begin, row = b"\x91\x01\x00", b"\x00\x04" + (1_048_575).to_bytes(4, "little")
    cell = b"\x02\x08" + (16_383).to_bytes(4, "little") + bytes(4)
    with zipfile.ZipFile(tmp_path / "a.xlsb", "w") as target:
        target.writestr("xl/printerSettings/printerSettings1.bin", row + cell)
        target.writestr("xl/worksheets/sheet1.bin", begin + row + cell + bytes(8))
    with pytest.raises(PermanentSourceError, match="reaches to row 1048576 and column 16384"):
        pull(connector(tmp_path, "a.xlsb", ID))


ODS_SPACE = "urn:oasis:names:tc:opendocument:xmlns:"


def ods(folder: Path, rows: str) -> None:
    content = (
        f'<office:document-content xmlns:office="{ODS_SPACE}office:1.0" xmlns:table="{ODS_SPACE}table:1.0" '
        f'xmlns:text="{ODS_SPACE}text:1.0"><office:body><office:spreadsheet><table:table table:name="a">{rows}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(folder / "a.ods", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        target.writestr("META-INF/manifest.xml", "<manifest/>")
        target.writestr("content.xml", content)


def ods_row(content: str, rows: int = 1, columns: int = 1, attributes: str = 'office:value-type="string"') -> str:
    return (
        f'<table:table-row table:number-rows-repeated="{rows}"><table:table-cell {attributes} '
        f'table:number-columns-repeated="{columns}">{content}</table:table-cell></table:table-row>'
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ods_row(f"<text:p>{'x' * 2000}</text:p>", 200_000, 25), "the texts of the cells would take"),
        (ods_row("<text:p><text:s text:c='2000000000'/></text:p>"), "the texts of the cells would take"),
        (ods_row("", 1_000_000, 2, f'table:formula="{"x" * 1000}"'), "the texts of the cells would take"),
        (ods_row("<text:p>a</text:p>", 1_048_576, 16_384), "cells are repeated"),
        (ods_row("", 1_000_000, 41, 'office:value-type="float" office:value="1"'), "cells are repeated"),
        (ods_row("", 1, 1_000_000_000, "").replace("</table:table-row>", "<table:table-cell/></table:table-row>"), "cells are repeated"),
        (ods_row("", 2_000_000_000, 1, "") + ods_row("<text:p>x</text:p>"), "cells are repeated"),
    ],
)  # fmt: skip
def test_an_ods_of_a_few_bytes_that_fills_the_memory_is_refused(row: str, said: str, tmp_path: Path) -> None:
    ods(tmp_path, ods_row("<text:p>id</text:p>") + row)
    with pytest.raises(PermanentSourceError, match=said):
        pull(connector(tmp_path, "a.ods", ID))


def test_an_ods_whose_empty_cells_reach_to_its_edges_is_read(tmp_path: Path) -> None:
    """As spreadsheet programs write it."""
    long = f"<text:p>{'x' * 30_000}</text:p>"
    ods(tmp_path, ods_row("<text:p>id</text:p>") + ods_row(long) + ods_row("", 1_048_574, 16_384, ""))
    frame, rejects = pull(connector(tmp_path, "a.ods", ID))
    assert frame.height + len(rejects) == 1


@pytest.mark.parametrize("cell", ['<c t="s"><v>1</v></c>', "<c t='s'><v>1</v></c>", '<c t="s"><v>0</v><v>1</v></c>'])
def test_a_long_text_named_by_very_many_cells_is_refused(cell: str, tmp_path: Path) -> None:
    shared_book(tmp_path, ["id", "x" * 32_000], cell * 50_000)
    with pytest.raises(PermanentSourceError, match=r"the texts of the cells would take 1,\d\d\d MiB"):
        pull(connector(tmp_path, "a.xlsx", ID))


def test_a_long_text_among_many_short_ones_is_no_harm(tmp_path: Path) -> None:
    cells = "".join(f'<c t="s"><v>{number % 500}</v></c>' for number in range(60_000))
    texts = ["id", "x" * 32_000, *(str(number) for number in range(498))]
    check_workbook(shared_book(tmp_path, texts, cells), "a.xlsx")


def shared_book(folder: Path, texts: list[str], cells: str) -> Path:
    path = repacked(folder, SHEET, sheet(f'<row r="1"><c r="A1" t="s"><v>0</v></c></row><row>{cells}</row>'))
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as target:
        target.writestr("xl/texts.xml", f"<sst>{items}</sst>")
    return path


def test_an_xlsb_whose_cells_name_a_long_text_is_refused(tmp_path: Path) -> None:
    begin, row = b"\x91\x01\x00", b"\x00\x04" + bytes(4)
    cell = b"\x07\x0c" + bytes(12)
    text = b"\x13\x80\xf4\x03" + bytes(64_000)
    with zipfile.ZipFile(tmp_path / "a.xlsb", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("xl/sharedStrings.bin", text + bytes(8))
        target.writestr("xl/worksheets/sheet1.bin", begin + row + cell * 20_000 + bytes(8))
    with pytest.raises(PermanentSourceError, match=r"the texts of the cells would take 1,\d\d\d MiB"):
        pull(connector(tmp_path, "a.xlsb", ID))


def test_entities_of_xml_are_not_multiplied(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE worksheet [<!ENTITY l0 "lol">{laughs}]>'.encode()
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c></row><row r="2"><c r="A2" t="str"><v>&l9;</v></c></row>'
    repacked(tmp_path, SHEET, sheet(cell).replace(b"?>", b"?>" + doctype, 1))
    found = outcome(connector(tmp_path, "a.xlsx", ID))
    assert isinstance(found, PermanentSourceError) or found[0]["source_key"].str.len_chars().max() in (None, 4)


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.csv.gz"])
@given(
    wrong=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    kept=st.floats(0, 1) | st.just(1.0),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_damaged_file_is_read_in_part_or_named_damaged(
    name: str, wrong: list[tuple[int, int]], kept: float, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name == "a.xlsx":
        book_of(tmp_path, [["id", "due"], *([str(n), date(2026, 2, 1)] for n in range(30))])
    elif name == "a.xls":
        write_xls(path, [["id", "due"], *([str(n), date(2026, 2, 1)] for n in range(30))])
    else:
        path.write_bytes(gzip.compress(b"id,due\n" + b"".join(b"%d,01/02/2026\n" % n for n in range(300))))
    content = bytearray(path.read_bytes())
    for place, byte in wrong:
        content[place % len(content)] = byte
    path.write_bytes(content[: round(kept * len(content))])
    outcome(connector(tmp_path, name, {**ID, "due_current": DUE}))


CELLS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.dates() | st.datetimes(min_value=datetime(1900, 3, 1)) | st.times() | st.timedeltas()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32)))), max_size=30)
    | st.sampled_from(["=1/0", "=A1", "01/02/2026", "Tổng cộng", "(1)", "1.234", "\u00a0", "e\u0302\u0323"])
)  # fmt: skip


@given(rows=st.lists(st.lists(CELLS, max_size=4), max_size=6), auto=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
def test_any_sheet_gives_records_rejects_or_a_clear_error(rows: list[list[Any]], auto: bool, tmp_path: Path) -> None:
    try:
        book_of(tmp_path, [["id", "unit", "due", "n"], *rows])
    except (ValueError, OverflowError):
        return  # openpyxl cannot write it
    rules = {
        "header_row": "auto" if auto else 1,
        "numbering_row": auto,
        "fill_down": ["unit"],
        "ignore_rows": {"id": "^Tổng"},
    }
    mapping = {
        **ID, "unit_name": {"column": "unit", "without_prefix": ["UBND"], "pad": 5, "decimals": 3},
        "due_current": {"column": "due", "format": ["%d/%m/%Y", "serial_1900"]},
        "supplement_count": {"column": "n", "thousands": "."},
    }  # fmt: skip
    found = outcome(connector(tmp_path, "a.xlsx", mapping, xlsx=rules))
    assert not isinstance(found, TthcError)
    assert found[0].schema == pl.Schema(RECORD_SCHEMA)
    assert found[0]["source_key"].null_count() == 0


@given(
    body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
    encoding=st.sampled_from(["utf-8", "cp1258", "utf-16", "utf-8-sig", "utf-7", "gb18030"]),
    quote=st.sampled_from(['"', None, "'"]),
    header=st.sampled_from([1, 2, "auto"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_any_bytes_give_records_rejects_or_a_clear_error(
    body: bytes, encoding: str, quote: str | None, header: int | str, tmp_path: Path
) -> None:
    csv_of(tmp_path, (HEAD.encode(encoding) if encoding != "utf-16" else b"") + body)
    found = outcome(connector(tmp_path, csv={"encoding": encoding, "quote": quote, "header_row": header}))
    if isinstance(found, tuple):
        assert found[0].schema == pl.Schema(RECORD_SCHEMA)


# -- files that change ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["grown", "replaced", "removed", "touched"])
def test_a_file_that_changes_while_it_is_read_is_read_again_later(change: str, tmp_path: Path) -> None:
    path = csv_of(tmp_path, HEAD + f"1,{'x' * 10_000},u,01/02/2026\n" * 6_000)
    pages = connector(tmp_path).fetch(None)
    next(pages)
    if change == "grown":
        with path.open("a") as file:
            file.write("2,x,u,01/02/2026\n")
    elif change == "replaced":
        other = csv_of(tmp_path, path.read_bytes(), "b.csv")
        os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        other.replace(path)
    elif change == "removed":
        path.unlink()
    else:
        os.utime(path, (1, 1))
    with pytest.raises(
        TransientSourceError, match=r"a\.csv: the file changed while it was read; nothing of it is kept"
    ):
        list(pages)


def test_what_looks_damaged_only_because_it_changes_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv_of(tmp_path, gzip.compress((HEAD + "1,x,u,01/02/2026\n").encode())[:-9], "a.csv.gz")
    files = connector(tmp_path, "a.csv.gz")
    found = files._files()  # the moment between looking and reading
    monkeypatch.setattr(files, "_files", lambda: found)
    os.utime(path, (1, 1))
    with pytest.raises(TransientSourceError, match="changed while it was read"):
        pull(files)


# -- many files ----------------------------------------------------------------------------------------------------


def test_ten_thousand_files_are_one_fetch(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number:05}.csv").write_text(f"id\n{number}\n")
    files = connector(tmp_path, ".", ID, reread="changed")
    cursor = None
    keys = set()
    for page in files.fetch(None):
        cursor = page.cursor
        keys.add(page.content.frame["id"][0])
    assert len(keys) == 10_000
    assert cursor is not None
    assert list(files.fetch(cursor)) == []


# -- what must never leave a file ----------------------------------------------------------------------------------

POISON = "Nguyễn Thị Độc 079099000017"
NAMES = ("Chủ hồ sơ", "Số CCCD", "Điện thoại", "Email", "Địa chỉ", "Nội dung")


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.xls"])
@pytest.mark.parametrize("broken", [False, True])
def test_no_unmapped_cell_and_no_applicant_leaves_a_file(
    name: str, broken: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    due = "x" if broken else "01/02/2026"
    rows = [
        ["id", "due", "Người nộp", *NAMES],
        ["1", due, POISON, *([POISON] * len(NAMES))],
        ["2", "01/02/2026", f"{POISON}\0" if broken and name == "a.csv" else POISON, *([POISON] * len(NAMES))],
        *([["3", "01/02/2026", POISON, *([POISON] * 9)]] if broken and name == "a.csv" else []),
    ]
    if name == "a.csv":
        csv_of(tmp_path, "\n".join(",".join(row) for row in rows) + (f'\n4,"{POISON}' if broken else ""))
    elif name == "a.xlsx":
        book_of(tmp_path, rows)
    else:
        write_xls(tmp_path / name, rows)
    mapping = {**ID, "due_current": DUE, "applicant_hash": "Người nộp"}
    options = FilesOptions.model_validate({"path": name, "zone": "Asia/Ho_Chi_Minh", "columns": mapping})
    files = FilesConnector("test", options, surroundings(tmp_path, b"key"))
    said = ""
    for page in files.fetch(None):
        assert set(page.content.frame.columns) == {"id", "due", "Người nộp"}
        batch = files.normalise(page)
        said += page.content.frame.write_csv()
        said += (
            batch.records.write_csv() + repr(batch.rejects) + repr(batch.unknown) + repr(page.cursor) + page.location
        )
        hashes = batch.records["applicant_hash"].drop_nulls().unique().to_list()
        assert set(hashes) <= {applicant_hash(POISON, b"key"), applicant_hash(f"{POISON}\0", b"key")}
        assert len(hashes) == min(1, batch.records.height)
    try:
        said += repr(files.check())
    except ConfigError as error:
        said += str(error)
    said += caplog.text + "".join(capfd.readouterr())
    for piece in (POISON, "Độc", "079099000017"):
        assert piece not in said


def test_no_error_shows_a_cell(tmp_path: Path) -> None:
    """Each of these stops the reading of a file with a message that reaches logs and the database."""
    for content in (
        f"{POISON}\n",
        f"{POISON};x\n1;2\n",
        f'"{POISON}',
        f"id\n{POISON}\n".encode("utf-16-le"),
        f"{POISON}\rid\r",
    ):
        for settings_ in ({}, {"header_row": "auto"}):
            csv_of(tmp_path, content)
            error = outcome(connector(tmp_path, csv=settings_))
            assert isinstance(error, TthcError)
            assert "Độc" not in str(error)
    csv_of(tmp_path, HEAD.encode() + POISON.encode("cp1258", errors="replace") + b"\xff\n")
    assert "079099000017" not in str(outcome(connector(tmp_path)))


def test_a_hidden_sheet_with_persons_is_not_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id"])
    book.active.append(["1"])
    hidden = book.create_sheet("Công dân")
    hidden.append(["id", "name"])
    hidden.append([POISON, POISON])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    for chosen in (1, "*"):
        assert pull(connector(tmp_path, "a.xlsx", ID, xlsx={"sheet": chosen}))[0]["source_key"].to_list() == ["1"]
