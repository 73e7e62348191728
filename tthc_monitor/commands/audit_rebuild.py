"""Commands that fold the ledger anew: to compare, to put right, to judge what was known at an instant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tthc_monitor import rebuild
from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError, LedgerError
from tthc_monitor.installation import open_administration, open_installation
from tthc_monitor.outputs.flags_export import parse_instant
from tthc_monitor.terminal import Step, steps
from tthc_monitor.verification import verify

_TITLES = {"verifying": "verifying the ledger", "folding": "folding the ledger", "judging": "judging"}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("rebuild")(audit_rebuild)
    app.command("replay")(audit_replay)


def audit_rebuild(
    check: Annotated[bool, typer.Option("--check", help="Compare only; change nothing.")] = False,
    dump: Annotated[
        Path | None, typer.Option(help="With --check: folder for both sides as text, to compare byte for byte.")
    ] = None,
) -> None:
    """Verify the ledger, then make projection and flags anew from it alone, or compare them with what is held."""
    if dump is not None and not check:
        raise ConfigError("--dump writes what --check compares; add --check")
    with open_installation(context.settings()) as installation, progress_shown() as progress:
        # What is folded from a forged ledger would look as if it were true.
        verify(installation.engine, progress=lambda done, total: progress("verifying", done, total)).require()
        grounds = installation.grounds()
        if check:
            keep = None if dump is None else rebuild.dump_to(dump)
            done = rebuild.check(installation.engine, grounds, now=installation.now, progress=progress, compared=keep)
        else:
            with open_administration(context.settings()) as owner:
                done = rebuild.rebuild(owner, grounds, now=installation.now, progress=progress)
    for one in done.projection:
        typer.echo(f"{one.table} {one.key}: {', '.join(one.columns)}")
    if len(done.projection) == rebuild.SHOWN:
        typer.echo("and perhaps others")
    for flag in done.flags_differing:
        typer.echo(f"tthc.flags: {flag}")
    if not check:
        typer.echo("put right from the ledger" if done.projection else "nothing differed")
        return
    if not done.equal:
        raise LedgerError(
            "what is held is not what the ledger tells, and the ledger holds; find out who changed it, then run: "
            "tthc-monitor audit rebuild"
        )
    typer.echo(
        f"the ledger holds, and all is equal up to link {done.links}: {done.dossiers} dossiers, {done.flags} flags"
    )


def audit_replay(
    seen_at: Annotated[str, typer.Option(help="What was seen by then, such as 2026-10-14T17:00:00+07:00.")],
    person: Annotated[str, typer.Option("--by", help="Who asks for it; recorded.")],
) -> None:
    """Judge what was known at an instant by the rules of now, for audit.flags_as_of."""
    if not person.strip():
        raise ConfigError("a replay needs a person; give --by")
    with open_installation(context.settings()) as installation, progress_shown() as progress:
        instant = parse_instant(seen_at, installation.now())
        if instant > installation.now():
            raise ConfigError(f"--seen-at {seen_at} has not come yet; name an instant that has")
        kept = rebuild.keep_replay(
            installation.engine,
            installation.grounds(),
            instant,
            person.strip(),
            now=installation.now,
            progress=progress,
        )
    typer.echo(f"replay {kept.replay_id}: {kept.dossiers} dossiers, {kept.flags} flags")


@contextmanager
def progress_shown() -> Iterator[rebuild.Progress]:
    """Each part of the work as a step on the terminal."""
    with steps() as shown, ExitStack() as running:
        current: dict[str, Step] = {}

        def tell(what: str, done: int, total: int | None) -> None:
            if what not in current:
                running.close()
                current.clear()
                current[what] = running.enter_context(shown.step(_TITLES[what]))
            current[what].rows(done, total)

        yield tell
