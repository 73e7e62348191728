"""A run of mails: nobody waits for another, servers are not hammered, what passes is tried again, and it can be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from rules.loader import load_packs
from tests.awaited import free_port
from tests.posted import DAY, NOW, Inbox, Told, mail_server, make_certificate, server_context
from tests.unit.test_smtp import Door
from tests.unit.test_webhook import SECRET, receiving
from tthc_monitor.delivery import Parcel, deliver
from tthc_monitor.domain.errors import DeliveryError, StoppedError
from tthc_monitor.domain.stopping import Stop
from tthc_monitor.expectations import newest_morning
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.letters import Mail
from tthc_monitor.outputs.metrics import Expectations, exposition
from tthc_monitor.outputs.minute_rate import MinuteRate
from tthc_monitor.settings import load_settings
from tthc_monitor.store import deliveries
from tthc_monitor.store.database import transaction
from tthc_monitor.store.deliveries import Delivery, Key, Order
from tthc_monitor.transport_settings import Channel
from tthc_monitor.web.scrapes import scrape_settings

ONE, TWO, THREE = (f"{name}@mau.example.vn" for name in ("mot", "hai", "ba"))


class Waiting(Stop):
    """Time that passes only while the run waits; what is to happen then happens then."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []
        self.then: list[object] = []

    def wait(self, seconds: float | None = None) -> bool:
        self.waited.append(seconds or 0.0)
        if self.then:
            happens = self.then.pop(0)
            assert callable(happens)
            happens()
        return self.is_set


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def port(inbox: Inbox) -> Iterator[int]:
    with mail_server(inbox) as port:
        yield port


def installation(
    engine: Engine, folder: Path, port: int, more: str = "", digest: str = "transport: smtp"
) -> Installation:
    people = ", ".join(f"{{address: {one}}}" for one in (ONE, TWO, THREE))
    (folder / "x.yaml").write_text(
        f"smtp: {{host: 127.0.0.1, port: {port}, security: none, sender: tthc@mau.example.vn, timeout_seconds: 5{more}}}\n"
        f"digest: {{{digest}, recipients: [{people}]}}\n",
        encoding="utf-8",
    )
    settings = load_settings(folder / "x.yaml")
    return Installation(settings, engine, load_packs(("core",), folder), lambda: NOW, folder, Waiting())


def parcels(*addresses: str, channel: Channel = "smtp", mail: Mail | None = None) -> list[Parcel]:
    one = mail or Told()
    return [Parcel(number, address, channel, lambda: one) for number, address in enumerate(addresses, 1)]


def run(here: Installation, *what: Parcel, order: Order = "due") -> tuple[list[tuple[str, str]], DeliveryError | None]:
    """Whom it told what, and how it ended."""
    told: list[tuple[str, str]] = []
    try:
        deliver(
            here, "digest", DAY, what or parcels(ONE, TWO, THREE), order=order, tell=lambda *words: told.append(words)
        )
    except DeliveryError as error:
        return told, error
    return told, None


def waited(here: Installation) -> list[float]:
    assert isinstance(here.stop, Waiting)
    return here.stop.waited


def states(engine: Engine) -> dict[str, Delivery]:
    with transaction(engine) as connection:
        return {one.recipient: one for one in deliveries.of_days(connection, DAY, DAY)}


def taken(inbox: Inbox) -> list[str]:
    return [to for _, (to,) in inbox.envelopes]


def test_all_have_it_once_by_one_connection(engine: Engine, tmp_path: Path, inbox: Inbox, port: int) -> None:
    here = installation(engine, tmp_path, port)
    assert run(here) == ([(ONE, "sent"), (TWO, "sent"), (THREE, "sent")], None)
    assert run(here)[0] == [(one, "already sent today") for one in (ONE, TWO, THREE)]
    assert taken(inbox) == [ONE, TWO, THREE] and len(inbox.connections) == 1
    assert waited(here) == []


