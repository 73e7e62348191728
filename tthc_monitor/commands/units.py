"""Commands about units, their dates and their successors."""

from __future__ import annotations

import getpass
import gzip
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.unit_changes import changed, unread_columns
from tthc_monitor.domain.unit_checks import require_sound
from tthc_monitor.domain.unit_files import described
from tthc_monitor.domain.unit_successors import Answer, unit_as_now
from tthc_monitor.domain.units import KIND_NAMES, Succession, UnitRegister, UnitVersion
from tthc_monitor.installation import open_installation
from tthc_monitor.store.database import transaction
from tthc_monitor.store.units import (
    difference,
    lock_register,
    read_register,
    save_register,
    undescribed_units,
)
from tthc_monitor.terminal import console, steps

app = typer.Typer(no_args_is_help=True, help="Units, their dates and their successors.")


@app.command("import")
def units_import(
    file: Annotated[Path, typer.Argument(help="Units as YAML, or a reform as CSV (.csv, .csv.gz).")],
    by: Annotated[str | None, typer.Option(help="Who imports it; by default the login name.")] = None,
    on: Annotated[str | None, typer.Option(help="CSV: day of the succession, where no column tells it.")] = None,
    document: Annotated[str | None, typer.Option(help="CSV: the decision, where no column names it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count only.")] = False,
) -> None:
    """Take over units and their successors from a file; what was known before stays on record."""
    day = None if on is None else _day("--on", on)
    content = _read(file)
    with (
        open_installation(context.settings()) as installation,
        steps() as shown,
        transaction(installation.engine) as connection,
    ):
        with shown.step("checking") as step:
            lock_register(connection)
            known = read_register(connection)
            wanted = _wanted(known, file, content, day, document)
            step.rows(len(wanted.versions), len(wanted.versions))
        if dry_run:
            done = difference(known, wanted)
        else:
            with shown.step("storing") as step:
                done = save_register(
                    connection,
                    known,
                    wanted,
                    file=file.name,
                    content=content,
                    by=by or _login(),
                    now=installation.now(),
                )
                step.rows(len(wanted.successions), len(wanted.successions))
    told = (
        f"versions: {done.versions_opened} new, {done.versions_closed} replaced; "
        f"successions: {done.successions_opened} new, {done.successions_closed} replaced"
    )
    typer.echo(f"{file.name}: {'all known already' if done.nothing else told}{', not written' if dry_run else ''}")
    today = installation.now().astimezone(ZoneInfo(installation.settings.zone)).date()
    unclear = [code for code in wanted.codes if unit_as_now(wanted, code, today).ambiguous]
    if unclear:
        typer.echo(
            f"{len(unclear)} units whose successor cannot be told ({', '.join(unclear[:5])}"
            f"{', …' if len(unclear) > 5 else ''}); declare shares, sectors or procedures of their successions"
        )


def _wanted(known: UnitRegister, file: Path, content: bytes, on: date | None, document: str | None) -> UnitRegister:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if ".csv" in file.suffixes:
        wanted, lines = changed(known, text, str(file), on=on, document=document)
        if unread := unread_columns(text):
            console.print(f"columns not read: {', '.join(unread)}", markup=False, highlight=False, soft_wrap=True)
    elif on is not None or document is not None:
        raise ConfigError("--on and --document are for CSV files; remove them, the YAML form tells both itself")
    else:
        wanted, lines = described(known, text, str(file))
    require_sound(wanted, str(file), lines)
    return wanted


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigError("this login has no name; give --by NAME") from None


def _read(file: Path) -> bytes:
    try:
        content = file.read_bytes()
        return gzip.decompress(content) if file.suffix == ".gz" else content
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{file} cannot be read: {reason}; check the name and the rights") from None
    except EOFError:
        raise ConfigError(f"{file} is cut short; copy it again") from None


