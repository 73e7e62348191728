"""The digest of a known world, the mail made of it, and how it is handed over: once, and to a real mail server."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import Engine, text

from tests.awaited import free_port
from tests.postgres.seed import CALENDAR, EXPECTED, NOW, WORLD, ZONE, Dossier, at, seed
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.outputs.digest import Digest, DigestMail, Section, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.mail import make_message, send_digest
from tthc_monitor.outputs.transports import DirectoryTransport, NullTransport, SmtpTransport, UnknownDeliveryError

SENDER = "Trung tâm Phục vụ hành chính công Tỉnh Mẫu và các chi nhánh <tthc@mau.example.vn>"
RECIPIENT = "van-phong@mau.example.vn"
XD = "H99.01"


def facts_of(engine: Engine) -> DigestFacts:
    with engine.connect() as connection:
        return read_digest_facts(connection, NOW, ZONE, CALENDAR)


@pytest.fixture
def facts(engine: Engine) -> DigestFacts:
    with engine.begin() as connection:
        seed(connection)
    return facts_of(engine)


@pytest.fixture
def mail(facts: DigestFacts) -> DigestMail:
    return render_digest(build_digest(facts))


def section(digest: Digest, key: str) -> Section:
    return next(found for found in digest.sections if found.key == key)


def codes(digest: Digest, key: str) -> list[str]:
    return [row.code.rpartition("-")[2] for row in section(digest, key).rows]


# -- what it says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", list(EXPECTED))
def test_counts_of_a_unit_are_those_of_the_world(facts: DigestFacts, unit: str) -> None:
    counts, expected = build_digest(facts, [unit]).counts, EXPECTED[unit]
    assert counts["open"] == expected.open
    assert counts["overdue"] == expected.overdue
    assert counts["due_today"] == expected.due_today
    assert counts["due_soon"] == expected.due_soon
    assert counts["supplement_requested"] == expected.supplement
    assert counts["cannot_tell"] == expected.cannot_tell
    assert counts["slow_reception"] == expected.slow_reception


def test_all_units_together_are_the_sum_of_each(facts: DigestFacts) -> None:
    whole = build_digest(facts)
    assert whole.counts["overdue"] == sum(e.overdue for e in EXPECTED.values()) == 4
    assert {row.name for row in whole.units} >= {"Sở Xây dựng", "Xã Mẫu Hai", "Chưa rõ đơn vị"}
    assert [row.overdue for row in whole.units] == [2, 1, 1, 0, 0]
    assert whole.counts["petitions_overdue"] == 1


def test_lists_are_worst_first(facts: DigestFacts) -> None:
    digest = build_digest(facts)
    due = [row.when for row in section(digest, "overdue").rows]
    assert due == [
        "Hẹn trả 17:00 25/09/2026",
        "Hẹn trả 17:00 27/10/2026",
        "Hẹn trả 17:00 30/10/2026",
        "Hẹn trả 17:00 02/11/2026",
    ]
    assert [row.badge for row in section(digest, "overdue").rows] == [
        "Trễ 27 ngày làm việc",
        "Trễ 5 ngày làm việc",
        "Trễ 2 ngày làm việc",
        "Trễ 1 ngày làm việc",
    ]


def test_each_list_holds_what_belongs_to_it(facts: DigestFacts) -> None:
    digest = build_digest(facts, [XD])
    assert codes(digest, "due_today") == ["0003"]
    assert codes(digest, "due_soon") == ["0004"]
    assert codes(digest, "slow_reception") == ["0013"]
    assert codes(digest, "returned") == ["0011"]
    assert section(digest, "returned").rows[0].badge == "Dừng xử lý"
    assert section(digest, "due_today").rows[0].detail == "Trình ký"
    assert codes(build_digest(facts, ["H99.02"]), "supplement_requested") == ["0002"]


def test_news_is_what_came_since_the_last_working_day(facts: DigestFacts) -> None:
    digest = build_digest(facts)
    assert digest.since.isoformat() == "2026-11-02"
    assert digest.counts["new_overdue"] == 1


def test_a_dossier_late_since_this_morning_is_late_by_less_than_a_day(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, [Dossier("A-1", XD, "1.000001", at("2026-10-20"), at("2026-11-03", "09:00"))])
    row = section(build_digest(facts_of(engine)), "overdue").rows[0]
    assert row.badge == "Trễ dưới 1 ngày làm việc"


def test_a_due_date_in_the_year_1_does_not_stop_the_digest(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, [Dossier("A-1", XD, "1.000001", at("2026-10-20"), at("0002-01-01", "09:00"))])
    assert build_digest(facts_of(engine)).counts["overdue"] == 1


def test_a_long_list_is_cut_and_says_how_many_there_are_besides(facts: DigestFacts) -> None:
    digest = build_digest(facts, max_rows=3)
    assert (len(section(digest, "overdue").rows), section(digest, "overdue").more) == (3, 1)
    rendered = render_digest(digest)
    assert "và 1 hồ sơ khác" in rendered.html
    assert "và 1 hồ sơ khác" in rendered.text


def test_an_empty_store_says_so_instead_of_nothing_late(engine: Engine) -> None:
    digest = build_digest(facts_of(engine))
    assert digest.warnings == ("Chưa lấy dữ liệu từ nguồn nào.",)
    rendered = render_digest(digest)
    assert rendered.subject == "[TTHC] 03/11/2026: không có hồ sơ quá hạn – Toàn bộ đơn vị"
    assert digest.warnings[0] in rendered.html


def test_a_source_that_stopped_is_named_first(engine: Engine, facts: DigestFacts) -> None:
    assert build_digest(facts).warnings == ()
    stale = replace(facts, sources=(("mau", NOW - timedelta(hours=25)), ("moi", None)))
    first, second = build_digest(stale).warnings
    assert "Nguồn “mau” chưa lấy được dữ liệu mới từ 09 giờ 00 ngày 02/11/2026" in first
    assert "Nguồn “moi” chưa lấy được dữ liệu lần nào" in second


def test_a_unit_code_nobody_knows_is_not_passed_off_as_in_time(facts: DigestFacts) -> None:
    digest = build_digest(facts, ["H99.77"])
    assert digest.warnings == ("Chưa có dữ liệu của đơn vị H99.77; đề nghị kiểm tra mã đơn vị.",)


# -- how it reads ---------------------------------------------------------------------------------------------------


class _Shape(HTMLParser):
    """Checks that tags close in order, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tables += tag == "table"
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def test_html_and_text_carry_the_same_headline_in_vietnamese(mail: DigestMail) -> None:
    assert mail.subject == "[TTHC] 03/11/2026: 4 hồ sơ quá hạn đang xử lý, 1 đến hạn hôm nay – Toàn bộ đơn vị"
    shape = _Shape()
    shape.feed(mail.html)
    assert shape.open == [] and shape.tables > 3
    words = " ".join(" ".join(shape.words).split())
    for body in (words, " ".join(mail.text.split())):
        assert "Tính đến 10 giờ 00 ngày 03/11/2026" in body
        assert "Trễ 27 ngày làm việc" in body
        assert "01234567 89abcdef 00000000" in body
        assert "0123456789abcdef0" not in body
    assert "4 quá hạn đang xử lý 1 mới phát sinh" in words
    assert "1 chậm tiếp nhận" in words
    assert "Quá hạn đang xử lý: 4 (mới phát sinh 1)" in " ".join(mail.text.split())


