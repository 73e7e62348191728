"""Commands about why dossiers are late: the list of causes, and what people say of dossiers."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from tthc_monitor import judging
from tthc_monitor.catalogue.cause_file import Said, read_said
from tthc_monitor.commands import context
from tthc_monitor.domain.causes import CLASS_TITLES, Proof
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.periods import calendar_month, nd09_month
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs.cause_list import load_causes, shipped_causes
from tthc_monitor.outputs.cause_workbook import write_cause_workbook
from tthc_monitor.outputs.report import build_report
from tthc_monitor.outputs.spreadsheet_cells import restored
from tthc_monitor.outputs.whole_file import write_whole
from tthc_monitor.store.causes import Assignment, dossiers_by_number, save_causes
from tthc_monitor.store.database import transaction
from tthc_monitor.terminal import steps

app = typer.Typer(no_args_is_help=True, help="Why dossiers are late, as records prove it and as people say it.")


@app.command("list")
def causes_list() -> None:
    """The causes in force: code, name, class, and what proves each."""
    settings = context.settings()
    table = Table("Mã", "Nguyên nhân", "Loại", "Căn cứ trong dữ liệu")
    for cause in load_causes(settings.report.causes_file, settings.base_dir).causes:
        proofs = "; ".join(map(_proof, cause.recognised_by)) or "do người có trách nhiệm xác định"
        table.add_row(*map(escape, (cause.code, cause.name, CLASS_TITLES[cause.kind], proofs)))
    typer.echo(context.plain(table))


@app.command("file")
def causes_file(
    out: Annotated[Path, typer.Option(help="The file to write, ending in .yaml; it must not be there yet.")],
) -> None:
    """Write the shipped list of causes, to make one's own of it (setting report.causes_file)."""
    if out.suffix.lower() not in (".yaml", ".yml"):
        raise ConfigError(f"{out} is no name of a YAML file; give one that ends in .yaml")
    if out.exists():
        raise ConfigError(f"{out} is there already, and may have been edited; choose another name, or remove it")
    typer.echo(str(write_whole(out, lambda temporary: temporary.write_text(shipped_causes(), encoding="utf-8"))))


@app.command("template")
def causes_template(
    period: Annotated[str, typer.Option("--period", help="Month, such as 2026-10.")],
    out: Annotated[Path, typer.Option(help="The workbook to write, ending in .xlsx.")],
    unit: Annotated[list[str] | None, typer.Option(help="Unit codes; by default all.")] = None,
    kind: Annotated[
        Literal["calendar", "nd09"], typer.Option(help="Calendar month, or 15th to 14th by NĐ 09/2019.")
    ] = "calendar",
) -> None:
    """Write a workbook of the delayed dossiers of a month, in which people choose a cause for each."""
    if out.suffix.lower() != ".xlsx":
        raise ConfigError(f"{out} is no name of a workbook; give one that ends in .xlsx")
    settings = context.settings()
    span = (calendar_month if kind == "calendar" else nd09_month)(period, settings.zone)
    with open_installation(settings) as installation, steps() as shown, shown.step(f"delayed dossiers of {period}"):
        judging.refresh(installation)
        with transaction(installation.engine) as connection:
            report = build_report(
                connection,
                span,
                installation.now(),
                settings.calendar.compile(),
                settings=settings.report,
                base_dir=settings.base_dir,
                units=unit or None,
            )
    typer.echo(f"{write_cause_workbook(report, out)}: {len(report.delayed)} dossiers")


@app.command("import")
def causes_import(
    file: Annotated[
        Path, typer.Argument(help="A filled workbook of `causes template` (.xlsx), or a CSV of its columns.")
    ],
    by: Annotated[str | None, typer.Option(help="Who says so; by default the login name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count only.")] = False,
) -> None:
    """Take over why dossiers were late, as people say it; it outranks what records prove, and both stay on record."""
    settings = context.settings()
    causes = load_causes(settings.report.causes_file, settings.base_dir)
    said, blank = read_said(file, causes, restored)
    with open_installation(settings) as installation, transaction(installation.engine) as connection:
        held = dossiers_by_number(connection, {one.number for one in said})
        wanted = _assignments(file, said, held)
        if wanted and not dry_run:
            save_causes(
                connection, wanted, file=file.name, content=file.read_bytes(), by=by or _login(), now=installation.now()
            )
    taken_back = sum(one.cause is None for one in wanted)
    told = f"{len(wanted) - taken_back} causes assigned, {taken_back} taken back, {blank} rows without a cause"
    typer.echo(f"{file.name}: {told}{', not written' if dry_run else ''}")


def _assignments(file: Path, said: list[Said], held: dict[str, list[int]]) -> list[Assignment]:
    problems = [
        Problem(
            str(file),
            one.line,
            f"no dossier has the number {one.number}; correct it, or pull its data first"
            if one.number not in held
            else f"several sources have a dossier {one.number}; remove the row, it cannot be told which is meant",
        )
        for one in said
        if len(held.get(one.number, ())) != 1
    ]
    if problems:
        raise ConfigError(problems)
    return [Assignment(held[one.number][0], one.cause, one.note, one.line) for one in said]


def _proof(proof: Proof) -> str:
    """A proof in few words: what it rests on, and what is said beside."""
    told = proof.model_dump(exclude_defaults=True, exclude_none=True)
    told.pop("priority")
    return ", ".join(f"{name} {_value(value)}" for name, value in told.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigError("this login has no name; give --by NAME") from None
