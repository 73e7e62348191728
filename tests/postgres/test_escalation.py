"""What superiors are told and when: two weeks around Tết with a swapped Saturday, promises, changes, outages, and the mail."""

from __future__ import annotations

import email
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email import policy
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from rules.loader import load_packs
from tests.postgres.test_ledger import query, record, take
from tthc_monitor import judging
from tthc_monitor.domain.errors import DeliveryError
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import all_jobs, run_if_due
from tthc_monitor.outbox_digest import send_digests
from tthc_monitor.outputs.escalation import Case, Escalation, UnitCases
from tthc_monitor.outputs.escalation_mail import render_escalation
from tthc_monitor.outputs.transfer import LARGEST, encoded_size
from tthc_monitor.settings import load_settings
from tthc_monitor.store.acknowledgements import Acknowledgement, acknowledge, opt_out
from tthc_monitor.store.database import transaction
from tthc_monitor.turns import escalations_on
from tthc_monitor.web.answers import FURTHEST

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
HEAD, BRANCH, ABOVE = "giamdoc@mau.example.vn", "chinhanh@mau.example.vn", "chutich@mau.example.vn"
# Tết from Monday the 16th to Friday the 20th; Saturday the 14th is worked for some other day; a branch works Saturdays.
CONFIG = f"""
data_dir: .
calendar: lich.yaml
rules: {{packs: [core]}}
digest:
  transport: directory
  directory: thu
  recipients:
    - {{address: {HEAD}, units: [H99.01], role: head, superior: {ABOVE}, escalate_after_days: 3}}
    - {{address: {BRANCH}, units: [H99.05], role: head, superior: {ABOVE.upper()}, escalate_after_days: 3}}
"""
CALENDAR = """
name: mau
zone: Asia/Ho_Chi_Minh
week: {mon: &d [["07:30", "11:30"], ["13:30", "17:00"]], tue: *d, wed: *d, thu: *d, fri: *d}
days_off: [2026-02-16, 2026-02-17, 2026-02-18, 2026-02-19, 2026-02-20]
overrides: [{date: 2026-02-14, like: mon, document: CV 1}]
units:
  - {name: thu-bay, codes: [H99.05], week: {mon: *d, tue: *d, wed: *d, thu: *d, fri: *d, sat: *d}}
"""


def at(day: int, time: str = "08:00") -> datetime:
    """A local time of February 2026, as the clock gives it."""
    return datetime.fromisoformat(f"2026-02-{day:02}T{time}:00").replace(tzinfo=HANOI).astimezone(UTC)


@dataclass
class Clock:
    at: datetime

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def installation(service_engine: Engine, tmp_path: Path) -> Installation:
    (tmp_path / "lich.yaml").write_text(CALENDAR, encoding="utf-8")
    (tmp_path / "x.yaml").write_text(CONFIG, encoding="utf-8")
    return opened(service_engine, tmp_path, at(2))


def opened(engine: Engine, folder: Path, now: datetime) -> Installation:
    settings = load_settings(folder / "x.yaml")
    clock = Clock(now)
    return Installation(settings, engine, load_packs(("core",), folder), clock, folder, lease_clock=clock)


def dossier(key: str, unit: str, due: datetime, **more: object) -> dict[str, object]:
    fields = {"code": f"{unit}-{key}", "unit_code": unit, "received_at": at(1), "due_original": due, "due_current": due}
    return record(key, **fields, **more)


A, B, C = (
    dossier("a", "H99.01", at(6, "17:00"), step_name="Thẩm định"),
    dossier("b", "H99.01", at(12, "17:00")),
    dossier("c", "H99.05", at(12, "17:00")),
)


def mornings(installation: Installation, days: Iterable[int]) -> None:
    """The service's job, every day at eight; two processes try."""
    for day in days:
        clock = Clock(at(day))
        here = replace(installation, now=clock, lease_clock=clock)
        (job,) = (one for one in all_jobs(here) if one.name == "digest")
        run_if_due(here, job)
        assert not run_if_due(here, job)


def sent(engine: Engine, kind: str, recipient: str) -> list[int]:
    """The days of February on which somebody got a mail."""
    asked = "SELECT extract(day FROM local_date)::int FROM tthc.deliveries WHERE kind = :kind AND recipient = :to ORDER BY 1"
    return query(engine, asked, kind=kind, to=recipient)


