"""A mail is sent once to each recipient of a kind and day, whatever fails, dies or runs at the same time."""

from __future__ import annotations

import email
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email import policy
from email.header import decode_header, make_header
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.posted import DAY, NOW, RECIPIENT, SENDER, Inbox, Told, mail_server
from tthc_monitor.domain.errors import DeliveryError, StoppedError
from tthc_monitor.domain.stopping import Stop, never
from tthc_monitor.outputs.digest_attachment import Attachment
from tthc_monitor.outputs.letters import Letter
from tthc_monitor.outputs.sending import Outcome, send
from tthc_monitor.outputs.smtp import SmtpTransport
from tthc_monitor.outputs.transports import DirectoryTransport, NullTransport, Transport, UnknownDeliveryError
from tthc_monitor.store import deliveries
from tthc_monitor.store.database import transaction
from tthc_monitor.store.deliveries import Delivery, Order

MAIL = Told()


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def smtp(inbox: Inbox) -> Iterator[SmtpTransport]:
    with mail_server(inbox) as port:
        transport = SmtpTransport("127.0.0.1", port, "none", None, None, SENDER, timeout=10)
        yield transport
        transport.close()


def digest(
    engine: Engine, transport: Transport, mail: Told = MAIL, to: str = RECIPIENT, order: Order = "due"
) -> Outcome:
    return send(engine, "digest", to, mail, transport, NOW, order=order)


def delivery(engine: Engine) -> Delivery:
    with transaction(engine) as connection:
        (only,) = deliveries.of_days(connection, DAY, DAY)
    return only


def counted(engine: Engine) -> dict[str, float]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT array_to_string(labels, ' '), value FROM tthc.metric_totals WHERE metric = :name"),
            {"name": deliveries.METRIC},
        )
        return {row[0]: row[1] for row in rows}


def test_the_message_arrives_whole(engine: Engine, smtp: SmtpTransport, inbox: Inbox) -> None:
    assert send(engine, "digest", RECIPIENT, MAIL, smtp, NOW, units=("H99.01",)) == "sent"
    (message,) = inbox.taken
    assert message["Subject"] == MAIL.subject
    assert message["To"] == RECIPIENT
    (raw,) = inbox.raw
    # The newer parser of the standard library adds spaces between encoded words of a name; mail programs do not.
    assert str(make_header(decode_header(email.message_from_bytes(raw)["From"]))) == SENDER
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and html is not None
    assert plain.get_content().split() == MAIL.text.split()
    assert html.get_content().split() == MAIL.html.split()
    done = delivery(engine)
    assert (done.state, done.channel, done.attempts, done.units) == ("sent", "smtp", 1, ("H99.01",))
    assert (done.sent_at, done.error, done.answer) == (NOW, None, "250 OK queued as 1")
    assert done.message_id == message["Message-ID"]
    assert counted(engine) == {"digest smtp sent": 1}


def test_a_second_call_on_the_same_day_sends_nothing(engine: Engine, smtp: SmtpTransport, inbox: Inbox) -> None:
    assert digest(engine, smtp) == "sent"
    assert digest(engine, smtp, to=f" {RECIPIENT.upper()} ") == "already_sent"
    assert digest(engine, smtp, to="khac@mau.example.vn") == "sent"
    assert digest(engine, smtp, replace(MAIL, local_date=DAY + timedelta(days=1))) == "sent"
    assert send(engine, "escalation", RECIPIENT, MAIL, smtp, NOW) == "sent", "another kind is another mail"
    assert len(inbox.taken) == 4


def test_of_many_processes_one_sends(engine: Engine, smtp: SmtpTransport, inbox: Inbox) -> None:
    transports = [replace(smtp) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda one: digest(engine, one), transports))
    for one in transports:
        one.close()
    assert outcomes.count("sent") == 1
    assert set(outcomes) <= {"sent", "already_sent", "in_progress"}
    assert len(inbox.taken) == 1


@pytest.mark.parametrize("answer", ["451 try later", "rcpt 450 mailbox busy"])
def test_a_failure_that_passes_is_recorded_and_tried_again(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox, answer: str
) -> None:
    inbox.answers = [answer]
    with pytest.raises(DeliveryError, match=r"try later|mailbox busy") as failed:
        digest(engine, smtp)
    assert not failed.value.permanent
    assert (delivery(engine).state, delivery(engine).error) == ("failed", str(failed.value))
    assert digest(engine, smtp) == "sent"
    assert (delivery(engine).state, delivery(engine).attempts, delivery(engine).error) == ("sent", 2, None)
    assert counted(engine) == {"digest smtp failed": 1, "digest smtp sent": 1}


