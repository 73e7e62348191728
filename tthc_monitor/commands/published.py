"""Commands about figures that others published of a period: the national portal, EMC, the one-stop system's own report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.markup import escape
from rich.table import Table

from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, report_period
from tthc_monitor.domain.published import COUNTED_BY_NAMES, CountedBy
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.whole_file import write_whole
from tthc_monitor.published.files import read_published, template
from tthc_monitor.store.database import transaction
from tthc_monitor.store.published import read_imports, save_published, unknown_units
from tthc_monitor.terminal import console, steps

app = typer.Typer(no_args_is_help=True, help="Figures that others published, to reconcile with.")

_WAYS: Final[dict[str, CountedBy]] = {"766": "national_766", "ii06a": "ii06a"}
_SHOWN: Final = 10


@app.command("import")
def published_import(
    file: Annotated[Path, typer.Argument(help="CSV, a workbook, or the saved JSON answer of the portal.")],
    source: Annotated[str, typer.Option("--source", help='Who published it, such as "Cổng DVCQG".')],
    person: Annotated[str, typer.Option("--by", help="Who imports it; recorded.")],
    period: Annotated[str, typer.Option("--period", help="What it is about: 2026-10, 2026-Q4, 2026-H1 or 2026.")],
    kind: Annotated[
        Literal["calendar", "nd09"], typer.Option(help="By the calendar, or from the 15th by NĐ 09/2019.")
    ] = "calendar",
    counted: Annotated[
        Literal["766", "ii06a"],
        typer.Option("--counted", help="How the publisher counts: index 766, or form II.06a by the promise in force."),
    ] = "766",
    series: Annotated[str, typer.Option(help="Generation of the portal: figures of two are no series.")] = "",
) -> None:
    """Take over published figures of a period; what was imported before stays on record as an earlier version."""
    settings = context.settings()
    span: Period = report_period(period, kind, settings.zone)
    with steps() as shown:
        with shown.step(f"reading {file.name}") as step:
            rows, unread = read_published(file)
            step.rows(len(rows), len(rows))
        with (
            shown.step("storing"),
            open_installation(settings) as installation,
            transaction(installation.engine) as connection,
        ):
            version = save_published(
                connection,
                rows,
                span,
                publisher=source,
                counted_by=_WAYS[counted],
                index_source=series,
                file=file.name,
                content=file.read_bytes(),
                by=person,
                now=installation.now(),
            )
            unknown = unknown_units(connection, sorted({row.unit_code for row in rows}))
    typer.echo(f"{file.name}: {len(rows)} rows of {span.name}, version {version}")
    _say("columns not read", unread)
    if unknown:
        rows_of = sum(row.unit_code in set(unknown) for row in rows)
        typer.echo(
            f"đơn vị không có trong danh mục: {', '.join(unknown)} ({rows_of} dòng vẫn được giữ để đối soát; kiểm tra mã đơn vị, sửa "
            "tệp rồi nhập lại, hoặc nhập danh mục đơn vị)"
        )
    for doubt in [doubt for row in rows for doubt in row.doubts()][:_SHOWN]:
        _note(f"kept as published, but {doubt}")


def _say(what: str, names: tuple[str, ...] | list[str]) -> None:
    if names:
        _note(f"{what}: {', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''}")


def _note(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command("list")
def published_list() -> None:
    """Every import: of which period, by whom, and whether it is the one in use."""
    with open_installation(context.settings()) as installation, transaction(installation.engine) as connection:
        imports = read_imports(connection)
        zone = installation.settings.zone
    if not imports:
        typer.echo("Chưa nhập số liệu công bố nào.")
        return
    table = Table("kỳ", "loại kỳ", "nơi công bố", "cách tính", "lần nhập", "đang dùng", "thế hệ cổng")
    for title in ("số dòng", "tệp", "nhập lúc", "người nhập"):
        table.add_column(title)
    for one in imports:
        cells = (
            one.month,
            wording.PERIOD_KINDS[one.kind],
            one.publisher,
            COUNTED_BY_NAMES[one.counted_by],
            str(one.version),
        )
        more = ("có" if one.in_force else "", one.index_source, wording.number(one.rows), one.file)
        table.add_row(*map(escape, (*cells, *more, wording.instant(one.imported_at, zone), one.imported_by)))
    typer.echo(context.plain(table))


@app.command("template")
def published_template(
    out: Annotated[Path, typer.Option(help="The file to write, ending in .csv; it must not be there yet.")],
) -> None:
    """Write a CSV file with the columns that may be filled in, and one example row."""
    if out.suffix.lower() != ".csv":
        raise ConfigError(f"{out} is no name of a CSV file; give one that ends in .csv")
    if out.exists():
        raise ConfigError(f"{out} is there already; choose another name, or remove it")
    typer.echo(str(write_whole(out, lambda temporary: temporary.write_text(template(), encoding="utf-8", newline=""))))
