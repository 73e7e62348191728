"""The command line. Errors of ours print one message and exit with their code; see docs/exit-codes.md."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NoReturn
from zoneinfo import ZoneInfo

import typer

from rules.examples import check_example
from rules.loader import load_packs, parse_pack
from tthc_monitor import judging
from tthc_monitor.commands import (
    audit,
    calendar,
    causes,
    context,
    database,
    digest,
    jobs,
    metrics,
    procedures,
    published,
    report,
    rules,
    service,
    sources,
    units,
)
from tthc_monitor.commands.signals import stop_on_signals
from tthc_monitor.demo import run_demo
from tthc_monitor.domain.calendar_decreed import warnings
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError, Problem, TthcError
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.evaluate import Order
from tthc_monitor.evaluate import evaluate as run_evaluation
from tthc_monitor.installation import (
    applicant_key,
    data_dir,
    digest_key,
    make_connector,
    open_installation,
    receive_token,
    system_clock,
)
from tthc_monitor.outputs import flags_export
from tthc_monitor.outputs.cause_list import load_causes
from tthc_monitor.outputs.channels import make_transport
from tthc_monitor.outputs.report_files import make_writer
from tthc_monitor.outputs.report_heads_file import read_heads
from tthc_monitor.outputs.report_index_items import read_indices
from tthc_monitor.settings import DEFAULT_FILE, Settings, SourceSettings, shipped_calendar
from tthc_monitor.store.database import transaction
from tthc_monitor.terminal import console, set_up_logging, steps
from tthc_monitor.web import make_protection, require_doors

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
flags = typer.Typer(no_args_is_help=True, help="Verdicts and findings.")
for name, part in (
    ("db", database.app), ("sources", sources.app), ("rules", rules.app), ("flags", flags),
    ("digest", digest.app), ("report", report.app), ("jobs", jobs.app), ("metrics", metrics.app),
    ("audit", audit.app), ("calendar", calendar.app), ("procedures", procedures.app), ("units", units.app),
    ("published", published.app), ("causes", causes.app),
):  # fmt: skip
    app.add_typer(part, name=name)

_INTERRUPTED = 130


@app.callback()
def _common(
    called: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="TTHC_CONFIG", help="The configuration file.")
    ] = Path(DEFAULT_FILE),
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(help="What the log on standard error tells; by default of serve info, else warning."),
    ] = None,
) -> None:
    set_up_logging(log_level or ("info" if called.invoked_subcommand == "serve" else "warning"))
    context.use_configuration(config)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Do one round, leave the files, exit.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for metrics.txt, digest.html, report.xlsx.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder to keep; by default a new one that vanishes.")] = None,
    port: Annotated[int, typer.Option(help="Port of the pages; 0 takes a free one.", min=0, max=65535)] = 9766,
) -> None:
    """Show everything against a simulated one-stop system; needs no configuration."""
    run_demo(once=once, out=out, data_dir=data_dir, port=port, stop=stop_on_signals())


@app.command()
def serve(
    role: Annotated[
        service.Role,
        typer.Option(help="web: pages, doors and metrics, no jobs; worker: jobs, with health pages only; all: both."),
    ] = "all",
) -> None:
    """Run the service: pull, judge, send and show, until stopped. Any number of them may share a database."""
    service.serve(context.settings(), role, stop_on_signals())


@app.command()
def check() -> None:
    """Check configuration, rules, connector options, mail and report template, without touching database, sources or mail server."""
    settings = context.settings()
    problems: list[Problem] = []

    def attempt(part: Callable[[], object]) -> None:
        try:
            part()
        except ConfigError as error:
            problems.extend(error.problems or [Problem(settings.document.file, None, str(error))])

    # The key is tried once by itself, so that its problem does not stand in the way of each source's own.
    keyless = settings.model_copy(update={"applicant_key_file": None, "applicant_keys": ()})
    attempt(lambda: _check_rules(settings))
    attempt(lambda: applicant_key(settings, system_clock()))
    for source in settings.sources:
        attempt(partial(_check_source, keyless, source))
        attempt(partial(receive_token, settings, source))
    attempt(lambda: make_protection(settings))
    attempt(lambda: digest_key(settings))
    channels = {settings.digest.transport, *map(settings.digest.transport_of, settings.digest.recipients)}
    for channel in sorted(channels):
        attempt(partial(make_transport, settings, channel, data_dir(settings)))
    reported = settings.report
    attempt(lambda: load_causes(reported.causes_file, settings.base_dir))
    attempt(lambda: reported.heads_file is None or read_heads(settings.base_dir / reported.heads_file))
    attempt(lambda: read_indices(reported.indices_file, settings.base_dir))
    attempt(lambda: make_writer(settings.report, settings.base_dir, settings.report.formats))
    problems.extend(_recipients_twice(settings))
    if problems:
        raise ConfigError(problems)
    found = load_packs(settings.rules.packs, settings.base_dir)
    typer.echo(f"{settings.document.file}: {len(settings.sources)} sources, {len(found)} rules, all right")
    for warning in warnings(settings.calendar, system_clock().astimezone(ZoneInfo(settings.zone)).date()):
        typer.echo(f"warning: {warning}")


def _check_source(settings: Settings, source: SourceSettings) -> None:
    require_doors(source, make_connector(settings, source, system_clock))


def _check_rules(settings: Settings) -> None:
    """Load the packs and run the worked examples of the office's own; those that are shipped are run by the tests."""
    load_packs(settings.rules.packs, settings.base_dir)
    own = [name for name in settings.rules.packs if name.endswith((".yaml", ".yml"))]
    if not own:
        return
    calendar = validate(CalendarSpec, shipped_calendar("vn")).compile()
    problems = []
    for name in own:
        path = settings.base_dir / name
        for rule in parse_pack(path.read_text(encoding="utf-8"), str(path)):
            for number, example in enumerate(rule.examples, start=1):
                try:
                    said = check_example(rule, example, calendar)
                except ValueError as error:
                    said = f"cannot be tried: {error}"
                if said is not None:
                    told = f"example {number} of rule '{rule.code}': it {said}; correct the example or the rule"
                    problems.append(Problem(str(path), None, told))
    if problems:
        raise ConfigError(problems)