@pytest.mark.parametrize("answer", ["554 refused", "rcpt 550 no such user"])
def test_a_failure_for_good_is_not_tried_again_unless_asked(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox, answer: str
) -> None:
    inbox.answers = [answer]
    with pytest.raises(DeliveryError, match=r"refused|no such user") as failed:
        digest(engine, smtp)
    assert failed.value.permanent
    assert delivery(engine).state == "refused"
    assert digest(engine, smtp) == "refused"
    assert inbox.taken == []
    assert digest(engine, smtp, order="again") == "sent"
    assert digest(engine, smtp, order="again") == "already_sent"
    assert counted(engine) == {"digest smtp refused": 1, "digest smtp sent": 1}


def left_by_a_dead_process(
    engine: Engine, lapses: timedelta, *, handing_over: bool = False, channel: str = "smtp"
) -> None:
    """A claim that somebody made and will not come back to."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.deliveries (recipient, kind, local_date, claimed_at, claim, lease_until, handing_over_at, "
                "channel) VALUES (:to, 'digest', :day, :at, gen_random_uuid(), clock_timestamp() + :lapses, :begun, :channel)"
            ),
            {
                "to": RECIPIENT,
                "day": DAY,
                "at": NOW,
                "lapses": lapses,
                "begun": NOW if handing_over else None,
                "channel": channel,
            },
        )


@pytest.mark.parametrize("clock", [timedelta(days=-3), timedelta(0), timedelta(days=3)])
def test_a_claim_lapses_by_the_clock_of_the_server_whatever_the_process_believes(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox, clock: timedelta
) -> None:
    left_by_a_dead_process(engine, timedelta(minutes=1))
    assert send(engine, "digest", RECIPIENT, MAIL, smtp, NOW + clock) == "in_progress"
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.deliveries SET lease_until = clock_timestamp()"))
    assert send(engine, "digest", RECIPIENT, MAIL, smtp, NOW + clock) == "sent"
    assert len(inbox.taken) == 1


def test_what_was_being_handed_over_when_its_process_died_goes_out_again_only_by_order(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox
) -> None:
    left_by_a_dead_process(engine, timedelta(0), handing_over=True)
    assert delivery(engine).state == "in_doubt"
    with pytest.raises(UnknownDeliveryError, match=r"nobody knows whether it was delivered.*digest send") as doubted:
        digest(engine, smtp)
    assert doubted.value.permanent
    done = delivery(engine)
    assert done.state == "in_doubt" and str(done.error).startswith("a process ended while")
    assert digest(engine, smtp) == "in_doubt"
    assert inbox.taken == []
    assert digest(engine, smtp, order="again") == "sent"
    assert delivery(engine).state == "sent"
    assert counted(engine) == {"digest smtp in_doubt": 1, "digest smtp sent": 1}


def test_into_a_folder_the_same_mail_is_written_again_over_itself(engine: Engine, tmp_path: Path) -> None:
    left_by_a_dead_process(engine, timedelta(0), handing_over=True, channel="directory")
    assert digest(engine, DirectoryTransport(tmp_path)) == "sent"
    assert len(list(tmp_path.glob("*.eml"))) == 1


def test_what_is_in_doubt_by_one_channel_is_not_repeated_by_another_that_may_repeat_its_own(
    engine: Engine, tmp_path: Path
) -> None:
    left_by_a_dead_process(engine, timedelta(0), handing_over=True, channel="smtp")
    with pytest.raises(UnknownDeliveryError):
        digest(engine, DirectoryTransport(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_breaks_off_while_it_takes_the_mail_leaves_it_in_doubt(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox
) -> None:
    inbox.answers = ["hang up"]
    with pytest.raises(UnknownDeliveryError, match="broke off while it was taking the mail"):
        digest(engine, smtp)
    assert digest(engine, smtp) == "in_doubt"
    assert inbox.taken == []


def test_asked_to_end_before_the_text_left_it_is_recorded_as_failed_and_the_next_run_sends_it(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox
) -> None:
    stop = Stop()
    inbox.before_rcpt = lambda _address: stop.set("the service stops")
    with pytest.raises(StoppedError):
        digest(engine, replace(smtp, check=stop.check))
    assert delivery(engine).state == "failed" and inbox.taken == []
    inbox.before_rcpt = None
    assert digest(engine, smtp) == "sent"


def test_a_process_that_slept_through_its_claim_hands_nothing_over(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox
) -> None:
    slept = threading.Event()

    def take_over(_: str) -> None:
        if not slept.is_set():
            slept.set()
            with engine.begin() as connection:
                connection.execute(text("UPDATE tthc.deliveries SET lease_until = clock_timestamp()"))
            other = replace(smtp)
            assert digest(engine, other) == "sent"
            other.close()

    inbox.before_rcpt = take_over
    with pytest.raises(DeliveryError, match="another process has taken the mail over"):
        digest(engine, smtp)
    assert slept.is_set() and len(inbox.taken) == 1
    assert delivery(engine).state == "sent"
    assert counted(engine) == {"digest smtp sent": 1}


def test_who_hands_over_slowly_but_well_is_believed_though_another_called_it_in_doubt(
    engine: Engine, smtp: SmtpTransport
) -> None:
    class Slow(DirectoryTransport):
        repeatable = False

        def send(self, letter: Letter, before: Callable[[], None] = never) -> str:
            before()
            with engine.begin() as connection:
                connection.execute(text("UPDATE tthc.deliveries SET lease_until = clock_timestamp()"))
            with pytest.raises(UnknownDeliveryError):
                digest(engine, smtp)
            return "taken"

    assert digest(engine, Slow(Path())) == "sent"
    assert delivery(engine).state == "sent"


def test_a_person_may_have_one_sent_once_more_under_another_id(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox
) -> None:
    assert digest(engine, smtp) == "sent"
    assert digest(engine, smtp, order="again") == "already_sent"
    assert digest(engine, smtp, order="resend") == "sent"
    first, second = (str(message["Message-ID"]) for message in inbox.taken)
    assert first != second, "mail programs drop a second mail of the same id"
    assert (delivery(engine).attempts, delivery(engine).message_id) == (2, second)
    inbox.answers = ["rcpt 450 mailbox busy"]
    with pytest.raises(DeliveryError):
        digest(engine, smtp, order="resend")
    done = delivery(engine)
    assert (done.state, done.attempts) == ("sent", 3), "it was sent all the same"
    assert "mailbox busy" in str(done.error)
    assert digest(engine, smtp) == "already_sent"


@pytest.mark.parametrize("recipient", ["", "nobody", "a@b.vn\nBcc: c@d.vn", "a b@c.vn"])
def test_a_recipient_that_is_no_address_is_refused_for_good(
    engine: Engine, smtp: SmtpTransport, inbox: Inbox, recipient: str
) -> None:
    with pytest.raises(DeliveryError, match="mail address") as failed:
        digest(engine, smtp, to=recipient)
    assert failed.value.permanent
    assert delivery(engine).state == "refused"
    assert inbox.taken == []


def test_a_folder_keeps_the_message_its_html_and_what_is_attached(engine: Engine, tmp_path: Path) -> None:
    transport = DirectoryTransport(tmp_path / "mail")
    mail = replace(MAIL, attachments=(Attachment("../danh-sach.csv", b"ma\n1\n", "text/csv"),))
    assert digest(engine, transport, mail) == "sent"
    assert digest(engine, transport, mail) == "already_sent"
    attached, eml, html = sorted((tmp_path / "mail").iterdir())
    assert (attached.suffix, eml.suffix, html.suffix) == (".csv", ".eml", ".html")
    assert eml.stem.startswith("digest-2026-11-03-van-phong-")
    assert attached.name == f"{eml.stem}-danh-sach.csv" and attached.read_bytes() == b"ma\n1\n"
    message = email.message_from_bytes(eml.read_bytes(), policy=policy.default)
    assert message["Subject"] == MAIL.subject
    assert html.read_text() == MAIL.html


def test_a_folder_that_cannot_be_made_is_an_error_that_passes(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match="cannot be written") as failed:
        digest(engine, DirectoryTransport(tmp_path / "file" / "mail"))
    assert not failed.value.permanent


def test_mail_switched_off_records_nothing_as_sent(engine: Engine, smtp: SmtpTransport) -> None:
    assert digest(engine, NullTransport()) == "discarded"
    assert digest(engine, smtp) == "sent"


def test_auditors_see_that_it_went_and_not_to_whom(engine: Engine, smtp: SmtpTransport, inbox: Inbox) -> None:
    inbox.of = {"mot@mau.example.vn": "550 no such user <mot@mau.example.vn>"}
    send(engine, "digest", RECIPIENT, MAIL, smtp, NOW, units=("H99.01",))
    with pytest.raises(DeliveryError):
        digest(engine, smtp, to="mot@mau.example.vn")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM audit.deliveries ORDER BY sent_at")).mappings().all()
    assert [(row["kind"], row["outcome"], row["units"], row["attempts"]) for row in rows] == [
        ("digest", "sent", ["H99.01"], 1),
        ("digest", "refused", [], 1),
    ]
    assert rows[0]["counts"] == {"overdue": 4, "due_today": 1}
    assert "mau.example.vn" not in str(rows) and "mot" not in str(rows) and "van-phong" not in str(rows)


@pytest.mark.parametrize(
    ("handing_over", "lapses", "state"),
    [(True, timedelta(0), "in_doubt"), (False, timedelta(0), "failed"), (True, timedelta(hours=1), "under_way")],
)
def test_auditors_and_operators_are_told_the_same_of_what_died(
    engine: Engine, handing_over: bool, lapses: timedelta, state: str
) -> None:
    left_by_a_dead_process(engine, lapses, handing_over=handing_over)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT outcome FROM audit.deliveries")) == delivery(engine).state == state