def test_the_style_is_inline_and_nothing_is_loaded(mail: DigestMail) -> None:
    head, _, body = mail.html.partition("<body")
    assert 'style="' in body
    assert 'class="band" bgcolor="#12395b" style=' in body
    assert "@media" in head
    assert "http" not in mail.html and "<img" not in mail.html


def test_what_a_source_wrote_is_never_markup(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, [replace(WORLD[0], code="<script>alert(1)</script>", step="<b>bước</b>")])
    rendered = render_digest(build_digest(facts_of(engine)))
    assert "<script" not in rendered.html and "<b>bước" not in rendered.html
    assert "<script>alert(1)</script>" in rendered.text


def test_thousands_have_dots(facts: DigestFacts) -> None:
    digest = build_digest(facts)
    rendered = render_digest(replace(digest, counts=digest.counts | {"overdue": 37_731}))
    assert "37.731 hồ sơ quá hạn" in rendered.subject
    assert ">37.731<" in rendered.html


# -- how it is handed over ------------------------------------------------------------------------------------------


class Inbox:
    """A handler that keeps what it takes, or answers what it was told to answer."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.answers: list[str] = []
        self.before_rcpt: Callable[[str], None] | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.before_rcpt is not None:
            # Another thread, as another process would be.
            await asyncio.to_thread(self.before_rcpt, address)
        if self.answers and self.answers[0].startswith("rcpt "):
            return self.answers.pop(0).removeprefix("rcpt ")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            answer = self.answers.pop(0)
            if answer == "hang up":
                server.transport.close()
            return answer
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.raw.append(envelope.content)
        return "250 OK"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def smtp(inbox: Inbox) -> Iterator[SmtpTransport]:
    port = free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    yield SmtpTransport("127.0.0.1", port, "none", None, None, SENDER, timeout=10)
    server.stop()


def delivery(engine: Engine) -> tuple[bool, str | None]:
    with engine.connect() as connection:
        sent_at, error = connection.execute(text("SELECT sent_at, error FROM tthc.deliveries")).one()
    return sent_at is not None, error


def test_the_message_arrives_whole(engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox) -> None:
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
    (message,) = inbox.taken
    assert message["Subject"] == mail.subject
    assert message["To"] == RECIPIENT
    (raw,) = inbox.raw
    # The newer parser of the standard library adds spaces between encoded words of a name; mail programs do not.
    assert str(make_header(decode_header(email.message_from_bytes(raw)["From"]))) == SENDER
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@mau.example.vn>")
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and html is not None
    assert plain.get_content().split() == mail.text.split()
    assert html.get_content().split() == mail.html.split()
    assert delivery(engine) == (True, None)


def test_a_second_call_on_the_same_day_sends_nothing(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
    assert send_digest(engine, f" {RECIPIENT.upper()} ", mail, smtp, NOW + timedelta(hours=5)) == "already_sent"
    assert send_digest(engine, "khac@mau.example.vn", mail, smtp, NOW) == "sent"
    tomorrow = replace(mail, local_date=mail.local_date + timedelta(days=1))
    assert send_digest(engine, RECIPIENT, tomorrow, smtp, NOW + timedelta(days=1)) == "sent"
    assert len(inbox.taken) == 3


def test_of_many_processes_one_sends(engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: send_digest(engine, RECIPIENT, mail, smtp, NOW), range(8)))
    assert outcomes.count("sent") == 1
    assert set(outcomes) <= {"sent", "already_sent", "in_progress"}
    assert len(inbox.taken) == 1


@pytest.mark.parametrize("answer", ["451 try later", "rcpt 450 mailbox busy"])
def test_a_failure_that_passes_is_recorded_and_tried_again(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, answer: str
) -> None:
    inbox.answers = [answer]
    with pytest.raises(DeliveryError, match=r"try later|mailbox busy") as failed:
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert not failed.value.permanent
    sent, error = delivery(engine)
    assert not sent and error is not None and error.startswith("transient: ")
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
    assert delivery(engine) == (True, None)


@pytest.mark.parametrize("answer", ["554 refused", "rcpt 550 no such user"])
def test_a_failure_for_good_is_not_tried_again_unless_asked(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, answer: str
) -> None:
    inbox.answers = [answer]
    with pytest.raises(DeliveryError, match=r"refused|no such user") as failed:
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert failed.value.permanent
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "refused"
    assert inbox.taken == []
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW, again=True) == "sent"
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW, again=True) == "already_sent"


def left_by_a_dead_process(engine: Engine, mail: DigestMail, lapses: timedelta, *, handing_over: bool = False) -> None:
    """A claim that somebody made and will not come back to."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.deliveries (recipient, kind, local_date, claimed_at, claim, lease_until, handing_over_at) "
                "VALUES (:to, 'digest', :day, :at, gen_random_uuid(), clock_timestamp() + :lapses, :begun)"
            ),
            {
                "to": RECIPIENT,
                "day": mail.local_date,
                "at": NOW,
                "lapses": lapses,
                "begun": NOW if handing_over else None,
            },
        )


