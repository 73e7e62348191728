"""Taking note of a digest and stopping them, over real HTTP: who may, what is recorded, and what never is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from tests.end_to_end.program import run
from tests.end_to_end.receiving import Clock, installed, write_settings
from tests.postgres.test_ledger import query
from tthc_monitor.installation import Installation
from tthc_monitor.outbox_digest import send_digests
from tthc_monitor.outputs.links import Token, make_links, mark_of, sign
from tthc_monitor.serving import WebServer
from tthc_monitor.store import database
from tthc_monitor.web import make_app, make_digest_pages, make_protection, scrape_settings
from tthc_monitor.web.access import Patience

KEY = "khóa ký liên kết, ít nhất là ba mươi hai byte"
DAY = date(2026, 11, 3)
MORNING = datetime(2026, 11, 3, 7, 45, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
HEAD, WHOLE = "giamdoc@mau.example.vn", "vanphong@mau.example.vn"
PEOPLE = [
    {"address": HEAD, "units": ["H99.01"], "role": "head", "superior": "chutich@mau.example.vn"},
    {"address": WHOLE, "role": "head"},
]
ROWS = "SELECT recipient, local_date::text, unit_codes, role, done_before::text, note FROM audit.acknowledgements ORDER BY 1, acknowledgement_id"


@dataclass
class Desk:
    """The service with its pages, a client, and the clock of both."""

    installation: Installation
    client: httpx.Client
    clock: Clock

    def path(self, purpose: str, number: int = 0) -> str:
        """The path of a recipient's link."""
        settings = self.installation.settings
        links = make_links(settings, KEY.encode(), settings.digest.recipients[number], DAY)
        link = links.acknowledge if purpose == "acknowledge" else links.unsubscribe
        assert link is not None
        return link.removeprefix("https://giamsat.example.vn")

    @property
    def recorded(self) -> list[tuple[object, ...]]:
        """All that was answered."""
        return query(self.installation.engine, ROWS)


def settings_file(folder: Path, **more: object) -> Path:
    (folder / "khoa").write_text(KEY, encoding="utf-8")
    digest = {
        "acknowledge": {"key_file": "khoa"},
        "unsubscribe": "link",
        "transport": "directory",
        "all_clear": True,
        "contact": "hoi@mau.example.vn",
        "recipients": PEOPLE,
    }
    serve = {"public_url": "https://giamsat.example.vn", **more}
    return write_settings(folder, digest=digest, serve=serve)


@contextmanager
def opened(engine: Engine, folder: Path, **more: object) -> Iterator[Desk]:
    clock = Clock(MORNING)
    installation = installed(engine, settings_file(folder, **more), clock)
    app = make_app(
        engine,
        scrape_settings(installation),
        doors=make_digest_pages(installation, Patience(0.01)),
        protection=make_protection(installation.settings),
    )
    with (
        WebServer(app, "127.0.0.1", 0) as web,
        httpx.Client(base_url=web.url, timeout=20, trust_env=False) as client,
    ):
        yield Desk(installation, client, clock)


@pytest.fixture
def desk(service_engine: Engine, engine: Engine, tmp_path: Path) -> Iterator[Desk]:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tthc.units VALUES ('H99.01', '<b>Sở Xây dựng</b>', now())"))
    with opened(service_engine, tmp_path) as desk:
        yield desk


# -- taking note ----------------------------------------------------------------------------------------------------


def test_showing_the_page_records_nothing_however_often(desk: Desk) -> None:
    for _ in range(3):
        shown = desk.client.get(desk.path("acknowledge"))
        assert shown.status_code == 200
        assert desk.client.head(desk.path("acknowledge")).status_code == 200
        assert desk.client.get(desk.path("unsubscribe")).status_code == 200
    assert "Xác nhận bản tin ngày 03/11/2026" in shown.text and "chưa được xác nhận" in shown.text
    assert "&lt;b&gt;Sở Xây dựng" in shown.text
    assert 'min="2026-11-04" max="2026-12-03"' in shown.text
    assert desk.recorded == [] and query(desk.installation.engine, "SELECT * FROM tthc.digest_optouts") == []


