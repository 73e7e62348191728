"""Commands about the morning mail: look at it, send it, see to whom it went, send it once more."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from tthc_monitor import outbox_digest
from tthc_monitor.commands import context, digest_people
from tthc_monitor.commands.signals import stop_on_signals
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.expectations import newest_morning
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs.letters import KINDS
from tthc_monitor.store import deliveries
from tthc_monitor.store.database import transaction
from tthc_monitor.store.deliveries import Delivery
from tthc_monitor.store.grounds import first_evaluated
from tthc_monitor.terminal import steps

app = typer.Typer(no_args_is_help=True, help="The morning mail.")
digest_people.add_to(app)

_STATES: Final = {
    "sent": "sent",
    "failed": "failed, to be tried again",
    "refused": "refused for good",
    "in_doubt": "in doubt",
    "unsubscribed": "unsubscribed",
    "nothing": "nothing to tell",
    "under_way": "under way",
}
_WELL: Final = frozenset({"sent", "unsubscribed", "nothing"})


@app.command("preview")
def digest_preview(
    out: Annotated[Path, typer.Option(help="Folder for the mails, as .html and .eml, and what is attached.")] = Path(
        "digest-preview"
    ),
    unit: Annotated[list[str] | None, typer.Option(help="Unit codes: one digest of these.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Address: the digest of this recipient.")] = None,
) -> None:
    """Write the digests of this moment to a folder, by default every recipient's; nothing is sent and nothing recorded."""
    if unit and recipient is not None:
        raise ConfigError("--unit and --recipient both say whose digest it is to be; give one")
    with open_installation(context.settings(), stop=stop_on_signals()) as installation:
        with steps() as shown, shown.step("writing digests"):
            paths = outbox_digest.preview_digests(installation, out, tuple(unit or ()), recipient)
        for path in paths:
            typer.echo(str(path))


@app.command("send")
def digest_send(
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="[ADDRESS]...", help="Only to these; by default to everybody.")
    ] = None,
    on_days_off: Annotated[bool, typer.Option("--on-days-off", help="Also to those who rest today.")] = False,
) -> None:
    """Send today's digest to those who work today and have not had it, also where it was refused or is in doubt."""
    with open_installation(context.settings(), stop=stop_on_signals()) as installation, steps() as shown:
        everybody = len(installation.settings.digest.recipients)
        with shown.step("sending digests") as step:
            done = 0

            def tell(address: str, words: str) -> None:
                nonlocal done
                done += 1
                typer.echo(f"{address}: {words}")
                step.rows(done, max(done, everybody))

            outbox_digest.send_digests(installation, tell, order="again", on_days_off=on_days_off, only=addresses or ())


@app.command("resend")
def digest_resend(
    address: Annotated[str, typer.Argument(help="Whose digest of today; one of digest.recipients.")],
) -> None:
    """Send today's digest to one recipient once more, whatever became of it so far; recorded as another attempt.

    It gets a Message-ID of its own, since mail programs drop a second mail of the same one.
    """
    with open_installation(context.settings(), stop=stop_on_signals()) as installation:
        day = outbox_digest.today(installation)
        with transaction(installation.engine) as connection:
            held = deliveries.of_days(connection, day, day, "digest")
        before = next((one for one in held if one.recipient == address.strip().lower()), None)
        if before is not None and before.state == "sent" and before.sent_at is not None:
            zone = ZoneInfo(installation.settings.zone)
            typer.echo(f"{address} has had it at {_local(before.sent_at, zone)}; it is sent once more")
        elif before is not None and before.state == "in_doubt":
            typer.echo(f"whether {address} has had it nobody knows; it is sent, and may be there twice")
        outbox_digest.resend_digest(installation, address, lambda to, words: typer.echo(f"{to}: {words}"))