@pytest.mark.parametrize("clock", [timedelta(days=-3), timedelta(0), timedelta(days=3)])
def test_a_claim_lapses_by_the_clock_of_the_server_whatever_the_process_believes(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, clock: timedelta
) -> None:
    left_by_a_dead_process(engine, mail, timedelta(minutes=1))
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW + clock) == "in_progress"
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.deliveries SET lease_until = clock_timestamp()"))
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW + clock) == "sent"
    assert len(inbox.taken) == 1


def test_what_was_being_handed_over_when_its_process_died_goes_out_again_only_by_order(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    left_by_a_dead_process(engine, mail, timedelta(0), handing_over=True)
    with pytest.raises(UnknownDeliveryError, match=r"nobody knows whether it was delivered.*digest send") as doubted:
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert doubted.value.permanent
    sent, error = delivery(engine)
    assert not sent and error is not None and error.startswith("permanent: a process ended while")
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "refused"
    assert inbox.taken == []
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW, again=True) == "sent"
    assert delivery(engine) == (True, None)


def test_into_a_folder_the_same_mail_is_written_again_over_itself(
    engine: Engine, mail: DigestMail, tmp_path: Path
) -> None:
    left_by_a_dead_process(engine, mail, timedelta(0), handing_over=True)
    assert send_digest(engine, RECIPIENT, mail, DirectoryTransport(tmp_path), NOW) == "sent"
    assert len(list(tmp_path.glob("*.eml"))) == 1