def test_the_button_records_who_took_note_of_which_day_and_by_when(desk: Desk) -> None:
    fields = {"done_before": "2026-11-20", "note": " Đã giao phòng\r\nCấp phép <xử lý> "}
    with capture_logs() as logs:
        done = desk.client.post(desk.path("acknowledge"), data=fields)
    assert done.status_code == 200
    assert "Đã ghi nhận." in done.text and "07 giờ 45 ngày 03/11/2026" in done.text
    assert "trước ngày <b>20/11/2026</b>" in done.text and "Cấp phép &lt;xử lý&gt;" in done.text
    note = "Đã giao phòng\nCấp phép <xử lý>"
    assert desk.recorded == [(HEAD, "2026-11-03", ["H99.01"], "head", "2026-11-20", note)]
    told = " ".join(map(str, logs))
    assert (
        "digest_acknowledged" in told
        and HEAD not in told
        and "digest/acknowledge" not in told
        and "Cấp phép" not in told
    )
    assert "chưa được xác nhận" not in desk.client.get(desk.path("acknowledge")).text


def test_the_same_answer_again_is_one_and_another_one_counts_from_then_on(desk: Desk) -> None:
    for fields in ({}, {}, {"done_before": "10/11/2026"}, {"done_before": "2026-11-10"}, {"note": ""}):
        assert desk.client.post(desk.path("acknowledge", 1), data=fields).status_code == 200
        desk.clock.at += timedelta(minutes=1)
    assert [(row[2], row[4]) for row in desk.recorded] == [(None, None), (None, "2026-11-10"), (None, None)]
    replaced = query(
        desk.installation.engine, "SELECT replaced_at IS NULL FROM audit.acknowledgements ORDER BY acknowledgement_id"
    )
    assert replaced == [False, False, True]


def test_the_form_has_the_last_answer_so_that_the_button_alone_takes_nothing_back(desk: Desk) -> None:
    page = desk.path("acknowledge", 1)
    assert 'value=""' in desk.client.get(page).text
    said = {"done_before": "2026-11-10", "note": "Đã giao <phòng>"}
    assert desk.client.post(page, data=said).status_code == 200
    shown = desk.client.get(page).text
    assert 'value="2026-11-10"' in shown and ">Đã giao &lt;phòng&gt;</textarea>" in shown
    # What was typed last stands before it, also where it cannot be taken.
    wrong = desk.client.post(page, data={"done_before": "", "note": "0900 000 001"}).text
    assert 'value=""' in wrong and ">0900 000 001</textarea>" in wrong


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"done_before": "2026-11-03"}, "phải sau hôm nay"),
        ({"done_before": "2026-12-04"}, "không quá 30 ngày"),
        ({"done_before": "31/02/2026"}, "chưa đúng"),
        ({"done_before": "mai"}, "chưa đúng"),
        ({"note": "ạ" * 501}, "501 ký tự"),
        ({"note": "Ông A, CCCD 001099012345"}, "bỏ thông tin của công dân"),
        ({"note": "Gọi 0900 000 001 trước"}, "bỏ thông tin của công dân"),
        ({"note": "Gọi 0900.000.001"}, "bỏ thông tin của công dân"),
        ({"note": "Gọi 09-00-00-00-01"}, "bỏ thông tin của công dân"),
        ({"note": "H99.01-261001-0001 0900\u2013000\u2013001"}, "bỏ thông tin của công dân"),
    ],
)
def test_what_cannot_be_taken_is_told_and_stays_in_the_form(desk: Desk, fields: dict[str, str], said: str) -> None:
    answer = desk.client.post(desk.path("acknowledge"), data=fields)
    assert answer.status_code == 422
    assert said in answer.text
    if "note" in fields:
        assert fields["note"] in answer.text
    assert desk.recorded == []


