"""Commands about reports that are issued, and what changed since."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import typer
from rich.markup import escape
from rich.table import Table

from tthc_monitor import issuing
from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError, LedgerError
from tthc_monitor.domain.periods import Period, report_period
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.erratum_files import write_erratum, write_erratum_csv
from tthc_monitor.outputs.erratum_tables import cause_words, erratum_tables, period_words, place_words
from tthc_monitor.report_settings import ReportFormat
from tthc_monitor.store.database import transaction
from tthc_monitor.store.erratum import ErratumOfPeriod
from tthc_monitor.store.frozen import Frozen
from tthc_monitor.store.issued import Issue, IssueScope, read_issues
from tthc_monitor.store.issued_proof import issues_that_changed
from tthc_monitor.terminal import console, steps

_Period = Annotated[str, typer.Option("--period", help="Period of the report: 2026-10, 2026-Q4, 2026-H1 or 2026.")]
_Kind = Annotated[Literal["calendar", "nd09"], typer.Option(help="By the calendar, or from the 15th by NĐ 09/2019.")]
_Units = Annotated[list[str] | None, typer.Option("--unit", help="Unit codes; by default all.")]
_Subtree = Annotated[bool, typer.Option(help="With the units below them at the end of the period.")]
_SHOWN: Final = 50


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command("issue")(report_issue)
    app.command("issued")(report_issued)
    app.command("erratum")(report_erratum)


def report_issue(
    period: _Period,
    person: Annotated[str, typer.Option("--by", help="Who issues it; recorded.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    unit: _Units = None,
    subtree: _Subtree = True,
    units_as: Annotated[
        Literal["then", "now"],
        typer.Option(help="Units as they stood at the end of the period, or who answers for their dossiers now."),
    ] = "then",
    kind: _Kind = "calendar",
    number: Annotated[str, typer.Option(help='Number and symbol of the document, such as "05/BC-VPUB".')] = "",
    wanted: Annotated[
        list[str] | None,
        typer.Option(
            "--format", help="docx, xlsx, pdf, csv or json, besides those of the settings, which are always made."
        ),
    ] = None,
) -> None:
    """Freeze the figures of a period, make its report, and keep the files for good, byte for byte."""
    settings = context.settings()
    span = report_period(period, kind, settings.zone)
    # What is issued is issued once: a format that is left out could never be made of it any more.
    formats = tuple(dict.fromkeys((*settings.report.formats, *_formats(wanted))))
    scope = IssueScope(tuple(sorted(set(unit or ()))), subtree, units_as)
    with open_installation(settings) as installation, steps() as shown:
        issue, files = issuing.issue_report(
            installation, span, out, scope, formats, shown.step, person=person, number=number
        )
    for file in files:
        typer.echo(str(file))
    typer.echo(f"{span.name}: issue {issue.issue_id}, digest {issue.digest}")


def _formats(wanted: list[str] | None) -> tuple[ReportFormat, ...]:
    known = get_args(ReportFormat)
    if unknown := sorted(set(wanted or ()) - set(known)):
        raise ConfigError(f"--format {unknown[0]} is none of {', '.join(known)}; choose one of them")
    return tuple(dict.fromkeys(one for one in known if one in (wanted or ())))


def report_issued(
    verify: Annotated[bool, typer.Option("--verify", help="Recompute what is stored of every issue.")] = False,
) -> None:
    """List the reports that were issued, with their files."""
    with open_installation(context.settings()) as installation, transaction(installation.engine) as connection:
        issues = read_issues(connection)
        zone = installation.settings.zone
        wrong = list(issues_that_changed(connection)) if verify else []
    if not issues:
        typer.echo("Chưa phát hành báo cáo nào.")
        return
    table = Table("lần", "kỳ", "loại kỳ", "đơn vị", "số, ký hiệu", "phát hành lúc", "người phát hành", "tệp", "mã")
    for one in issues:
        files = "\n".join(f"{file.name} ({wording.number(file.size)} byte, {file.sha256[:16]})" for file in one.files)
        who = (wording.instant(one.at, zone), one.person, files, one.digest[:16])
        table.add_row(
            *map(
                escape,
                (str(one.issue_id), one.period, wording.PERIOD_KINDS[one.kind], _scope_words(one), one.number, *who),
            )
        )
    typer.echo(context.plain(table))
    if wrong:
        raise LedgerError(
            "\n".join(
                [*wrong[:_SHOWN], "do not change anything; keep this database and its backups, and ask who had access"]
            )
        )
    if verify:
        typer.echo(f"{len(issues)} issued reports are as they were")


def _scope_words(issue: Issue) -> str:
    scope = issue.scope
    units = ", ".join(scope.units) or "toàn bộ"
    only = "" if scope.subtree or not scope.units else " (không gồm đơn vị trực thuộc)"
    return f"{units}{only}{' – đơn vị hiện nay' if scope.units_as == 'now' else ''}"


def report_erratum(
    period: _Period,
    unit: _Units = None,
    subtree: _Subtree = True,
    kind: _Kind = "calendar",
    out: Annotated[Path | None, typer.Option(help="File to write; by default a table on the terminal.")] = None,
    wanted: Annotated[
        Literal["xlsx", "csv"], typer.Option("--format", help="Workbook, or a folder of CSV files.")
    ] = "xlsx",
) -> None:
    """What would be counted otherwise now in a frozen period: each dossier, its old and new columns, and the cause."""
    settings = context.settings()
    span = report_period(period, kind, settings.zone)
    scope = IssueScope(tuple(sorted(set(unit or ()))), subtree)
    with open_installation(settings) as installation, steps() as shown:
        with shown.step(f"what changed in {span.name}"):
            frozen, issue, found = issuing.report_erratum(installation, span, scope)
        tables = erratum_tables(found, notes := _notes(span, frozen, issue))
        if out is not None and wanted == "csv":
            written = write_erratum_csv(tables, span, out)
        else:
            written = [] if out is None else [write_erratum(tables, span, out, installation.now())]
    for file in written:
        typer.echo(str(file))
    if out is None:
        typer.echo("\n".join((period_words(span), *notes)))
        _show(found)


def _notes(period: Period, frozen: Frozen, issue: Issue | None) -> list[str]:
    notes = [f"Số liệu đã chốt lúc {wording.instant(frozen.at, period.zone)} (người chốt: {frozen.person})."]
    if issue is not None:
        number = f" số {issue.number}" if issue.number else ""
        notes.append(
            f"Báo cáo{number} phát hành lúc {wording.instant(issue.at, period.zone)} (người phát hành: {issue.person}), mã "
            f"{issue.digest[:16]}."
        )
    return notes


def _show(found: ErratumOfPeriod) -> None:
    if not found.figures and not found.moves:
        typer.echo("Không có đính chính.")
        return
    table = Table("Mã hồ sơ", "Đơn vị", "Đã chốt", "Hiện nay", "Nguyên nhân")
    for move in found.moves[:_SHOWN]:
        place = move.now if move.now.is_counted else move.before
        table.add_row(
            escape(move.code),
            escape(wording.unit_label(place.unit_code, place.unit_name)),
            place_words(move.before),
            place_words(move.now),
            cause_words(move.causes),
        )
    typer.echo(context.plain(table))
    if len(found.moves) > _SHOWN:
        typer.echo(f"Còn {wording.number(len(found.moves) - _SHOWN)} hồ sơ; ghi vào tệp bằng --out.")
    if found.unexplained:
        console.print(
            f"Chưa giải thích được theo từng hồ sơ: {len(found.unexplained)} chỉ tiêu.", markup=False, highlight=False
        )