@app.command("settle")
def digest_settle(
    address: Annotated[str, typer.Argument(help="Whose mail is in doubt.")],
    delivered: Annotated[
        bool, typer.Option("--delivered", help="The mail server's log shows its Message-ID as taken.")
    ] = False,
    kind: Annotated[str, typer.Option(help="digest or escalation.")] = "digest",
    day: Annotated[
        str | None, typer.Option("--date", help="Day that it was for, such as 2026-11-03; by default today.")
    ] = None,
) -> None:
    """Record that a mail in doubt was delivered, as a person found it in the mail server's log; nothing is sent."""
    if kind not in KINDS:
        raise ConfigError(f"'{kind}' is no kind of mail; give one of {', '.join(KINDS)}")
    if not delivered:
        raise ConfigError(
            "nothing says that it was delivered; give --delivered once the mail server's log shows it, else run: "
            "tthc-monitor digest send ADDRESS"
        )
    with open_installation(context.settings()) as installation:
        of = outbox_digest.today(installation) if day is None else _day(day)
        to = address.strip().lower()
        with transaction(installation.engine) as connection:
            done = deliveries.settle(connection, kind, to, of, installation.now(), "found by hand to be delivered")
        if not done:
            raise ConfigError(f"no {kind} of {of} to '{address}' is in doubt; look at: tthc-monitor digest status")
    typer.echo(f"{to}: {kind} of {of} recorded as sent")


@app.command("status")
def digest_status(
    days: Annotated[int, typer.Option(help="How many days back, today included.", min=1, max=366)] = 1,
    day: Annotated[
        str | None, typer.Option("--date", help="The last of these days, such as 2026-11-03; by default today.")
    ] = None,
) -> None:
    """Who has had the digest: when, by which way, after how many attempts, and what the server said.

    Without --date the newest working morning is always among them. Exit code 1 when its digest is missing to anybody.
    """
    with open_installation(context.settings()) as installation:
        morning = newest_morning(installation.settings.digest, installation.calendars, installation.now())
        last = outbox_digest.today(installation) if day is None else _day(day)
        first = last - timedelta(days=days - 1)
        if morning is not None and day is None:
            first = min(first, morning.day)
        zone, today = ZoneInfo(installation.settings.zone), outbox_digest.today(installation)
        with transaction(installation.engine) as connection:
            held = deliveries.of_days(connection, first, last)
            began = first_evaluated(connection)
    if morning is not None and morning.day < today and (began is None or morning.day < began.astimezone(zone).date()):
        # There was nothing to tell yet.
        morning = None
    if morning is not None and not first <= morning.day <= last:
        morning = None
    of_morning = [one for one in held if morning and one.kind == "digest" and one.local_date == morning.day]
    table = Table("day", "recipient", "units", "kind", "state", "when", "by", "attempts", "server's answer, or why not")
    if morning is not None:
        for address in sorted(morning.recipients - {one.recipient for one in of_morning}):
            table.add_row(f"{morning.day}", escape(address), "", "digest", "missing", "", "", "0", "not tried yet")
    for one in held:
        table.add_row(*_row(one, zone))
    typer.echo(context.plain(table) if table.row_count else f"no mails from {first} to {last}")
    if morning is None:
        return
    lacking = len(morning.recipients - {one.recipient for one in of_morning if _is_well(one)})
    if lacking:
        remedy = (
            "mend the cause, then run: tthc-monitor digest send, which sends also what is in doubt; digest send ADDRESS keeps to one"
            if morning.day == today
            else "it cannot be made up any more; mend the cause before the next one"
        )
        typer.echo(
            f"the digest of {morning.day} is missing to {lacking} of {len(morning.recipients)}; {remedy}", err=True
        )
        raise typer.Exit(1)


def _is_well(one: Delivery) -> bool:
    return one.state in _WELL or one.sent_at is not None


def _row(one: Delivery, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        f"{one.local_date}",
        escape(one.recipient),
        escape(", ".join(one.units)) or "all",
        one.kind,
        _STATES[one.state],
        _local(one.sent_at or one.tried_at, zone),
        one.channel or "",
        str(one.attempts),
        escape(one.error or one.answer or ""),
    )


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ConfigError(f"'{written}' is no day; write it as 2026-11-03") from None
