"""Views of schema audit, or one query, as files that others can check: all of one state of the database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import polars as pl
from sqlalchemy import Engine
from xlsxwriter.exceptions import XlsxWriterException

from connectors.sql.postgresql import PostgreSql
from connectors.sql.query import checked_query
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.outputs.export_manifest import (
    MANIFEST,
    SUMS,
    TREATMENTS,
    ExportedColumn,
    ExportedFile,
    Format,
    LedgerHead,
    Manifest,
    Program,
    digest,
    read_manifest,
    write_manifest,
)
from tthc_monitor.outputs.export_tables import CsvTable, ParquetTable, Table
from tthc_monitor.outputs.export_workbook import WorkbookTable
from tthc_monitor.store import migrate
from tthc_monitor.store.read_columns import ReadColumn
from tthc_monitor.store.reading import (
    Snapshot,
    audit_views,
    column_comments,
    describe,
    ledger_head,
    snapshot,
    stream,
)

DEFAULT_VIEWS: Final = (
    "dossiers", "verdicts_now", "flags", "evaluations", "rules", "calendars", "limit_versions", "time_limits",
    "unit_versions", "unit_successions", "sources", "pull_runs", "rejects", "unknown_codes", "ledger", "frozen_periods",
    "frozen_figures", "configuration_changes", "changes_by_people",
)  # fmt: skip
"""What is exported when nobody names views: what was concluded, from what, by which versions, and who changed what.