def test_of_three_one_is_refused_and_the_others_have_it(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int
) -> None:
    here = installation(engine, tmp_path, port)
    inbox.of = {TWO: f"550 <{TWO}> no such user"}
    told, failed = run(here)
    assert [address for address, words in told if words == "sent"] == [ONE, THREE]
    assert "no such user" in dict(told)[TWO]
    assert failed is not None and failed.permanent
    assert str(failed).startswith("1 of 3 digests were not delivered: recipient 2: ")
    assert TWO not in str(failed), "what is logged and stored of a job names nobody"
    assert {one: row.state for one, row in states(engine).items()} == {ONE: "sent", TWO: "refused", THREE: "sent"}
    assert waited(here) == []
    inbox.of = {}
    assert run(here)[1] is not None, "not again by itself"
    assert run(here, order="again") == (
        [(ONE, "already sent today"), (THREE, "already sent today"), (TWO, "sent")],
        None,
    )
    assert taken(inbox) == [ONE, THREE, TWO]


def test_what_passes_is_tried_again_after_pauses_that_double(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int
) -> None:
    here = installation(engine, tmp_path, port, ", attempts: 4, retry_seconds: 2")
    inbox.answers = ["rcpt 450 greylisted", "451 try later"]
    inbox.of = {TWO: "452 mailbox full"}
    told, failed = run(here)
    assert taken(inbox) == [ONE, THREE]
    assert waited(here) == [2, 4, 8]
    assert failed is not None and not failed.permanent
    assert [address for address, _ in told] == [ONE, THREE, TWO], "each told once"
    assert {one: row.attempts for one, row in states(engine).items()} == {ONE: 2, TWO: 4, THREE: 2}
    assert states(engine)[TWO].state == "failed"


def test_a_server_that_is_away_is_asked_once_a_round_and_the_rest_wait(
    engine: Engine, tmp_path: Path, inbox: Inbox
) -> None:
    port = free_port()
    here = installation(engine, tmp_path, port)
    told, failed = run(here)
    assert failed is not None and not failed.permanent and "recipient 1, 2, 3: " in str(failed)
    assert all("cannot be reached" in words for _, words in told) and len(told) == 3
    assert {one: (row.state, row.attempts) for one, row in states(engine).items()} == {ONE: ("failed", 3)}
    # Ten minutes later, by the tries that the service makes every five.
    assert run(here)[1] is not None
    with mail_server(inbox, port=port):
        assert run(here)[1] is None
    assert sorted(taken(inbox)) == sorted([ONE, TWO, THREE])


def test_a_server_that_comes_back_between_two_rounds_is_found_there(
    engine: Engine, tmp_path: Path, inbox: Inbox
) -> None:
    port = free_port()
    here = installation(engine, tmp_path, port)
    started = mail_server(inbox, port=port)
    assert isinstance(here.stop, Waiting)
    here.stop.then = [started.__enter__]
    try:
        assert run(here)[1] is None
    finally:
        started.__exit__(None, None, None)
    assert taken(inbox) == [ONE, TWO, THREE]
    assert waited(here) == [5]


def test_a_wrong_password_is_shown_once_for_all(engine: Engine, tmp_path: Path, inbox: Inbox) -> None:
    certificate, door = make_certificate(tmp_path), Door()
    options = {"tls_context": server_context(certificate), "authenticator": door, "auth_required": True}
    with mail_server(inbox, **options) as port:
        more = ", username: tthc, password: sai-roi, ca_file: cert.pem"
        here = installation(engine, tmp_path, port, more)
        (tmp_path / "x.yaml").write_text(
            (tmp_path / "x.yaml").read_text().replace("security: none", "security: starttls"), encoding="utf-8"
        )
        here = replace(here, settings=load_settings(tmp_path / "x.yaml"))
        _, failed = run(here)
        assert failed is not None and failed.permanent and "535" in str(failed) and "sai-roi" not in str(failed)
        assert door.asked == 1
        assert {row.state for row in states(engine).values()} == {"refused"} and len(states(engine)) == 3
        good = (tmp_path / "x.yaml").read_text().replace("sai-roi", "mat-khau")
        (tmp_path / "x.yaml").write_text(good, encoding="utf-8")
        assert run(replace(here, settings=load_settings(tmp_path / "x.yaml")), order="again")[1] is None
    assert len(inbox.taken) == 3