def told(installation: Installation, now: datetime) -> list[tuple[str, int]]:
    """Codes that would be told at an instant, with 1 where one is new; empty when nothing is sent."""
    clock = Clock(now)
    here = replace(installation, now=clock, lease_clock=clock)
    judging.refresh(here)
    with transaction(here.engine) as connection:
        found = escalations_on(here, connection, now)
    return [(case.code, int(case.is_new)) for one in found for unit in one.units for case in unit.cases]


# -- when -----------------------------------------------------------------------------------------------------------


def test_two_weeks_around_tet(installation: Installation) -> None:
    engine = installation.engine
    take(engine, A, B, C, at=at(2))
    mornings(installation, range(9, 24))
    # Each by the calendar of his own units: none at Tết, both on the swapped Saturday, one on his Saturdays too.
    assert sent(engine, "digest", HEAD) == [9, 10, 11, 12, 13, 14, 23]
    assert sent(engine, "digest", BRANCH) == [9, 10, 11, 12, 13, 14, 21, 23]
    # a: the 9th, 10th, 11th. b: 13th, swapped 14th, 23rd. c: 13th, 14th, Saturday 21st, when the office above rests.
    assert sent(engine, "escalation", ABOVE) == [11, 23]
    first, second = (text_of(installation, day) for day in (11, 23))
    assert "H99.01-a" in first and "H99.05" not in first and "1 hồ sơ mới báo cáo." in first
    assert "3 hồ sơ quá hạn" in second and "2 hồ sơ mới báo cáo kể từ thư ngày 11/02/2026" in second
    assert second.index("H99.01: 2 hồ sơ (1 mới)") < second.index("H99.05: 1 hồ sơ (1 mới)")
    assert second.index("H99.01-a") < second.index("H99.01-b") < second.index("H99.05-c")
    assert "Trễ 7 ngày làm việc. Không thay đổi từ 02/02/2026." in second
    # Something happened with a: it is left alone, and told anew three working days later.
    take(engine, A | {"step_name": "Trình ký"}, B, C, at=at(24))
    mornings(installation, range(24, 28))
    assert sent(engine, "escalation", ABOVE) == [11, 23, 27]
    last = text_of(installation, 27)
    assert "1 hồ sơ mới báo cáo" in last and "Không thay đổi từ 24/02/2026. Mới." in last


def text_of(installation: Installation, day: int) -> str:
    (path,) = (installation.data_dir / "thu").glob(f"escalation-2026-02-{day}-*.eml")

    body = email.message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("plain",))
    assert body is not None
    content: str = body.get_content()
    return content


def test_days_without_the_service_lose_nothing(installation: Installation) -> None:
    take(installation.engine, A, B, C, at=at(2))
    mornings(installation, [9, 13, 14])
    assert sent(installation.engine, "escalation", ABOVE) == [13]
    assert "1 hồ sơ mới báo cáo" in text_of(installation, 13)