``observations``, the whole ledger, is for ``--view``: it is as long as all other views together.
"""

QUERY_FILE: Final = "query"
Rows = Callable[[int], None]


@dataclass(frozen=True)
class Part:
    """One file of an export: its name without ending, and the query behind it. ``view`` where it is a view as a whole."""

    name: str
    sql: str
    view: str | None = None


@dataclass(frozen=True)
class Order:
    """What is exported, and how.

    Attributes:
        views: names in schema audit; empty, and no query: :data:`DEFAULT_VIEWS`.
        query: one SELECT instead of views.
        zone: of local times in CSV and XLSX, and of the session in which a query runs.
        byte_order_mark: CSV begins with one.
        force: replace an export that is in the folder.
    """

    folder: Path
    format: Format
    zone: str
    views: tuple[str, ...] = ()
    query: str | None = None
    byte_order_mark: bool = False
    force: bool = False


def checked_order(order: Order) -> Order:
    """The order with its query ready to run.

    Raises:
        ConfigError: the query is not one SELECT that only reads; views and a query at once; a mark for what is no CSV; or
            the folder holds an export.
    """
    if order.byte_order_mark and order.format != "csv":
        raise ConfigError("a byte order mark is for CSV; leave --bom out, or choose --format csv")
    if order.query is not None and order.views:
        raise ConfigError("views and a query make two exports; choose one of --view and the query")
    _require_free(order)
    if order.query is None:
        return order
    try:
        query = checked_query(order.query, PostgreSql(), read_whole=True)
    except ValueError as error:
        raise ConfigError(f"the query {error}") from None
    return Order(order.folder, order.format, order.zone, (), query, order.byte_order_mark, order.force)


def _require_free(order: Order) -> None:
    if order.folder.exists() and not order.folder.is_dir():
        raise ConfigError(f"--out {order.folder} is a file; choose a folder")
    if not order.force and any((order.folder / name).exists() for name in (MANIFEST, SUMS)):
        raise ConfigError(f"--out {order.folder} holds an export already; choose another folder, or add --force")


def export(engine: Engine, order: Order, shown: Callable[[str], Rows]) -> Manifest:
    """Write the files of an order; a reader of the folder sees all of them or none.

    Args:
        order: as :func:`checked_order` gives it.
        shown: told of each file that is begun, gives what is told of its rows.

    Raises:
        ConfigError: a view that does not exist, or a query that the server refuses.
        DeliveryError: the folder cannot be written.
        DatabaseError: the database went away.
    """
    try:
        with _workshop(order.folder) as workshop, snapshot(engine, order.zone) as seen:
            parts = _parts(order, audit_views(seen.connection))
            _require_names_free(order, parts)
            files = tuple(_write(order, seen, part, workshop, shown) for part in parts)
            manifest = _manifest(order, seen, files)
            write_manifest(manifest, workshop)
            _put_in_place(order, manifest, workshop)
    except (OSError, XlsxWriterException) as error:
        raise DeliveryError(
            f"--out {order.folder} cannot be written: {error}; check the folder and its room"
        ) from error
    return manifest


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A folder for what is not whole yet, on the same disk; it is gone at the end, whatever comes."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = Path(tempfile.mkdtemp(dir=folder, prefix=".export-"))
    try:
        yield inside
    finally:
        shutil.rmtree(inside, ignore_errors=True)


def _parts(order: Order, views: dict[str, str]) -> Sequence[Part]:
    if order.query is not None:
        return [Part(QUERY_FILE, order.query)]
    names = tuple(dict.fromkeys(name.removeprefix("audit.") for name in order.views)) or DEFAULT_VIEWS
    for name in names:
        if name not in views:
            raise ConfigError(f"there is no view audit.{name}; choose from: {', '.join(views)}")
    return [Part(name, f'SELECT * FROM audit."{name}"', name) for name in names]


def _file(order: Order, part: Part) -> str:
    return f"{part.name}.{order.format}"


def _require_names_free(order: Order, parts: Sequence[Part]) -> None:
    if order.force:
        return
    for part in parts:
        if (order.folder / _file(order, part)).exists():
            raise ConfigError(
                f"--out {order.folder} has a file {_file(order, part)}; choose another folder, or add --force"
            )


def _write(order: Order, seen: Snapshot, part: Part, workshop: Path, shown: Callable[[str], Rows]) -> ExportedFile:
    columns = describe(seen.connection, part.sql)
    path = workshop / _file(order, part)
    rows = shown(path.name)
    comments = column_comments(seen.connection, part.view) if part.view else {}
    table = _table(order, part, path, columns, comments)
    try:

        def take(frame: pl.DataFrame) -> None:
            table.take(frame)
            rows(table.written.rows)

        stream(seen.connection, part.sql, columns, take)
        table.close()
    except BaseException:
        table.abandon()
        raise
    return ExportedFile(
        file=path.name,
        sha256=digest(path),
        bytes=path.stat().st_size,
        rows=table.written.rows,
        columns=tuple(
            ExportedColumn(
                name=column.name,
                type=_type(column),
                postgresql=column.server_type,
                comment=comments.get(column.name),
            )
            for column in columns
        ),
        view=f"audit.{part.view}" if part.view else None,
        sql=None if part.view else part.sql,
        neutralised=table.written.neutralised,
        cut=table.written.cut,
        sheets=table.written.sheets,
    )


def _table(order: Order, part: Part, path: Path, columns: Sequence[ReadColumn], comments: Mapping[str, str]) -> Table:
    if order.format == "csv":
        return CsvTable(path, columns, order.zone, bom=order.byte_order_mark)
    if order.format == "parquet":
        return ParquetTable(path, columns)
    vietnamese = {name: comment.partition(" | ")[0] for name, comment in comments.items()}
    return WorkbookTable(path, part.name, columns, order.zone, notes=vietnamese)


def _type(column: ReadColumn) -> str:
    names = {"truth": "boolean", "whole": "int64", "number": "float64", "text": "text", "json": "text (JSON)"}
    instants = {"day": "date", "instant": "timestamp with time zone", "wall_clock": "timestamp without time zone"}
    return (names | instants)[column.kind]


def _manifest(order: Order, seen: Snapshot, files: tuple[ExportedFile, ...]) -> Manifest:
    head = ledger_head(seen.connection)
    return Manifest(
        as_of=seen.as_of,
        zone=order.zone,
        snapshot=seen.identity,
        role=seen.role,
        ledger_head=None if head is None else LedgerHead(batch_id=head[0], chain_hash=head[1]),
        program=Program(version=version("tthc-monitor"), migration=migrate.head()),
        format=order.format,
        byte_order_mark=order.byte_order_mark,
        treatment=TREATMENTS[order.format],
        files=files,
    )


def _put_in_place(order: Order, manifest: Manifest, workshop: Path) -> None:
    """Move the files to their names, those that vouch for the others last."""
    if order.force:
        _remove_former(order.folder)
    for name in (*(one.file for one in manifest.files), MANIFEST, SUMS):
        (workshop / name).replace(order.folder / name)


def _remove_former(folder: Path) -> None:
    try:
        former = read_manifest(folder)
    except ConfigError:
        # What it was cannot be told; only what has our names goes.
        former = None
    for name in (SUMS, MANIFEST, *(one.file for one in (former.files if former else ()))):
        (folder / name).unlink(missing_ok=True)