def _recipients_twice(settings: Settings) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for index, recipient in enumerate(settings.digest.recipients):
        address = recipient.address.lower()
        if address in seen:
            line = settings.document.line(("digest", "recipients", index))
            message = f"recipient '{recipient.address}' stands twice and would get the first digest only; remove one"
            problems.append(Problem(settings.document.file, line, message))
        seen.add(address)
    return problems


@app.command()
def pull(
    source: Annotated[list[str] | None, typer.Argument(help="Names of sources; by default all.")] = None,
) -> None:
    """Pull sources now and judge what changed; the short form of sources pull."""
    sources.pull(source or (), dry_run=False, file=None)


@app.command()
def evaluate(
    everything: Annotated[bool, typer.Option("--all", help="Judge every dossier, changed or not.")] = False,
) -> None:
    """Judge the dossiers that changed since they were judged last."""
    _evaluate(everything=everything, order=None)


@app.command()
def recompute(
    person: Annotated[str, typer.Option("--by", help="Who orders it; recorded.")],
    reason: Annotated[str, typer.Option(help="Why; recorded.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Every dossier, not only those a change can touch.")
    ] = False,
) -> None:
    """Apply changed rules, calendar or limits now, on record: who, why, by which versions, what changed."""
    if not person.strip() or not reason.strip():
        raise ConfigError("a recompute needs a person and a reason; give --by and --reason")
    _evaluate(everything=everything, order=Order(person.strip(), reason.strip()))


def _evaluate(*, everything: bool, order: Order | None) -> None:
    with open_installation(context.settings()) as installation:
        installation.record_configuration(order.person if order else None)
        with steps() as shown, shown.step("judging") as step:
            done = run_evaluation(
                installation.engine,
                installation.grounds(),
                now=installation.now,
                everything=everything,
                order=order,
                progress=step.advance,
            )
            judging.snapshot(installation)
        typer.echo(f"{done.dossiers} dossiers judged, {done.opened} flags opened, {done.closed} closed")


@flags.command("export")
def flags_export_command(
    as_of: Annotated[str, typer.Option(help="'now', or an instant such as 2026-10-14T17:00:00+07:00.")] = "now",
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="Form of the table.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="File to write; by default standard output.")] = None,
) -> None:
    """The verdict on every dossier at an instant, with the seconds of lateness."""
    instant = flags_export.parse_instant(as_of, system_clock())
    with open_installation(context.settings()) as installation:
        judging.refresh(installation)
        with transaction(installation.engine) as connection:
            table = flags_export.verdicts(connection, instant, installation.settings.calendar.compile())
    content = flags_export.render(table, form)
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        try:
            out.write_bytes(content)
        except OSError as error:
            raise ConfigError(f"--out {out} cannot be written: {error.strerror}; choose another file") from None


def main() -> None:
    """Entry point of the program."""
    os.environ.setdefault("PYTHONIOENCODING", "utf-8")
    try:
        app(standalone_mode=True)
    except TthcError as error:
        console.print(f"tthc-monitor: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        _leave(error.exit_code)
    except KeyboardInterrupt:
        _leave(_INTERRUPTED)
    except SystemExit as ended:
        _leave(ended.code)


def _leave(code: str | int | None) -> NoReturn:
    """End the process, without waiting for threads that were not over when they should have been.

    Their connections end with the process, and the database rolls back what they had begun.
    """
    # Daemons too: the interpreter joins the threads of pools whatever they are.
    if threading.active_count() > 1 or code == _INTERRUPTED:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
    sys.exit(code)