def test_a_server_that_breaks_off_while_it_takes_the_mail_leaves_it_in_doubt(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    inbox.answers = ["hang up"]
    with pytest.raises(UnknownDeliveryError, match="broke off while it was taking the mail"):
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "refused"
    assert inbox.taken == []


def test_a_process_that_slept_through_its_claim_hands_nothing_over(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    slept = threading.Event()

    def take_over(_: str) -> None:
        if not slept.is_set():
            slept.set()
            with engine.begin() as connection:
                connection.execute(text("UPDATE tthc.deliveries SET lease_until = clock_timestamp()"))
            assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"

    inbox.before_rcpt = take_over
    with pytest.raises(DeliveryError, match="another process has taken the mail over"):
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert slept.is_set() and len(inbox.taken) == 1
    assert delivery(engine) == (True, None)


def test_no_server_there_is_a_failure_that_passes(mail: DigestMail) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        transport = SmtpTransport("127.0.0.1", probe.getsockname()[1], "none", None, None, "a@b.vn", timeout=5)
        with pytest.raises(DeliveryError, match="cannot be reached") as failed:
            transport.send(make_message(mail, RECIPIENT, transport, NOW))
    assert not failed.value.permanent


def test_a_server_without_encryption_never_gets_the_mail(mail: DigestMail, smtp: SmtpTransport, inbox: Inbox) -> None:
    transport = replace(smtp, security="starttls", username="u", password="p")
    with pytest.raises(DeliveryError, match="STARTTLS") as failed:
        transport.send(make_message(mail, RECIPIENT, transport, NOW))
    assert failed.value.permanent
    assert inbox.taken == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that no system trusts, and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split(), "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def refusal(mail: DigestMail, transport: SmtpTransport) -> str:
    with pytest.raises(DeliveryError) as failed:
        transport.send(make_message(mail, RECIPIENT, transport, NOW))
    assert failed.value.permanent
    return str(failed.value)


def test_after_starttls_the_password_is_checked_and_the_mail_taken(
    mail: DigestMail, inbox: Inbox, certificate: tuple[Path, Path]
) -> None:
    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"tthc", b"mat-khau"), handled=False)

    server = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=server_context(certificate),
        authenticator=check,
        auth_required=True,
    )
    server.start()
    try:
        trusting = SmtpTransport("127.0.0.1", server.port, "starttls", "tthc", "mat-khau", SENDER, 10, certificate[0])
        trusting.send(make_message(mail, RECIPIENT, trusting, NOW))
        wrong = refusal(mail, replace(trusting, password="sai-roi"))
        assert "535" in wrong and "sai-roi" not in wrong
        assert "not trusted" in refusal(mail, replace(trusting, ca_file=None))
        assert len(inbox.taken) == 1
    finally:
        server.stop()