def test_the_longest_note_and_the_number_of_a_dossier_are_taken(desk: Desk) -> None:
    numbers = "H99.01-261001-0001, 000.00.01.H99-261001-010001, H99.12.34-20261001-0001; 03 hồ sơ trước 20/11/2026 "
    note = numbers + "ạ" * (500 - len(numbers))
    assert (
        desk.client.post(desk.path("acknowledge"), data={"note": note, "done_before": "2026-12-03"}).status_code == 200
    )
    assert desk.recorded[0][4:] == ("2026-12-03", note)


def test_signs_that_no_text_has_are_left_out(desk: Desk) -> None:
    assert desk.client.post(desk.path("acknowledge"), data={"note": "a\0b\x1b\u202ec"}).status_code == 200
    assert desk.recorded[0][5] == "abc"


def test_nobody_can_fill_the_table_by_one_link(desk: Desk) -> None:
    codes = [desk.client.post(desk.path("acknowledge"), data={"note": str(number)}).status_code for number in range(52)]
    assert codes == [200] * 50 + [429] * 2
    assert len(desk.recorded) == 50


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"note=" + b"x" * 20_000, 413), (b"note=%FF", 400), (b"&".join([b"a=1"] * 20), 400)],
)
def test_what_is_no_answer_is_refused(desk: Desk, body: bytes, status: int) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = desk.client.post(desk.path("acknowledge"), content=body, headers=kind)
    assert answer.status_code == status and "Không đọc được nội dung" in answer.text
    assert desk.recorded == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"x"),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\nContent-Disposition: form-data; name="note"\r\n\r\n\xff\r\n--a--\r\n',
        ),
    ],
)
def test_parts_that_are_none_are_refused(desk: Desk, kind: str, body: bytes) -> None:
    answer = desk.client.post(desk.path("acknowledge"), content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400 and desk.recorded == []


def test_a_link_holds_until_the_end_of_its_last_day(desk: Desk) -> None:
    desk.clock.at = MORNING.replace(day=10, hour=23, minute=59)
    assert desk.client.get(desk.path("acknowledge")).status_code == 200
    desk.clock.at += timedelta(minutes=1)
    for answer in (desk.client.get(desk.path("acknowledge")), desk.client.post(desk.path("acknowledge"))):
        assert answer.status_code == 410 and "đã hết hạn" in answer.text
    assert desk.recorded == []
    assert desk.client.get(desk.path("unsubscribe")).status_code == 200, "one may go on stopping them for longer"


def test_what_is_not_ours_is_told_like_what_is_not_there(desk: Desk) -> None:
    token = desk.path("acknowledge").rpartition("/")[2]
    stranger = Token("acknowledge", mark_of(KEY.encode(), "la@mau.example.vn"), DAY, DAY + timedelta(days=7))
    ours = Token("acknowledge", mark_of(b"x" * 32, HEAD), DAY, DAY + timedelta(days=7))
    forged = [
        token[:-2] + ("AA" if token[-2:] != "AA" else "BB"),
        sign(KEY.encode(), stranger),
        sign(b"x" * 32, ours),
        desk.path("unsubscribe").rpartition("/")[2],
        "x",
        "%00",
    ]
    answers = [desk.client.request(m, f"/digest/acknowledge/{one}") for one in forged for m in ("GET", "POST")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert "không hợp lệ" in answers[0].text
    assert desk.recorded == []


def test_pages_carry_the_headers_of_all_others(desk: Desk) -> None:
    for path in (desk.path("acknowledge"), desk.path("unsubscribe"), "/digest/acknowledge/x"):
        headers = desk.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
        assert headers["x-content-type-options"] == "nosniff"


def test_no_password_is_asked_for_but_by_the_other_pages(service_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "cua").write_text("ma-cua-cac-trang-0123456789", encoding="utf-8")
    with opened(service_engine, tmp_path, protect={"token_file": "cua"}) as desk:
        assert desk.client.get("/").status_code == 401
        assert desk.client.get(desk.path("acknowledge")).status_code == 200
        assert desk.client.get("/digest/acknowledge/x").status_code == 404
        assert desk.client.get("/digest").status_code == 401


def test_without_a_database_it_is_told_that_nothing_was_recorded(server_url: str, tmp_path: Path) -> None:
    gone = database.make_engine(database.database_url(server_url).set(database="no_such_database"))
    with opened(gone, tmp_path) as desk:
        for answer in (desk.client.get(desk.path("acknowledge")), desk.client.post(desk.path("acknowledge"))):
            assert answer.status_code == 503 and "chưa ghi nhận được" in answer.text
    gone.dispose()


def test_without_a_key_there_are_no_such_pages(service_engine: Engine, tmp_path: Path) -> None:
    assert make_digest_pages(installed(service_engine, write_settings(tmp_path), Clock(MORNING))) == []


def test_the_link_in_a_mail_leads_to_the_page_and_the_answer_is_about_that_mail(desk: Desk, engine: Engine) -> None:
    send_digests(desk.installation, on_days_off=True)
    folder = desk.installation.data_dir / "digests"
    html = [path.read_text(encoding="utf-8") for path in folder.glob("*.html")]
    found = {re.search(r'href="https://giamsat.example.vn(/digest/acknowledge/[\w-]+)"', one)[1] for one in html}  # type: ignore[index]
    assert found == {desk.path("acknowledge", number) for number in (0, 1)}
    assert sum("/digest/unsubscribe/" in one for one in html) == 2
    assert "Số hồ sơ nêu" not in desk.client.get(desk.path("acknowledge")).text, (
        "nothing was judged, so it told no figure"
    )
    told = '{"overdue": 1234, "acknowledged_late": 0, "open": 5}'
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.deliveries SET counts = CAST(:told AS jsonb)"), {"told": told})
    for path in found:
        done = desk.client.post(path)
        assert done.status_code == 200
        assert "Số hồ sơ nêu trong bản tin: 0 chậm tiếp nhận; 1.234 quá hạn đang xử lý." in done.text
    assert [row[:2] for row in desk.recorded] == [(HEAD, "2026-11-03"), (WHOLE, "2026-11-03")]


# -- stopping them --------------------------------------------------------------------------------------------------

OPTED_OUT = "SELECT recipient FROM tthc.digest_optouts WHERE taken_back_at IS NULL"


def test_one_click_of_a_mail_program_stops_them(desk: Desk) -> None:
    path = desk.path("unsubscribe")
    assert desk.client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert desk.client.post(path, files={"List-Unsubscribe": (None, "One-Click")}).status_code == 200
    assert query(desk.installation.engine, OPTED_OUT) == [HEAD]
    shown = desk.client.get(path).text
    assert "Đã ngừng gửi bản tin" in shown and "hoi@mau.example.vn" in shown and "báo cáo lên cấp trên" in shown


def test_what_is_not_one_click_stops_nothing(desk: Desk) -> None:
    for fields in ({}, {"List-Unsubscribe": "No"}, {"x": "One-Click"}):
        assert desk.client.post(desk.path("unsubscribe"), data=fields).status_code == 400
    assert query(desk.installation.engine, OPTED_OUT) == []


def test_a_command_takes_it_back(desk: Desk, tmp_path: Path, database_address: str) -> None:
    desk.client.post(desk.path("unsubscribe"), data={"List-Unsubscribe": "One-Click"})
    config = settings_file(tmp_path)
    config.write_text(
        f"database: {{url: '{database_address}'}}\n" + config.read_text(encoding="utf-8"), encoding="utf-8"
    )
    asked = ["--config", str(config), "digest", "subscribe"]
    assert run(*asked, HEAD.upper(), cwd=tmp_path).good().out == f"{HEAD}: gets digests again\n"
    assert query(desk.installation.engine, OPTED_OUT) == []
    assert run(*asked, HEAD, cwd=tmp_path).good().out == f"{HEAD}: gets digests already\n"
    stranger = run(*asked, "la@mau.example.vn", cwd=tmp_path)
    assert stranger.code == 2 and "is no recipient; add it" in stranger.err
