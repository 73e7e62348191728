"""The command line. Errors of ours print one message and exit with their code; see docs/exit-codes.md."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NoReturn
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from rules.examples import check_example
from rules.loader import load_packs, parse_pack
from tthc_monitor import jobs, judging, outbox
from tthc_monitor.commands import audit, calendar, context, procedures, report, rules, sources, units
from tthc_monitor.demo import run_demo
from tthc_monitor.domain.calendar_decreed import decreed_until, warnings
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError, Problem, TthcError
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.evaluate import Order
from tthc_monitor.evaluate import evaluate as run_evaluation
from tthc_monitor.installation import (
    applicant_key,
    data_dir,
    make_connector,
    open_administration,
    open_database,
    open_installation,
    receive_token,
    system_clock,
)
from tthc_monitor.outputs import flags_export
from tthc_monitor.outputs.report_files import make_writer
from tthc_monitor.outputs.transports import DirectoryTransport
from tthc_monitor.scheduler import start_scheduler
from tthc_monitor.serving import WebServer, allow_open_files
from tthc_monitor.settings import DEFAULT_FILE, Settings, SourceSettings, shipped_calendar
from tthc_monitor.store import migrate
from tthc_monitor.store.auditors import create_auditor, not_logged
from tthc_monitor.store.database import transaction
from tthc_monitor.store.logins import create_service
from tthc_monitor.terminal import console, set_up_logging, steps
from tthc_monitor.web import make_app, make_doors, require_doors

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
db = typer.Typer(no_args_is_help=True, help="The database: migrations, logins for the service and for auditors.")
flags = typer.Typer(no_args_is_help=True, help="Verdicts and findings.")
digest = typer.Typer(no_args_is_help=True, help="The morning mail.")
jobs_app = typer.Typer(no_args_is_help=True, help="What the service does by itself.")
for name, part in (
    ("db", db), ("sources", sources.app), ("rules", rules.app), ("flags", flags),
    ("digest", digest), ("report", report.app), ("jobs", jobs_app),
    ("audit", audit.app), ("calendar", calendar.app), ("procedures", procedures.app), ("units", units.app),
):  # fmt: skip
    app.add_typer(part, name=name)

_INTERRUPTED = 130


@app.callback()
def _common(
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="TTHC_CONFIG", help="The configuration file.")
    ] = Path(DEFAULT_FILE),
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="What the log on standard error tells.")
    ] = "warning",
) -> None:
    set_up_logging(log_level)
    context.use_configuration(config)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Do one round, leave the files, exit.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for metrics.txt, digest.html, report.xlsx.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder to keep; by default a new one that vanishes.")] = None,
    port: Annotated[int, typer.Option(help="Port of the pages; 0 takes a free one.", min=0, max=65535)] = 9766,
) -> None:
    """Show everything against a simulated one-stop system; needs no configuration."""
    run_demo(once=once, out=out, data_dir=data_dir, port=port, stop=_stop_on_signals())


@app.command()
def serve() -> None:
    """Run the service: pull, judge, send and show, until stopped."""
    stop = _stop_on_signals()
    allow_open_files()
    with open_installation(context.settings()) as installation:
        installation.record_configuration()
        part = installation.settings.serve
        pages = make_app(
            installation.engine,
            zone=installation.settings.zone,
            max_series=part.max_series,
            decreed_until=decreed_until(installation.settings.calendar),
            doors=make_doors(installation),
        )
        with WebServer(pages, part.host, part.port) as web:
            scheduler = start_scheduler(installation)
            console.print(f"serving on {web.url}", highlight=False)
            stop.wait()
            console.print("stopping; Ctrl-C or SIGTERM again does not wait for running jobs", soft_wrap=True)
            scheduler.shutdown()


def _stop_on_signals() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set; a second one of either ends the program without waiting for jobs."""
    stop, at_once = threading.Event(), threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if not stop.is_set():
            stop.set()
        elif not at_once.is_set():
            # Once only: what is cleaned up on the way out, a third signal must not leave half done.
            at_once.set()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


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
    attempt(lambda: outbox.make_transport(settings, data_dir(settings)))
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


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the migration that this version needs."""
    with open_database(context.settings(), as_migrator=True) as engine:
        typer.echo(f"database at migration {migrate.upgrade(engine)}")


@db.command("status")
def db_status() -> None:
    """Tell which migration the database is at and which this version needs."""
    with open_database(context.settings()) as engine, transaction(engine) as connection:
        typer.echo(
            f"database at migration {migrate.current(connection) or 'none'}, this version needs {migrate.head()}"
        )


@db.command("auditor")
def db_auditor(
    name: Annotated[str, typer.Argument(help="Name of the login.")],
    unit: Annotated[
        list[str] | None, typer.Option(help="Code of a unit: only it and the units below it are seen; may be repeated.")
    ] = None,
) -> None:
    """Make a login that may only read schema audit, and print its address; again gives it a new password."""
    settings = context.settings()
    with open_administration(settings) as engine, transaction(engine) as connection:
        url = create_auditor(connection, engine.url, name, tuple(unit or ()))
        missing = not_logged(connection, name)
    typer.echo(url.render_as_string(hide_password=False))
    if missing:
        console.print(
            f"the server's log will not tell all that {name} asks, login {engine.url.username} may not set "
            f"{', '.join(missing)}; a superuser can, as docs/database-roles.md says",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip
    if settings.database.migration_url is None and settings.database.url is None:
        console.print(
            "this address answers on this machine only (127.0.0.1), and while `tthc-monitor serve` runs; for auditors at other "
            "desks set up a server of your own, as docs/database-roles.md says",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip


@db.command("service")
def db_service(name: Annotated[str, typer.Argument(help="Name of the login.")]) -> None:
    """Make a login for the service with the rights it needs, and print its address; again gives it a new password."""
    with open_administration(context.settings()) as engine, transaction(engine) as connection:
        url = create_service(connection, engine.url, name)
    typer.echo(url.render_as_string(hide_password=False))


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


@digest.command("render")
def digest_render(
    out: Annotated[Path, typer.Option(help="Folder for the mails, as .html and .eml.")],
    unit: Annotated[list[str] | None, typer.Option(help="Unit codes; by default every recipient's.")] = None,
) -> None:
    """Write the digests of this moment to a folder; nobody is sent anything and nothing is recorded."""
    with open_installation(context.settings()) as installation:
        for path in outbox.render_digests(installation, DirectoryTransport(out), tuple(unit or ())):
            typer.echo(str(path))


@digest.command("send")
def digest_send() -> None:
    """Send today's digests to those who have not had them, and tell what came of each."""
    with open_installation(context.settings()) as installation:
        outbox.send_digests(installation, lambda address, outcome: typer.echo(f"{address}: {outcome}"), again=True)


@jobs_app.command("list")
def jobs_list() -> None:
    """List the jobs, when they run, and when each last succeeded."""
    with open_installation(context.settings()) as installation, transaction(installation.engine) as connection:
        last: dict[str, datetime] = dict(
            connection.exec_driver_sql("SELECT job, max(finished_at) FROM job_runs WHERE outcome = 'ok' GROUP BY 1")
            .tuples()
            .all()
        )
        zone = ZoneInfo(installation.settings.zone)
        table = Table("job", "when", "last success")
        for job in jobs.all_jobs(installation):
            done = last.get(job.name)
            table.add_row(
                job.name, str(job.schedule), f"{done.astimezone(zone):%Y-%m-%d %H:%M:%S}" if done else "never"
            )
    typer.echo(context.plain(table))


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