def _day(option: str, written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ConfigError(f"{option} '{written}' is not a day; write it as 2025-07-01") from None


@app.command("list")
def units_list(
    at: Annotated[str | None, typer.Option(help="Day, such as 2025-06-30; by default today.")] = None,
) -> None:
    """List the units that exist on a day."""
    with open_installation(context.settings()) as installation, transaction(installation.engine) as connection:
        today = installation.now().astimezone(ZoneInfo(installation.settings.zone)).date()
        register = read_register(connection)
        unknown = undescribed_units(connection, register)
    day = today if at is None else _day("--at", at)
    table = Table("mã", "tên", "loại", "cấp trên", "từ ngày", "đến hết ngày")
    for code in sorted(register.codes):
        version = register.version_on(code, day)
        if version is not None:
            above = version.parent_code and _named(register, version.parent_code, day)
            cells = (code, version.name, KIND_NAMES[version.kind], above or "", *_span(version))
            table.add_row(*map(escape, cells))
    typer.echo(context.plain(table))
    if unknown:
        some = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
        console.print(
            f"{len(unknown)} units that sources name are not described: {some}; add them with units import",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


@app.command("show")
def units_show(code: Annotated[str, typer.Argument(help="Code of a unit.")]) -> None:
    """Tell a unit's names, dates, parents, predecessors and successors, with the documents."""
    with open_installation(context.settings()) as installation, transaction(installation.engine) as connection:
        today = installation.now().astimezone(ZoneInfo(installation.settings.zone)).date()
        register = read_register(connection)
    versions = register.versions_of(code)
    if not versions:
        raise ConfigError(f"unit {code} is not described; correct the code, or add it with units import")
    for line in _story(register, code, versions, today):
        typer.echo(line)


def _story(register: UnitRegister, code: str, versions: Sequence[UnitVersion], today: date) -> Sequence[str]:
    lines = [f"{versions[-1].name} ({code})", "", "Tên gọi và thời gian hoạt động:"]
    for one in versions:
        above = f"; thuộc {_named(register, one.parent_code, one.first)}" if one.parent_code else ""
        lines.append(f"  {_vietnamese_span(one)}: {one.name} ({KIND_NAMES[one.kind]}){above}")
    before = register.predecessors_of(code)
    if before:
        lines += ["", "Kế thừa từ:"]
        lines += [f"  {_told(register, one, one.from_code, -1)}" for one in before]
    after = [one for group in register.successions_of(code).values() for one in group]
    if after:
        lines += ["", "Đơn vị kế thừa:"]
        lines += [f"  {_told(register, one, one.to_code, 0)}" for one in after]
    lines += ["", f"Chịu trách nhiệm hiện nay ({today:%d/%m/%Y}):"]
    return [*lines, *(f"  {line}" for line in _answers(register, code, today))]


def _answers(register: UnitRegister, code: str, today: date) -> Iterator[str]:
    """Who answers for the dossiers of a unit, by when they were received where that matters."""
    changes = [on for on in register.successions_of(code) if on <= today and register.version_on(code, on)]
    for begun, ended in pairwise([None, *changes, None]):
        span = f" nhận từ ngày {begun:%d/%m/%Y}" if begun else ""
        span += f" nhận trước ngày {ended:%d/%m/%Y}" if ended and not begun else ""
        span += f" đến trước ngày {ended:%d/%m/%Y}" if ended and begun else ""
        answer = unit_as_now(register, code, today, named_on=begun or date.min)
        yield f"hồ sơ của đơn vị{span}: {_answer(register, code, answer, today)}"
    own = [one for on, group in register.successions_of(code).items() if on <= today for one in group]
    for sector in sorted({sector for one in own for sector in one.sectors}):
        answer = unit_as_now(register, code, today, sector=sector)
        yield f"riêng lĩnh vực {sector}: {_answer(register, code, answer, today)}"
    for procedure in sorted({procedure for one in own for procedure in one.procedures}):
        answer = unit_as_now(register, code, today, procedure=procedure)
        yield f"riêng thủ tục {procedure}: {_answer(register, code, answer, today)}"


def _answer(register: UnitRegister, code: str, answer: Answer, today: date) -> str:
    if answer.successor_code is None:
        return "chưa xác định được; cần khai tỷ lệ, lĩnh vực hoặc thủ tục chuyển giao"
    return "chính đơn vị này" if answer.successor_code == code else _named(register, answer.successor_code, today)


def _told(register: UnitRegister, one: Succession, other: str, days: int) -> str:
    day = date.fromordinal(one.on.toordinal() + days)
    name = "chính đơn vị này" if one.from_code == one.to_code else _named(register, other, day)
    parts = [f"từ ngày {one.on:%d/%m/%Y}: {name}"]
    if one.share is not None:
        parts.append(f"tỷ lệ {one.share * 100:.4g}".replace(".", ",") + " %")
    if one.sectors:
        parts.append(f"lĩnh vực {', '.join(one.sectors)}")
    if one.procedures:
        parts.append(f"thủ tục {', '.join(one.procedures)}")
    return "; ".join([*parts, f"theo {one.document}"])


def _named(register: UnitRegister, code: str, day: date) -> str:
    versions = register.versions_of(code)
    version = register.version_on(code, day) or (versions[-1] if versions else None)
    return f"{version.name} ({code})" if version else code


def _span(version: UnitVersion) -> tuple[str, str]:
    last = date.fromordinal(version.end.toordinal() - 1)
    return (
        f"{version.valid_from:%d/%m/%Y}" if version.valid_from else "",
        f"{last:%d/%m/%Y}" if version.valid_to else "",
    )


def _vietnamese_span(version: UnitVersion) -> str:
    first, last = _span(version)
    begun = f"từ {first}" if first else "từ trước" if last else "từ trước đến nay"
    return f"{begun} đến hết {last}" if last else begun
