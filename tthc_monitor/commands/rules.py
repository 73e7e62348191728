"""Commands about the rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import typer
from rich.table import Table

from rules.loader import load_packs, parse_pack
from rules.registry import Pack
from tthc_monitor import explanation, judging
from tthc_monitor.commands import context
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.yaml_text import parse_yaml, validate
from tthc_monitor.explain import explain
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs.flags_export import parse_instant
from tthc_monitor.rules_page import rules_page
from tthc_monitor.store.database import transaction
from tthc_monitor.terminal import steps
from tthc_monitor.whatif import WhatIf, whatif

app = typer.Typer(no_args_is_help=True, help="The rules in force.")


@app.command("list")
def rules_list(
    page: Annotated[bool, typer.Option("--page", help="As a page in Vietnamese, with every worked example.")] = False,
) -> None:
    """List the rules in force."""
    settings = context.settings()
    if page:
        typer.echo(rules_page(load_packs(settings.rules.packs, settings.base_dir)), nl=False)
        return
    table = Table("code", "kind", "severity", "verdict", "title", "legal basis")
    for rule in load_packs(settings.rules.packs, settings.base_dir):
        table.add_row(rule.code, rule.kind, rule.severity, rule.verdict or "", rule.title, rule.legal_basis)
    typer.echo(context.plain(table))


@app.command("explain")
def rules_explain(
    dossier: Annotated[str, typer.Argument(help="Its code (mã hồ sơ), its key in the source, or its number.")],
    as_of: Annotated[str, typer.Option(help="'now', or an instant such as 2026-10-14T17:00:00+07:00.")] = "now",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Why a dossier has its verdict: working time day by day, pauses, days off, limits, findings, records, versions."""
    with open_installation(context.settings()) as installation:
        judging.refresh(installation)
        instant = parse_instant(as_of, installation.now())
        with transaction(installation.engine) as connection:
            told = explain(connection, installation.grounds(), dossier, instant)
    if as_json:
        typer.echo(json.dumps(explanation.as_json(told), ensure_ascii=False, indent=2))
    else:
        typer.echo(explanation.as_text(told), nl=False)


@app.command("schema")
def rules_schema(
    of: Annotated[Literal["rules", "calendar"], typer.Option(help="Which kind of file.")] = "rules",
) -> None:
    """Print the JSON Schema of rule packs or calendars, for editors that complete and check as one types."""
    model = Pack if of == "rules" else CalendarSpec
    typer.echo(json.dumps(model.model_json_schema(), ensure_ascii=False, indent=2))


@app.command("whatif")
def rules_whatif(
    calendar: Annotated[Path | None, typer.Option(help="A calendar file to try.")] = None,
    rule: Annotated[
        Path | None, typer.Option(help="A file of rules to try: they replace those of the same code.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for every difference, as CSV.")] = None,
) -> None:
    """Which verdicts and findings would change under another calendar or other rules; nothing is written."""
    if calendar is None and rule is None:
        raise ConfigError("nothing to try; give --calendar FILE or --rule FILE")
    with open_installation(context.settings()) as installation:
        before = after = installation.grounds()
        if calendar is not None:
            after = replace(after, calendar=validate(CalendarSpec, parse_yaml(_read(calendar), str(calendar))))
        if rule is not None:
            tried = {one.code: one for one in parse_pack(_read(rule), str(rule))}
            held = {one.code: one for one in before.rules}
            after = replace(after, rules=tuple({**held, **tried}.values()))
        with steps() as shown, shown.step("judging both ways") as step:
            answer = whatif(installation.engine, before, after, installation.now(), step.advance)
        if out is not None:
            with transaction(installation.engine) as connection:
                rows = connection.exec_driver_sql("SELECT dossier_id, code, source FROM audit.dossiers")
                named = pl.DataFrame(rows.all(), schema=["dossier_id", "code", "source"], orient="row")
            answer.findings.join(named, on="dossier_id", how="left").write_csv(out)
    _tell(answer)
    if out is not None:
        typer.echo(f"every difference is in {out}")


def _tell(answer: WhatIf) -> None:
    typer.echo(
        f"{answer.judged} dossiers judged both ways: {answer.verdicts.height} verdicts and "
        f"{answer.findings.height} findings would differ; nothing was written"
    )
    if answer.verdicts.height:
        table = Table("verdict now", "verdict then", "dossiers", "units")
        counted = answer.verdicts.group_by("before", "after").agg(
            pl.len(), pl.col("unit_code").n_unique().alias("units")
        )
        for before, after, number, units in counted.sort("before", "after").rows():
            table.add_row(before, after, str(number), str(units))
        typer.echo(context.plain(table))
    if answer.findings.height:
        table = Table("rule", "new", "gone", "moved")
        counted = answer.findings.group_by("rule_code").agg(
            (pl.col("change") == word).sum().alias(word) for word in ("opened", "closed", "moved")
        )
        for code, *numbers in counted.sort("rule_code").rows():
            table.add_row(code, *(str(number) for number in numbers))
        typer.echo(context.plain(table))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; name a readable UTF-8 file") from None
