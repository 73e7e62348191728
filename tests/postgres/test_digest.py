"""The digest of a known world, and the mail made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from sqlalchemy import Engine

from tests.postgres.seed import CALENDAR, EXPECTED, NOW, WORLD, ZONE, Dossier, at, seed
from tthc_monitor.outputs.digest import Digest, DigestMail, Section, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts

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