def test_a_mail_that_could_not_be_handed_over_is_still_news_the_next_day(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    here = replace(installation, now=Clock(at(11)))
    (installation.data_dir / "thu").mkdir()
    (installation.data_dir / "thu" / "chan").write_text("in the way", encoding="utf-8")
    blocked = here.settings.digest.model_copy(update={"directory": "thu/chan"})
    with pytest.raises(DeliveryError, match="1 of 1 escalations were not delivered") as failed:
        send_digests(replace(here, settings=here.settings.model_copy(update={"digest": blocked})))
    assert not any(address in str(failed.value).lower() for address in (HEAD, BRANCH, ABOVE))
    assert told(installation, at(12)) == [("H99.01-a", 1)]


def test_a_channel_that_cannot_be_opened_does_not_keep_superiors_from_being_told(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    here = replace(installation, now=Clock(at(11)))
    recipients = [
        one.model_copy(update={"transport": "webhook"}) if one.address.lower() == HEAD else one
        for one in here.settings.digest.recipients
    ]
    digest = here.settings.digest.model_copy(update={"recipients": recipients})
    with pytest.raises(DeliveryError, match="there is no webhook part"):
        send_digests(replace(here, settings=here.settings.model_copy(update={"digest": digest})))
    assert sent(installation.engine, "escalation", ABOVE) == [11]


def test_nothing_is_told_twice_and_nothing_old_alone(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    mornings(installation, [11])
    assert told(installation, at(11, "16:00")) == []
    assert told(installation, at(12)) == []


def test_who_has_been_told_of_nothing_is_told_of_all(installation: Installation) -> None:
    take(installation.engine, A, B, C, at=at(2))
    mornings(installation, [23])
    assert sent(installation.engine, "escalation", ABOVE) == [23]
    text = (installation.data_dir / "x.yaml").read_text(encoding="utf-8").replace(ABOVE.upper(), "moi@mau.example.vn")
    (installation.data_dir / "x.yaml").write_text(text, encoding="utf-8")
    assert told(opened(installation.engine, installation.data_dir, at(24)), at(24)) == [("H99.05-c", 1)]


def test_what_was_seen_late_is_idle_since_then_only(installation: Installation) -> None:
    take(installation.engine, A, at=at(10))
    assert told(installation, at(12)) == []
    assert told(installation, at(13)) == [("H99.01-a", 1)]


def test_what_ended_or_is_not_late_any_more_is_not_told(installation: Installation) -> None:
    take(installation.engine, A, B, at=at(2))
    assert told(installation, at(23)) == [("H99.01-a", 1), ("H99.01-b", 1)]
    take(installation.engine, A | {"status": 9, "finished_at": at(11)}, B | {"due_current": at(27)}, at=at(12))
    assert told(installation, at(23)) == []


# -- promises -------------------------------------------------------------------------------------------------------


def promise(installation: Installation, noted: datetime, until: date | None, by: str = HEAD) -> None:
    day = noted.astimezone(HANOI).date()
    with transaction(installation.engine) as connection:
        assert acknowledge(connection, Acknowledgement(by, day, noted, ("H99.01",), "head", until))


def test_a_promise_is_silent_until_its_day_and_is_told_when_it_was_not_kept(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    promise(installation, at(10), date(2026, 2, 13))
    assert [told(installation, at(day)) for day in (11, 12)] == [[], []]
    assert told(installation, at(13)) == [("H99.01-a", 1)]
    mornings(installation, [13])
    assert "Đã hẹn xử lý xong trước 13/02/2026. Mới." in text_of(installation, 13)
    # A promise made after it was told holds too.
    promise(installation, at(13, "09:00"), date(2026, 2, 23))
    assert told(installation, at(14)) == []
    assert told(installation, at(23)) == [("H99.01-a", 1)]


def test_to_take_note_without_a_day_changes_nothing(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    promise(installation, at(10), None)
    assert told(installation, at(11)) == [("H99.01-a", 1)]


def test_a_promise_is_about_what_was_overdue_then(installation: Installation) -> None:
    take(installation.engine, A, B, at=at(2))
    promise(installation, at(12, "16:59"), date(2026, 2, 27))
    assert told(installation, at(23)) == [("H99.01-b", 1)]


def test_promise_after_promise_keeps_nobody_silent_longer_than_the_first_could(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    days = [at(10) + timedelta(days=5 * number) for number in range(6)]
    for noted in days:
        promise(installation, noted, noted.astimezone(HANOI).date() + FURTHEST)
    last = at(10) + FURTHEST
    assert told(installation, last - timedelta(days=1)) == []
    assert told(installation, last) == [("H99.01-a", 1)]
    clock = Clock(last)
    send_digests(replace(installation, now=clock, lease_clock=clock))
    (path,) = (installation.data_dir / "thu").glob("escalation-2026-03-12-*.eml")
    for kind in ("plain", "html"):
        body = email.message_from_bytes(path.read_bytes(), policy=policy.default).get_body((kind,))
        assert body is not None and "trước 06/04/2026 (đã hẹn lại nhiều lần)" in body.get_content()
    # Something happens with it: what was promised before is heard, and a new standstill has a new first promise.
    take(installation.engine, A | {"step_name": "Trình ký"}, at=last + timedelta(hours=1))
    promise(installation, last + timedelta(hours=2), date(2026, 4, 10))
    assert told(installation, last + timedelta(days=28)) == []
    assert told(installation, datetime(2026, 4, 10, 1, tzinfo=UTC)) == [("H99.01-a", 1)]


def test_a_promise_of_somebody_else_is_none(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    promise(installation, at(10), date(2026, 2, 27), by="la@mau.example.vn")
    promise(installation, at(10), date(2026, 2, 27), by=BRANCH)
    assert told(installation, at(11)) == [("H99.01-a", 1)]


def test_a_promise_that_is_taken_back_ends_the_silence_and_is_news(installation: Installation) -> None:
    take(installation.engine, A, C, at=at(2))
    promise(installation, at(10), date(2026, 2, 27))
    mornings(installation, [23])
    assert "H99.01-a" not in text_of(installation, 23)
    # Told of the same mail again: without a day, and the day before counts no more.
    with transaction(installation.engine) as connection:
        acknowledge(connection, Acknowledgement(HEAD, date(2026, 2, 10), at(23, "09:00"), ("H99.01",), "head"))
    assert told(installation, at(24)) == [("H99.01-a", 1), ("H99.05-c", 0)]


def test_who_stopped_his_digests_gets_none_and_his_superior_learns_of_it(installation: Installation) -> None:
    take(installation.engine, A, at=at(2))
    with transaction(installation.engine) as connection:
        opt_out(connection, HEAD, at(9, "09:00"))
    lines: list[tuple[str, str]] = []
    send_digests(replace(installation, now=Clock(at(11))), lambda *told: lines.append(told))
    assert lines == [
        (HEAD, "wants no digests; tthc-monitor digest subscribe takes it back"),
        (BRANCH, "sent"),
        (ABOVE, "sent"),
    ]
    assert "Người nhận bản tin của H99.01 đã ngừng nhận bản tin hằng ngày từ 09/02/2026" in text_of(installation, 11)


def test_by_hand_too_nobody_is_served_on_his_day_off_but_by_order(installation: Installation) -> None:
    take(installation.engine, A, B, C, at=at(2))
    for by_order, served in ((False, [BRANCH]), (True, [BRANCH, HEAD, ABOVE])):
        send_digests(replace(installation, now=Clock(at(21))), on_days_off=by_order)
        assert set(query(installation.engine, "SELECT recipient FROM tthc.deliveries")) == set(served)


# -- the mail -------------------------------------------------------------------------------------------------------

LATE = Case("H99.01-1", "Cấp giấy phép xây dựng", "Thẩm định", 12, date(2026, 1, 20), 9, None, True)


def escalation(units: Sequence[UnitCases], **more: object) -> Escalation:
    fields = {"superior": ABOVE, "now": at(23), "zone": "Asia/Ho_Chi_Minh", "since": None, "thresholds": (3, 5)}
    return (
        Escalation(**fields, units=tuple(units), silent=(), ledger_head=None)
        if not more
        else replace(escalation(units), **more)
    )


@pytest.mark.parametrize("units", [1, 3, 400])
def test_however_many_there_are_the_mail_stays_short_and_says_how_many_more(units: int) -> None:
    long = replace(LATE, code="<b>&" * 5_000, procedure="Đ" * 50_000, step="ạ" * 50_000, promised=date(2026, 2, 1))
    of_each = 20_000 // units
    whole = escalation([UnitCases(f"Sở {'Ă' * 4_000} {number}", 1, (long,) * of_each) for number in range(units)])
    mail = render_escalation(replace(whole, silent=(("S" * 9_000, date(2026, 2, 1)),) * 300))
    assert encoded_size(mail.html, mail.text) <= LARGEST
    assert (
        f"{of_each - mail.text.count('Không thay đổi') // min(units, 20):,}".replace(",", ".") in mail.text
        or units == 400
    )
    assert "<b>&" not in mail.html and "295 người nhận khác" in mail.html
    assert ("đơn vị khác" in mail.html) == (units == 400)
    assert len(mail.subject) < 400


def test_the_mail_is_terse_and_official() -> None:
    units = [UnitCases("Sở Xây dựng", 1, (LATE, replace(LATE, code="H99.01-2", is_new=False, step="")))]
    mail = render_escalation(escalation(units, since=date(2026, 2, 11)))
    assert mail.subject == ("[TTHC] 23/02/2026: 2 hồ sơ quá hạn chưa có chuyển biến, 1 mới báo cáo – Sở Xây dựng")
    assert (mail.local_date, mail.counts) == (date(2026, 2, 23), {"dossiers": 2, "new": 1, "units": 1})
    for body in (mail.html, mail.text):
        assert "Kính đề nghị xem xét, chỉ đạo đơn vị xử lý dứt điểm." in body
        assert "Trễ 12 ngày làm việc" in body and "Không thay đổi từ 20/01/2026" in body
    assert "3 hoặc 5 ngày làm việc" in mail.text
    assert "@mau" not in mail.html + mail.text
    assert 'style="' in mail.html and "http" not in mail.html
