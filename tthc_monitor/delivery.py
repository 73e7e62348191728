"""A run of mails of one kind: each to be had once, what fails in a way that passes tried again, nobody kept waiting by another.

Mails go channel by channel. A server that cannot be reached is left alone for the rest of a round; one that does not let us
in is not asked again. Pauses are made between mails, while no claim is held, and end when the run is asked to stop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import structlog

from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.audience import Links
from tthc_monitor.outputs.channels import Channels
from tthc_monitor.outputs.letters import Kind, Mail
from tthc_monitor.outputs.sending import Outcome, send
from tthc_monitor.outputs.transports import IN_DOUBT, ChannelError, Transport
from tthc_monitor.store import deliveries
from tthc_monitor.store.database import transaction
from tthc_monitor.store.deliveries import Key, Order
from tthc_monitor.transport_settings import Channel

log = structlog.get_logger(__name__)

Tell = Callable[[str, str], None]
"""Told an address and what came of its mail, in words."""

_CALLED: Final[dict[Kind, str]] = {"digest": "recipient", "escalation": "superior"}
_LONGEST_WAIT: Final = 120.0
"""Seconds between two tries; a server that asks for longer is left to the next run."""
_LOOKS: Final = 20
_LOOK_SECONDS: Final = 0.5
"""How often, and how far apart, it is looked at the end whether another process has sent what it was sending."""
_ADDRESS: Final = re.compile(r"""(?:<?"[^"\s]*(?: [^"\s]*)*"|\S+)@\S+?([>;:,.)]*)(?=\s|$)""")
_WORDS: Final[dict[Outcome, str]] = {
    "sent": "sent",
    "already_sent": "already sent today",
    "in_progress": "being sent by another process",
    "refused": "refused for good earlier today",
    "in_doubt": "in doubt since earlier today",
    "discarded": "discarded, as mail is switched off",
}


@dataclass(frozen=True)
class Parcel:
    """What one recipient is to get.

    Attributes:
        number: his place in the settings, or among superiors, which logs name him by.
        make: his mail, made when its turn comes; None when there is nothing to tell.
        units: codes of the units that it is about; none: the whole office.
        unsubscribed: he wants none.
    """

    number: int
    address: str
    channel: Channel
    make: Callable[[], Mail | None]
    units: tuple[str, ...] = ()
    links: Links = field(default_factory=Links)
    unsubscribed: bool = False


def deliver(
    installation: Installation,
    kind: Kind,
    day: date,
    parcels: Sequence[Parcel],
    *,
    order: Order = "due",
    tell: Tell | None = None,
) -> None:
    """Send each of the mails unless its recipient has had it; what one fails by does not keep the others waiting.

    Args:
        day: local day that they are for.
        order: what a person wants sent besides what is due.
        tell: told each address, once, and what came of it.

    Raises:
        DeliveryError: some could not be sent, be it that a secret of their channel cannot be read; the message tells why and
            numbers them.
        StoppedError: it was asked to end; what was sent stays sent.
    """
    run = _Run(installation, kind, day, order, tell)
    with Channels(installation.settings, installation.data_dir, installation.stop.check) as channels:
        for channel in dict.fromkeys(parcel.channel for parcel in parcels):
            its = [one for one in parcels if one.channel == channel]
            try:
                transport = channels.transport(channel)
            except ConfigError as error:
                run.without_channel(its, error)
            else:
                run.by_channel(transport, its)
    run.look_again()
    run.end(len(parcels))


class _Run:
    def __init__(self, installation: Installation, kind: Kind, day: date, order: Order, tell: Tell | None) -> None:
        self._installation, self._kind, self._day, self._order, self._tell = installation, kind, day, order, tell
        self._failures: dict[Parcel, DeliveryError] = {}
        self._elsewhere: list[Parcel] = []
        with transaction(installation.engine) as connection:
            held = deliveries.of_days(connection, day, day, kind)
        self._sent = {one.recipient for one in held if one.state == "sent"} if order != "resend" else set()

    def by_channel(self, transport: Transport, parcels: Sequence[Parcel]) -> None:
        waiting = [parcel for parcel in parcels if not self._is_settled(parcel)]
        for attempt in range(1, transport.attempts + 1):
            waiting, wait = self._round(transport, waiting)
            if not waiting or attempt == transport.attempts or wait > _LONGEST_WAIT:
                break
            pause = max(min(transport.retry_seconds * 2 ** (attempt - 1), _LONGEST_WAIT), wait)
            log.info("mails_wait", kind=self._kind, channel=transport.name, waiting=len(waiting), seconds=pause)
            self._installation.stop.wait(pause)
            self._installation.stop.check()
        for parcel in waiting:
            self._told(parcel, f"not delivered: {self._failures[parcel]}")

    def without_channel(self, parcels: Sequence[Parcel], error: ConfigError) -> None:
        """Their channel cannot be opened by the settings: recorded, and tried again by the next run, with what is mended."""
        for parcel in parcels:
            if self._is_settled(parcel):
                continue
            failure = self._failures[parcel] = DeliveryError(str(error))
            self._pass_over(parcel, "failed", str(error))
            self._failed(parcel, failure)

    def look_again(self) -> None:
        """Whoever else was sending some may be done by now: what is sent is well."""
        for look in range(_LOOKS):
            if not self._elsewhere:
                return
            if look:
                self._installation.stop.wait(_LOOK_SECONDS)
                self._installation.stop.check()
            with transaction(self._installation.engine) as connection:
                held = deliveries.of_days(connection, self._day, self._day, self._kind)
            states = {one.recipient: one.state for one in held}
            for parcel in list(self._elsewhere):
                state = states.get(parcel.address.strip().lower())
                if state == "under_way":
                    continue
                self._elsewhere.remove(parcel)
                if state == "sent":
                    del self._failures[parcel]
                    self._told(parcel, "sent by another process", outcome="already_sent")
                else:
                    self._failures[parcel] = DeliveryError(
                        "another process tried and did not send it; see digest status"
                    )
                    self._told(parcel, f"not delivered: {self._failures[parcel]}")
        for parcel in self._elsewhere:
            self._told(parcel, _WORDS["in_progress"], outcome="in_progress")

    def end(self, parcels: int) -> None:
        failures = self._failures
        log.info("mails", kind=self._kind, recipients=parcels, failed=len(failures))
        if not failures:
            return
        places: dict[str, list[int]] = {}
        for parcel, failure in failures.items():
            places.setdefault(_nameless(failure, parcel), []).append(parcel.number)
        reasons = (
            f"{_CALLED[self._kind]} {', '.join(map(str, sorted(of)))}: {reason}" for reason, of in places.items()
        )
        remedy = (
            "Mend the cause and have them sent with: tthc-monitor digest send ADDRESS (one in doubt only where the mail server's "
            "log does not show it)"
            if self._kind == "digest"
            else "The next run tries again"
        )
        raise DeliveryError(
            f"{len(failures)} of {parcels} {self._kind}s were not delivered: {'; '.join(reasons)}. {remedy}",
            permanent=all(failure.permanent for failure in failures.values()),
        )

    def _is_settled(self, parcel: Parcel) -> bool:
        """Whether there is nothing to do, which needs neither a mail to be made nor a server to be waited for."""
        if parcel.address.lower() in self._sent:
            self._told(parcel, _WORDS["already_sent"], outcome="already_sent")
            return True
        if parcel.unsubscribed:
            self._skip(parcel, "unsubscribed", "wants no digests; tthc-monitor digest subscribe takes it back")
            return True
        return False

    def _round(self, transport: Transport, parcels: Sequence[Parcel]) -> tuple[list[Parcel], float]:
        """Try each once.

        Returns:
            those to be tried again, and after how many seconds at least.
        """
        again: list[Parcel] = []
        for place, parcel in enumerate(parcels):
            mail = parcel.make()
            if mail is None:
                self._skip(parcel, "nothing", "not sent: nothing needs action")
                continue
            transport.pause(self._installation.stop)
            try:
                self._one(transport, parcel, mail)
            except ChannelError as error:
                self._failures[parcel] = error
                if not error.permanent:
                    # Whoever comes next would wait as long for nothing.
                    left = parcels[place:]
                    self._failures |= dict.fromkeys(left, error)
                    log.warning("mail_failed", kind=self._kind, recipient=parcel.number, error=_nameless(error, parcel))
                    return [*again, *left], error.wait or 0.0
                self._failed(parcel, error)
            except DeliveryError as error:
                self._failures[parcel] = error
                if error.permanent:
                    self._failed(parcel, error)
                else:
                    log.info("mail_delayed", kind=self._kind, recipient=parcel.number, error=_nameless(error, parcel))
                    again.append(parcel)
        return again, 0.0

    def _one(self, transport: Transport, parcel: Parcel, mail: Mail) -> None:
        here = self._installation
        outcome = send(
            here.engine, self._kind, parcel.address, mail, transport, here.now(),
            units=parcel.units, links=parcel.links, order=self._order,
        )  # fmt: skip
        self._failures.pop(parcel, None)
        # Nobody got it: a run that passes it over has not gone well, and the alarm about it goes on.
        if outcome == "in_progress":
            self._failures[parcel] = DeliveryError("it is with another process; wait for that one")
            self._elsewhere.append(parcel)
            return
        if outcome == "refused":
            self._failures[parcel] = DeliveryError(
                "it was refused for good earlier today; correct the address or what the server said", permanent=True
            )
        elif outcome == "in_doubt":
            self._failures[parcel] = DeliveryError(IN_DOUBT, permanent=True)
        self._told(parcel, _WORDS[outcome], outcome=outcome)

    def _failed(self, parcel: Parcel, error: DeliveryError) -> None:
        log.warning(
            "mail_failed",
            kind=self._kind,
            recipient=parcel.number,
            error=_nameless(error, parcel),
            permanent=error.permanent,
        )
        self._told(parcel, f"not delivered: {error}")

    def _skip(self, parcel: Parcel, result: deliveries.Skipped, words: str) -> None:
        self._pass_over(parcel, result)
        self._told(parcel, words, outcome=result)

    def _pass_over(self, parcel: Parcel, result: deliveries.Skipped, error: str | None = None) -> None:
        key = Key(self._kind, parcel.address.strip().lower(), self._day, parcel.channel, "")
        with transaction(self._installation.engine) as connection:
            deliveries.skip(connection, key, result, self._installation.now(), parcel.units, error=error)

    def _told(self, parcel: Parcel, words: str, *, outcome: str | None = None) -> None:
        # Addresses are people's: the log names the place in the settings.
        if outcome is not None:
            log.info(
                "mail", kind=self._kind, recipient=parcel.number, units=list(parcel.units) or "all", outcome=outcome
            )
        if self._tell is not None:
            self._tell(parcel.address, words)


def _nameless(error: DeliveryError, parcel: Parcel) -> str:
    """What went wrong, without addresses: a server's answer may quote others than the recipient's."""
    words = re.sub(f"<?{re.escape(parcel.address)}>?", "the recipient", str(error), flags=re.IGNORECASE)
    return _ADDRESS.sub(r"an address\1", words)