def test_tls_from_the_first_byte(mail: DigestMail, inbox: Inbox, certificate: tuple[Path, Path]) -> None:
    context = server_context(certificate)
    server = Controller(inbox, hostname="127.0.0.1", port=free_port(), ssl_context=context)
    server.start()
    try:
        trusting = SmtpTransport("127.0.0.1", server.port, "tls", None, None, SENDER, 10, certificate[0])
        trusting.send(make_message(mail, RECIPIENT, trusting, NOW))
        assert "not trusted" in refusal(mail, replace(trusting, ca_file=None))
        assert len(inbox.taken) == 1
    finally:
        server.stop()


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both or neither"):
        SmtpTransport("h", 25, "starttls", "u", None, "a@b.vn")
    with pytest.raises(ConfigError, match="clear"):
        SmtpTransport("h", 25, "none", "u", "p", "a@b.vn")
    with pytest.raises(ConfigError, match="ca_file"):
        SmtpTransport("h", 25, "tls", None, None, "a@b.vn", ca_file=tmp_path / "none.pem")
    assert "secret" not in repr(SmtpTransport("h", 25, "tls", "u", "secret", "a@b.vn"))


@pytest.mark.parametrize("recipient", ["", "nobody", "a@b.vn\nBcc: c@d.vn", "a b@c.vn"])
def test_a_recipient_that_is_no_address_is_refused_for_good(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, recipient: str
) -> None:
    with pytest.raises(DeliveryError, match="mail address") as failed:
        send_digest(engine, recipient, mail, smtp, NOW)
    assert failed.value.permanent
    assert inbox.taken == []


@pytest.mark.parametrize("sender", ["", "nobody", "Một, hai <a@b.vn>", "a@b.vn\nBcc: c@d.vn"])
def test_a_sender_that_is_no_address_is_refused_for_good(mail: DigestMail, tmp_path: Path, sender: str) -> None:
    with pytest.raises(DeliveryError, match="mail address") as failed:
        make_message(mail, RECIPIENT, DirectoryTransport(tmp_path, sender), NOW)
    assert failed.value.permanent


def test_a_folder_keeps_the_message_and_its_html(engine: Engine, mail: DigestMail, tmp_path: Path) -> None:
    transport = DirectoryTransport(tmp_path / "mail")
    assert send_digest(engine, RECIPIENT, mail, transport, NOW) == "sent"
    assert send_digest(engine, RECIPIENT, mail, transport, NOW) == "already_sent"
    eml, html = sorted((tmp_path / "mail").iterdir())
    assert (eml.suffix, html.suffix) == (".eml", ".html")
    assert eml.stem.startswith("digest-2026-11-03-van-phong-")
    message = email.message_from_bytes(eml.read_bytes(), policy=policy.default)
    assert message["Subject"] == mail.subject
    assert html.read_text().split() == mail.html.split()


def test_a_folder_that_cannot_be_made_is_an_error(mail: DigestMail, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    transport = DirectoryTransport(tmp_path / "file" / "mail")
    with pytest.raises(DeliveryError, match="cannot be written"):
        transport.send(make_message(mail, RECIPIENT, transport, NOW))


def test_mail_switched_off_records_nothing_as_sent(engine: Engine, mail: DigestMail, smtp: SmtpTransport) -> None:
    assert send_digest(engine, RECIPIENT, mail, NullTransport(), NOW) == "discarded"
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
