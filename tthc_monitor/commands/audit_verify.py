"""The command that recomputes the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.ledger_heads import grouped
from tthc_monitor.installation import open_installation, system_clock
from tthc_monitor.outputs.flags_export import parse_instant
from tthc_monitor.terminal import steps
from tthc_monitor.verification import Verdict, told, verify


def add_to(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command("verify")(audit_verify)


def audit_verify(
    head: Annotated[
        str | None, typer.Option(help="Head from the foot of an old mail or report; blanks between digits may stay.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="When that was sent, such as 2026-10-14T07:00:00+07:00; only with --head.")
    ] = None,
) -> None:
    """Recompute the ledger from its rows, and tell the first broken link, or that it is as it was."""
    if at is not None and head is None:
        raise ConfigError("--at says when a head was sent; give that head as well, with --head")
    sent = None if at is None else parse_instant(at, system_clock())
    with (
        open_installation(context.settings()) as installation,
        steps() as shown,
        shown.step("verifying the ledger") as step,
    ):
        verdict = verify(installation.engine, head=head, at=sent, progress=step.rows)
    for notice in verdict.notices:
        typer.echo(f"notice: {notice}")
    verdict.require()
    typer.echo(summary(verdict))


def summary(verdict: Verdict) -> str:
    """What a sound ledger holds, and what a head that was asked for proves."""
    if verdict.newest is None:
        return f"the ledger holds: {verdict.counts}"
    lines = [
        f"the ledger holds: {verdict.counts}",
        f"head: {grouped(verdict.newest.chain_hash.hex())} ({told(verdict.newest)})",
    ]
    if verdict.known is not None:
        after = verdict.newest.number - verdict.known.number
        lines.append(
            f"the head given is of {told(verdict.known)}: all up to it is as it was then"
            + ("" if after else ", and nothing was linked since")
        )
    return "\n".join(lines)
