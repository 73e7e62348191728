"""Commands about the working calendar: show it, check a change of it, and take in a decision about days off."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from tthc_monitor.commands import calendar_tables, context
from tthc_monitor.domain.calendar_decreed import warnings
from tthc_monitor.domain.calendar_import import ImportedDay, compare, read_days
from tthc_monitor.domain.calendar_text import with_days, with_decreed_until
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.worktime import HORIZON
from tthc_monitor.domain.yaml_text import Document, parse_yaml, validate
from tthc_monitor.installation import open_database, system_clock
from tthc_monitor.settings import shipped_calendar_text
from tthc_monitor.store.calendars import calendar_in_force
from tthc_monitor.store.database import transaction

app = typer.Typer(no_args_is_help=True, help="The working calendar.")


@app.command()
def show(
    year: Annotated[
        int | None, typer.Option(help="By default this year.", min=HORIZON[0].year, max=HORIZON[1].year - 1)
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Code of a unit; by default the office at large.")] = None,
) -> None:
    """Show a year of the calendar, in Vietnamese: working days by month, days off and worked days with documents."""
    spec = context.settings().calendar
    year = year or _today(spec).year
    units = spec.units_of(unit)
    typer.echo(f"{spec.name} – năm {year} (múi giờ {spec.zone})")
    if unit is not None:
        own = f"lịch riêng “{units.name}”" if units is not None else "không có lịch riêng, theo lịch chung"
        typer.echo(f"Đơn vị {unit}: {own}")
        if units is not None and units.document:
            typer.echo(f"Văn bản: {units.document}")
    for line in calendar_tables.week_lines(spec, units, year):
        typer.echo(line)
    typer.echo(context.plain(calendar_tables.months(spec, units, spec.compile_all().of_unit(unit), year)))
    special = calendar_tables.special_days(spec, units, year)
    if special.row_count:
        typer.echo(context.plain(special))
    else:
        typer.echo(f"Lịch chưa ghi ngày nghỉ nào của năm {year}.")
    if unit is None and spec.units:
        typer.echo("Lịch riêng: " + "; ".join(f"{one.name} ({', '.join(one.codes)})" for one in spec.units))
    if spec.decreed_until is None or spec.decreed_until.year < year:
        until = "" if spec.decreed_until is None else f" sau ngày {spec.decreed_until:%d/%m/%Y}"
        typer.echo(f"Lưu ý: lịch chưa ghi văn bản về ngày nghỉ{until}; ngày nghỉ của năm {year} có thể chưa đủ.")


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A calendar file; by default the configured calendar.")] = None,
    last_used: Annotated[
        bool,
        typer.Option("--last-used", help="Compare with what the last evaluation judged by, not the configuration."),
    ] = False,
) -> None:
    """Check a calendar file, and tell which days of which units it changes against the calendar in force."""
    spec = _read(file) if file is not None else context.settings().calendar
    typer.echo(f"{file or spec.name}: hợp lệ, {len(spec.units)} lịch riêng")
    for warning in warnings(spec, _today(spec)):
        typer.echo(f"warning: {warning}")
    if file is None and not last_used:
        return
    held = _last_used() if last_used else context.settings().calendar
    if held is None:
        typer.echo("Chưa có lần đánh giá nào để so sánh.")
        return
    before, after = held.compile_all(), spec.compile_all()
    found = before.changes(after)
    if not found:
        typer.echo("So với lịch đang dùng: giờ làm việc của mọi ngày không đổi.")
        return
    typer.echo("So với lịch đang dùng:")
    typer.echo(context.plain(calendar_tables.changes(before, after, found)))


@app.command("import")
def import_(
    table: Annotated[Path, typer.Argument(help="CSV with the columns date,kind,name,source,status; kind off or work.")],
    into: Annotated[Path, typer.Option(help="The calendar file; a new one begins as the shipped calendar.")],
    by: Annotated[str | None, typer.Option(help="The document that all rows rest on.")] = None,
    decreed_until: Annotated[
        str | None, typer.Option(help="The last day for which days off are decreed now, as 2028-12-31.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
) -> None:
    """Add days off and worked days to a calendar file; a worked Saturday has the hours of a Monday."""
    last_day = _day(decreed_until)
    new = not into.exists()
    text = shipped_calendar_text("vn") if new else _text(into)
    spec = validate(CalendarSpec, parse_yaml(text, str(into)))
    days = read_days(_text(table), str(table), by)
    found = compare(spec, days, str(table))
    for day in found.added:
        typer.echo(f"+ {_line(day)}")
    for day in found.otherwise:
        typer.echo(f"= {_line(day)}  (đã có, tên hoặc văn bản khác: giữ như trong tệp)")
    changed = with_days(text, found.added)
    if last_day is not None:
        changed = with_decreed_until(changed, last_day)
    _require_only_these(spec, validate(CalendarSpec, parse_yaml(changed, str(into))), found.added, into)
    kept = len(found.same) + len(found.otherwise)
    if dry_run:
        typer.echo(f"{into}: sẽ thêm {len(found.added)} ngày, đã có {kept} ngày; chưa ghi gì")
        return
    if changed != text or new:
        _write(into, changed)
    origin = " (tệp mới, bắt đầu từ lịch có sẵn)" if new else ""
    typer.echo(f"{into}: đã thêm {len(found.added)} ngày, đã có {kept} ngày{origin}")


def _line(day: ImportedDay) -> str:
    kind = "nghỉ" if day.kind == "off" else "làm bù"
    return f"{day.date:%d/%m/%Y} {kind}: {day.name} – {day.document}"


def _require_only_these(before: CalendarSpec, after: CalendarSpec, added: tuple[ImportedDay, ...], file: Path) -> None:
    """What was read from the new text is what was read from the old one, and the added days."""
    wanted = {day.date: (day.name, day.document, day.kind == "work") for day in added}
    got = {
        day.date: (day.name, day.document, bool(after.hours_of(day, None)))
        for days, old in ((after.days_off, before.days_off), (after.overrides, before.overrides))
        for day in days
        if day not in old
    }
    kept = all(day in after.days_off for day in before.days_off) and all(
        day in after.overrides for day in before.overrides
    )
    rest = {"days_off", "overrides", "decreed_until"}
    if got != wanted or not kept or before.model_dump(exclude=rest) != after.model_dump(exclude=rest):
        raise ConfigError(
            f"{file} is written in a way that days cannot be added to by program; write its days_off and overrides as "
            "lists of one item a line and try again, nothing was changed"
        )


def _last_used() -> CalendarSpec | None:
    with open_database(context.settings()) as engine, transaction(engine) as connection:
        definition = calendar_in_force(connection)
    return None if definition is None else validate(CalendarSpec, Document("(database)", dict(definition), {}))


def _today(spec: CalendarSpec) -> dt.date:
    return system_clock().astimezone(ZoneInfo(spec.zone)).date()


def _day(text: str | None) -> dt.date | None:
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--decreed-until {text} is no day; write it as 2028-12-31") from None


def _read(file: Path) -> CalendarSpec:
    return validate(CalendarSpec, parse_yaml(_text(file), str(file)))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(file), None, f"cannot be read: {error}; give a readable UTF-8 file")]) from None


def _write(file: Path, text: str) -> None:
    """Put the whole text in place at once: whoever reads the file meanwhile sees the old one or the new one."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o777)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"{file} cannot be written: {error}; make its folder writable and try again") from None