def test_what_is_in_doubt_is_told_and_the_others_have_it(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int
) -> None:
    here = installation(engine, tmp_path, port)
    inbox.answers = ["hang up"]
    _, failed = run(here)
    assert failed is not None and failed.permanent and "nobody knows whether it was delivered" in str(failed)
    assert {one: row.state for one, row in states(engine).items()} == {ONE: "in_doubt", TWO: "sent", THREE: "sent"}
    told, failed = run(here)
    assert dict(told)[ONE] == "in doubt since earlier today" and failed is not None and failed.permanent
    assert taken(inbox) == [TWO, THREE]


def test_a_rate_is_kept_by_waiting_between_mails_and_no_claim_is_held_meanwhile(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = installation(engine, tmp_path, port, ", rate_per_minute: 2")
    assert isinstance(here.stop, Waiting)
    rate = MinuteRate(lambda: sum(waited(here)))
    monkeypatch.setattr("tthc_monitor.outputs.smtp.rate_of", lambda _server: rate)
    here.stop.then = [lambda: seen.append(set(states(engine)))]
    seen: list[set[str]] = []
    assert run(here)[1] is None
    assert waited(here) == [60]
    assert seen == [{ONE, TWO}], "the third is not claimed while it waits"
    assert run(here)[0] == [(one, "already sent today") for one in (ONE, TWO, THREE)]
    assert waited(here) == [60], "who has had it is no reason to wait"


def test_asked_to_end_it_ends_its_pause_and_leaves_nothing_claimed(
    engine: Engine, tmp_path: Path, inbox: Inbox
) -> None:
    here = installation(engine, tmp_path, free_port())
    assert isinstance(here.stop, Waiting)
    here.stop.then = [lambda: here.stop.set("the service stops")]
    with pytest.raises(StoppedError, match="the service stops"):
        deliver(here, "digest", DAY, parcels(ONE, TWO))
    assert {row.state for row in states(engine).values()} == {"failed"}


def test_each_channel_has_its_own_fate(engine: Engine, tmp_path: Path) -> None:
    here = installation(engine, tmp_path, free_port(), ", attempts: 1")
    what = [*parcels(ONE), *parcels(TWO, channel="directory"), *parcels(THREE, channel="none")]
    told, failed = run(here, *what)
    assert dict(told)[TWO] == "sent" and dict(told)[THREE] == "discarded, as mail is switched off"
    assert failed is not None and "cannot be reached" in dict(told)[ONE]
    assert {one: (row.state, row.channel) for one, row in states(engine).items()} == {
        ONE: ("failed", "smtp"),
        TWO: ("sent", "directory"),
    }


def test_a_webhook_that_wants_peace_gets_it_and_what_broke_off_is_posted_again_under_its_id(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    with receiving() as receiver:
        here = installation(engine, tmp_path, 25)
        webhook = f"webhook: {{url: '{receiver.url}', secret_file: secret, attempts: 4}}\n"
        (tmp_path / "x.yaml").write_text((tmp_path / "x.yaml").read_text() + webhook, encoding="utf-8")
        here = replace(here, settings=load_settings(tmp_path / "x.yaml"))
        receiver.answers = [(429, {"Retry-After": "40"}), (0, {}), (204, {}), (422, {})]
        told, failed = run(here, *parcels(ONE, TWO, THREE, channel="webhook"))
        posted = {one["recipient"] for one in receiver.kept.values()}
    assert waited(here) == [40, 10]
    assert posted == {ONE, THREE} and dict(told)[ONE] == "sent"
    assert failed is not None and "HTTP 422" in dict(told)[TWO], "of that one it wants nothing"
    assert {one: (row.state, row.answer) for one, row in states(engine).items()} == {
        ONE: ("sent", "HTTP 204"),
        TWO: ("refused", None),
        THREE: ("sent", "HTTP 204"),
    }


@pytest.mark.parametrize(("wait", "pauses"), [(0, [50, 100, 120, 120]), (121, [])])
def test_all_attempts_are_made_with_pauses_of_two_minutes_at_most_unless_the_server_wants_more(
    engine: Engine, tmp_path: Path, wait: int, pauses: list[float]
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    with receiving() as receiver:
        here = installation(engine, tmp_path, 25)
        webhook = f"webhook: {{url: '{receiver.url}', secret_file: secret, attempts: 5, retry_seconds: 50}}\n"
        (tmp_path / "x.yaml").write_text((tmp_path / "x.yaml").read_text() + webhook, encoding="utf-8")
        here = replace(here, settings=load_settings(tmp_path / "x.yaml"))
        receiver.answers = [(429, {"Retry-After": str(wait)} if wait else {}) for _ in range(5)]
        _, failed = run(here, *parcels(ONE, channel="webhook"))
    assert waited(here) == pauses
    assert failed is not None and not failed.permanent


def test_a_channel_that_cannot_be_opened_keeps_nobody_else_waiting(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int
) -> None:
    here = installation(engine, tmp_path, port)
    webhook = "webhook: {url: 'https://x.example.vn/', secret_file: none}\n"
    (tmp_path / "x.yaml").write_text((tmp_path / "x.yaml").read_text() + webhook, encoding="utf-8")
    here = replace(here, settings=load_settings(tmp_path / "x.yaml"))
    for _ in range(2):
        told, failed = run(here, *parcels(ONE, channel="webhook"), *parcels(TWO, THREE))
        assert failed is not None and "1 of 3" in str(failed) and "webhook.secret" in str(failed)
        assert "webhook.secret" in dict(told)[ONE] and not failed.permanent
    assert taken(inbox) == [TWO, THREE]
    found = states(engine)
    assert (found[ONE].state, found[ONE].attempts, found[TWO].state) == ("failed", 0, "sent")
    assert "webhook.secret" in str(found[ONE].error)
    with receiving() as receiver:
        (tmp_path / "none").write_bytes(SECRET)
        good = (tmp_path / "x.yaml").read_text().replace("https://x.example.vn/", receiver.url)
        (tmp_path / "x.yaml").write_text(good, encoding="utf-8")
        here = replace(here, settings=load_settings(tmp_path / "x.yaml"))
        assert run(here, *parcels(ONE, channel="webhook"))[1] is None


def test_no_address_reaches_errors_of_jobs(engine: Engine, tmp_path: Path, inbox: Inbox, port: int) -> None:
    here = installation(engine, tmp_path, port)
    inbox.of = {TWO: f'550 <ong.b@khac.vn>: from <{TWO}>, "bà a"@khac.vn (xem a@b.vn) unknown'}
    _, failed = run(here)
    assert "@" not in str(failed) and "unknown; check the address" in str(failed) and "khac.vn" not in str(failed)


@pytest.mark.parametrize(("becomes", "fine"), [("sent", True), ("failed", False), (None, False)])
def test_what_another_process_was_sending_is_looked_at_again_at_the_end(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int, becomes: deliveries.Result | None, fine: bool
) -> None:
    here = installation(engine, tmp_path, port)
    key = Key("digest", TWO, DAY, "smtp", str(uuid4()))
    with transaction(engine) as connection:
        lasts = timedelta(minutes=5)
        assert deliveries.claim(connection, key, message_id="<x@y>", now=NOW, lasts=lasts) is None

    def done() -> None:
        if becomes is not None:
            with transaction(engine) as connection:
                deliveries.record(connection, key, becomes, NOW)

    assert isinstance(here.stop, Waiting)
    here.stop.then = [lambda: None, done]
    told, failed = run(here)
    assert (failed is None) is fine and taken(inbox) == [ONE, THREE]
    assert [address for address, _ in told] == [ONE, THREE, TWO], "each told once"
    assert sum(waited(here)) <= 10 and (len(waited(here)) == 2) is (becomes is not None)


def test_who_wants_none_and_who_needs_none_are_recorded_and_get_none(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int
) -> None:
    here = installation(engine, tmp_path, port)
    first, second, third = parcels(ONE, TWO, THREE)
    what = (replace(first, unsubscribed=True), replace(second, make=lambda: None), third)
    told, failed = run(here, *what)
    assert failed is None and taken(inbox) == [THREE]
    assert "subscribe" in dict(told)[ONE] and "nothing needs action" in dict(told)[TWO]
    run(here, *what)
    assert {one: (row.state, row.attempts) for one, row in states(engine).items()} == {
        ONE: ("unsubscribed", 0),
        TWO: ("nothing", 0),
        THREE: ("sent", 1),
    }
    with engine.connect() as connection:
        totals = connection.execute(
            text("SELECT labels[3], value FROM tthc.metric_totals WHERE metric = :name"), {"name": deliveries.METRIC}
        )
        assert {row[0]: row[1] for row in totals} == {"unsubscribed": 1, "nothing": 1, "sent": 1}, "each once a day"
    # Later that day there is something to tell, and somebody wants it again.
    assert run(here)[1] is None
    assert sorted(taken(inbox)) == sorted([ONE, TWO, THREE])


def figures(here: Installation, now: datetime) -> dict[str, float]:
    settings = replace(scrape_settings(here), now=lambda: now)
    lines = exposition(here.engine, settings).decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_metrics_tell_how_many_have_the_newest_digest_until_the_next_one(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int
) -> None:
    here = installation(engine, tmp_path, port)
    # NOW is a Tuesday, 07:30.
    assert (figures(here, NOW)["tthc_digest_missing"], figures(here, NOW)["tthc_digest_served"]) == (3, 0)
    inbox.of = {TWO: "550 no such user"}
    run(here)
    for later in (timedelta(0), timedelta(hours=23, minutes=59)):
        told = figures(here, NOW + later)
        assert (told["tthc_digest_missing"], told["tthc_digest_served"]) == (1, 2)
    assert figures(here, NOW + timedelta(days=1))["tthc_digest_missing"] == 3, "the next morning's"
    told = figures(here, NOW)
    assert told['tthc_deliveries_total{channel="smtp",kind="digest",outcome="sent"}'] == 2
    assert told['tthc_deliveries_total{channel="smtp",kind="digest",outcome="refused"}'] == 1
    assert told['tthc_deliveries_total{channel="smtp",kind="escalation",outcome="sent"}'] == 0, (
        "to see the first as one"
    )
    inbox.of = {}
    run(here, order="again")
    assert (figures(here, NOW)["tthc_digest_missing"], figures(here, NOW)["tthc_digest_served"]) == (0, 3)


def test_no_address_and_no_secret_stands_in_the_metrics(
    engine: Engine, tmp_path: Path, inbox: Inbox, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = installation(engine, tmp_path, port)
    inbox.of = {TWO: f"550 no such user {TWO}"}
    run(here)
    monkeypatch.setenv("KHOA", secret := "bi-mat-" * 6)
    with (tmp_path / "x.yaml").open("a", encoding="utf-8") as file:
        file.write(
            f"webhook: {{url: 'http://127.0.0.1:1/{secret}', secret: {secret}}}\n"
            "serve: {public_url: 'https://giamsat.example.vn', protect: {token_env: KHOA}}\n"
            f"sources: [{{name: mot, kind: opencps, options: {{url: 'http://127.0.0.1:1', password: {secret}}}}}]\n"
        )
    told = exposition(engine, scrape_settings(replace(here, settings=load_settings(tmp_path / "x.yaml")))).decode()
    assert 'outcome="refused"} 1' in told and "mot" in told
    assert "bi-mat" not in told and "@" not in told
    with engine.connect() as connection:
        assert TWO in str(connection.execute(text("SELECT error FROM tthc.deliveries")).all()), "there it is kept"


def test_over_a_weekend_the_newest_morning_is_that_of_friday(engine: Engine, tmp_path: Path) -> None:
    here = installation(engine, tmp_path, 25)
    sunday = NOW + timedelta(days=5)
    found = newest_morning(here.settings.digest, here.calendars, sunday)
    assert found is not None and found.day.isoformat() == "2026-11-06"
    assert found.recipients == {ONE, TWO, THREE}
    assert newest_morning(replace_transport(here).settings.digest, here.calendars, sunday) is None


def replace_transport(here: Installation) -> Installation:
    digest = here.settings.digest.model_copy(update={"transport": "none"})
    return replace(here, settings=here.settings.model_copy(update={"digest": digest}))


def test_nobody_is_missed_where_nobody_gets_digests() -> None:
    nothing = Expectations(lambda _last, _now: {}, lambda _last, _now: {})
    assert nothing.morning(NOW) is None
