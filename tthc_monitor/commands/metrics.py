"""Commands about the metrics."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table

from tthc_monitor.commands import context
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs.metric_page import metric_page
from tthc_monitor.outputs.metric_table import METRICS
from tthc_monitor.outputs.metrics import exposition
from tthc_monitor.web import scrape_settings

app = typer.Typer(no_args_is_help=True, help="The metrics for Prometheus.")


@app.command("list")
def metrics_list(
    page: Annotated[bool, typer.Option("--page", help="As a page, with meaning and an example query each.")] = False,
) -> None:
    """List the metrics."""
    if page:
        typer.echo(metric_page(), nl=False)
        return
    table = Table("metric", "type", "labels", "meaning")
    for spec in METRICS:
        table.add_row(spec.name, spec.type, ", ".join(spec.labels), spec.help)
    typer.echo(context.plain(table))


@app.command("show")
def metrics_show() -> None:
    """Print what a scrape would be told now."""
    with open_installation(context.settings()) as installation:
        content = exposition(installation.engine, scrape_settings(installation))
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
