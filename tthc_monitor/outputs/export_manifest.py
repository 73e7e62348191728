"""What an export says of itself, and whether its files still are what it says.

``manifest.json`` tells of each file its hash, its size, its rows and columns and where they come from; of all of them the
instant as of which they were read and the head of the ledger's chain at that moment. ``SHA256SUMS`` has the same hashes,
and that of the manifest, for ``sha256sum --check``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Final, Literal

import polars as pl
from polars.exceptions import PolarsError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tthc_monitor.domain.errors import ConfigError, DataAssertionError
from tthc_monitor.outputs.spreadsheet_cells import neutral

MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
Format = Literal["csv", "parquet", "xlsx"]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

TREATMENTS: Final[Mapping[Format, str]] = {
    "csv": (
        "texts that begin with = + - @, tab, CR, LF or a wide = + - @, or with apostrophes before one of them, have an "
        "apostrophe before them; take one away to get the value back. Instants are ISO 8601 with the offset of the zone; "
        "infinity: without end"
    ),
    "parquet": (
        "raw values. Instants are UTC; 9999-12-31T23:59:59.999999Z and the day 9999-12-31: without end; 0001-01-01: "
        "without beginning"
    ),
    "xlsx": (
        "texts are text cells in the format Text and never formulas. Instants are dates in the zone, to the millisecond; "
        "infinity: without end; numbers of more than 15 digits and days before March 1900 are texts; texts of more than "
        "32767 characters are cut"
    ),
}
"""What was done to values on their way into a file, as its manifest says it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportedColumn(_Part):
    """One column: its name in the view or query, its types here and in PostgreSQL, and what it says of itself."""

    name: str
    type: str
    postgresql: str
    comment: str | None = None


class ExportedFile(_Part):
    """One file. ``view`` or ``sql`` tells where its rows come from; of CSV and XLSX ``neutralised`` counts cells."""

    file: _Name
    sha256: _Hash
    bytes: int
    rows: int
    columns: tuple[ExportedColumn, ...]
    view: str | None = None
    sql: str | None = None
    neutralised: int = 0
    cut: int = 0
    sheets: tuple[str, ...] = ()


class LedgerHead(_Part):
    """The newest link of the ledger's chain."""

    batch_id: int
    chain_hash: str


class Program(_Part):
    """What made the export: version of the program, and migration of the database."""

    name: Literal["tthc-monitor"] = "tthc-monitor"
    version: str
    migration: str


class Manifest(_Part):
    """What ``manifest.json`` holds."""

    export: Literal["tthc-monitor audit export"] = "tthc-monitor audit export"
    format_version: Literal[1] = 1
    as_of: datetime
    zone: str
    snapshot: str
    role: str
    ledger_head: LedgerHead | None
    program: Program
    format: Format
    byte_order_mark: bool
    treatment: str
    files: tuple[ExportedFile, ...]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest and the sums of all files into a folder."""
    path = folder / MANIFEST
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    sums = [(one.sha256, one.file) for one in manifest.files] + [(digest(path), MANIFEST)]
    (folder / SUMS).write_text("".join(f"{found}  {name}\n" for found, name in sums), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        ConfigError: there is none, or it is not one of ours.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; name the folder of an export") from None
    except (ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{path} is not the manifest of an export: {reason}; name the folder of an export") from None


def check_export(folder: Path) -> Manifest:
    """Compare the files of an export with its manifest: sums, sizes, and of CSV and Parquet rows and columns too.

    Returns:
        the manifest.

    Raises:
        ConfigError: there is no manifest.
        DataAssertionError: a file is not what the manifest says; all differences at once.
    """
    manifest = read_manifest(folder)
    wrong = [*_wrong_sums(manifest, folder)]
    for one in manifest.files:
        wrong += _wrong_file(one, folder, manifest.format)
    known = {MANIFEST, SUMS, *(one.file for one in manifest.files)}
    wrong += [f"{path.name} is not of this export" for path in sorted(folder.iterdir()) if path.name not in known]
    if wrong:
        told = "\n".join(wrong)
        raise DataAssertionError(
            f"{folder} is not what was exported:\n{told}\ntrust none of it; export again, or ask who handed it over"
        )
    return manifest


def _wrong_sums(manifest: Manifest, folder: Path) -> Iterator[str]:
    expected = {one.file: one.sha256 for one in manifest.files} | {MANIFEST: digest(folder / MANIFEST)}
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        yield f"{SUMS} cannot be read"
        return
    found = {name: told for told, _, name in (line.partition("  ") for line in lines)}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            yield f"{SUMS} and {MANIFEST} disagree about {name}"


def _wrong_file(one: ExportedFile, folder: Path, form: Format) -> Iterator[str]:
    path = folder / one.file
    if not path.is_file():
        yield f"{one.file} is missing"
        return
    if path.stat().st_size != one.bytes or digest(path) != one.sha256:
        yield f"{one.file} was changed"
        return
    if form == "xlsx":
        # Its hash says it all; to count a million rows of a workbook would take them all into memory.
        return
    try:
        table = pl.scan_parquet(path) if form == "parquet" else pl.scan_csv(path, infer_schema=False)
        names = table.collect_schema().names()
        rows = table.select(pl.len()).collect(engine="streaming").item()
    except PolarsError as error:
        yield f"{one.file} cannot be read: {str(error).splitlines()[0]}"
        return
    wanted = [column.name if form == "parquet" else neutral(column.name) for column in one.columns]
    if names != wanted or rows != one.rows:
        yield f"{one.file} has {rows} rows and columns {', '.join(names)}, which is not what {MANIFEST} says"
