"""Every odd workbook of a public collection, read through configuration alone: rows, rejects and a figure of the file's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pytest

from connectors.base import Surroundings
from connectors.files import FilesConnector, FilesOptions
from tests.shared_data import shared
from tests.unit.test_files_connector import pull
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.yaml_text import parse_yaml, validate


@dataclass(frozen=True)
class Reading:
    """Options of a workbook, and what they give. ``figure``: an expression over the records, and its value."""

    options: str
    rows: int
    rejects: int = 0
    figure: tuple[pl.Expr, object] | None = None


def keys(*expected: str) -> tuple[pl.Expr, object]:
    return pl.col("source_key").str.join("|"), "|".join(expected)


def total(expected: float) -> tuple[pl.Expr, object]:
    """The sum of numbers mapped as codes, exact to the cent."""
    return pl.col("code").cast(pl.Float64).sum().round(2), expected


VISIBLE = 'columns: {source_key: "1", code: "2"}'
NOTE = 'ignore_rows: {"2": "^$"}'
ZIPS = keys(*(f"http://api.zippopotam.us/us/{code}" for code in ("90210", "94105", "92802")))
READINGS = {
    # Four sheets, as a cell says; the numbers are consecutive, so that the second column is the first and one each.
    "any_sheets.ods": [Reading(f"{VISIBLE}\nxlsx: {{{NOTE}}}", 2, figure=total(4 + 6))],
    "any_sheets.xls": [
        Reading(f"{VISIBLE}\nxlsx: {{{NOTE}}}", 2, figure=total(4 + 6)),
        Reading(f"{VISIBLE}\nxlsx: {{sheet: Hidden}}", 2, figure=total(4 + 6)),
    ],
    "any_sheets.xlsb": [Reading(f"{VISIBLE}\nxlsx: {{{NOTE}}}", 2, figure=total(4 + 6))],
    "any_sheets.xlsx": [
        Reading(f"{VISIBLE}\nxlsx: {{{NOTE}}}", 2, figure=total(4 + 6)),
        Reading(VISIBLE, 3, figure=(pl.col("source_key").last().str.extract(r"contains (\d) sheets"), "4")),
    ],
    "excel-1904-epoch.xlsx": [
        Reading(
            "columns: {source_key: item, due_current: date}", 2,
            figure=(pl.col("due_current").first(), datetime(2024, 1, 15, tzinfo=UTC)),
        )
    ],
    "excel-large-floats.xlsx": [Reading("columns: {source_key: A}", 0, rejects=1)],
    "excel-numeric-header.xlsx": [Reading('columns: {source_key: location, code: "2022"}', 2, figure=total(3 + 6))],
    "excel-ods.ods": [Reading("columns: {source_key: URL, unit_name: City}", 3, figure=ZIPS)],
    "excel-range.xlsx": [Reading("columns: {source_key: A, code: AF}", 2, figure=total(33 + 34))],
    "excel-rounding.xlsx": [
        Reading("columns: {source_key: column 1, code: large_negative_float}", 2, figure=total(-300.03)),
    ],
    "excel-xls.xls": [
        Reading("columns: {source_key: URL, unit_name: City}", 3, figure=ZIPS),
        Reading("columns: {source_key: Last sheet col1, code: Last-2}\nxlsx: {sheet: Last}", 5, figure=total(5 + 4 + 3 + 2 + 1)),
        # One cell of the date column says that it is not a date; two dates lie before 1990.
        Reading("columns: {source_key: num_col, due_current: date_col}\nxlsx: {sheet: date test}", 2, rejects=3),
        Reading("columns: {source_key: col1}\nxlsx: {sheet: NoData}", 0),
    ],
    "excel-xlsx.xlsx": [
        Reading(
            'columns: {source_key: URL, due_current: {column: date, format: "%A, %B %d, %Y"}}', 6, rejects=2,
            figure=(pl.col("due_current").dt.date().cast(pl.String).sort().last(), "2021-07-04"),
        ),
        Reading(
            "columns: {source_key: col1, code: col4}\nxlsx: {sheet: firstnonemptyrow, header_row: auto}", 5,
            figure=total(66.58),
        ),
        Reading("columns: {source_key: tabc1, code: tabc3}\nxlsx: {sheet: Sheet2, header_row: auto, ignore_rows: {tabc1: ^$}}",
                6, figure=total(17.56)),
        Reading("columns: {source_key: col1}\nxlsx: {sheet: cellerrors, ignore_rows: {col1: ^$}}", 8),
    ],
    "testexcel-issue-516.xls": [Reading("columns: {source_key: id, code: amount}", 5, figure=total(99.65))],
}  # fmt: skip
REFUSED = {
    "formula_empty_string_value.xls": "row 1 holds no column names",
    "password-protected-password123.ods": "protected by a password",
    "password-protected-password123.xlsx": "protected by a password",
}


def files(name: str, options: str) -> FilesConnector:
    folder = shared("workbooks")
    text = f"path: {name}\nzone: UTC\n{options}"
    return FilesConnector(
        name,
        validate(FilesOptions, parse_yaml(text, f"{name}.yaml")),
        Surroundings(lambda: datetime.now(UTC), folder),
    )


def test_no_workbook_is_left_out() -> None:
    assert {path.name for path in shared("workbooks").iterdir()} == {*READINGS, *REFUSED}


@pytest.mark.parametrize(
    ("name", "reading"), [(name, reading) for name, readings in READINGS.items() for reading in readings]
)
def test_a_workbook_gives_its_rows_and_its_own_figure(name: str, reading: Reading) -> None:
    frame, rejects = pull(files(name, reading.options))
    assert (frame.height, len(rejects)) == (reading.rows, reading.rejects), rejects
    if reading.figure is not None:
        expression, expected = reading.figure
        assert frame.select(expression).item() == expected


@pytest.mark.parametrize(("name", "said"), REFUSED.items())
def test_a_workbook_that_cannot_be_read_says_why(name: str, said: str) -> None:
    with pytest.raises(PermanentSourceError, match=said):
        pull(files(name, "columns: {source_key: id}"))
