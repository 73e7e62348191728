"""What the digest of a known world says, to whom, and the mail made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from sqlalchemy import Engine, text

from tests.postgres.seed import CALENDAR, CALENDARS, EXPECTED, NOW, WORLD, ZONE, Dossier, at, seed
from tthc_monitor.domain.calendar_variants import Calendars, Variant
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.audience import Audience, Links, Role
from tthc_monitor.outputs.digest import Digest, DigestMail, Section, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.digest_words import NOT_WATCHED
from tthc_monitor.outputs.letters import letter_of
from tthc_monitor.outputs.mail import make_message
from tthc_monitor.outputs.transfer import encoded_size

XD, YT = "H99.01", "H99.02"


def facts_of(engine: Engine, now: datetime = NOW, calendars: Calendars = CALENDARS) -> DigestFacts:
    with engine.connect() as connection:
        return read_digest_facts(connection, now, calendars)


def seeded(engine: Engine, *dossiers: Dossier, now: datetime = NOW, calendars: Calendars = CALENDARS) -> DigestFacts:
    with engine.begin() as connection:
        seed(connection, dossiers or WORLD)
    return facts_of(engine, now, calendars)


@pytest.fixture(scope="module")
def facts(engine_of_module: Engine) -> DigestFacts:
    return seeded(engine_of_module)


@pytest.fixture(scope="module")
def mail(facts: DigestFacts) -> DigestMail:
    return render_digest(build_digest(facts))


def of(*units: str, role: Role = "staff", sectors: frozenset[str] | None = None) -> Audience:
    return Audience(frozenset(units) if units else None, sectors, role)


def section(digest: Digest, key: str) -> Section:
    return next(found for found in digest.sections if found.key == key)


def listed(digest: Digest) -> dict[str, list[str]]:
    return {one.key: [row.code.rpartition("-")[2] for row in one.rows] for one in digest.sections}


def counter(digest: Digest, key: str) -> tuple[int | None, int, int]:
    found = next(one for one in digest.counters if one.key == key)
    return found.value, found.previous, found.week


# -- counts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", list(EXPECTED))
def test_counts_of_a_unit_are_those_of_the_world(facts: DigestFacts, unit: str) -> None:
    counts, expected = build_digest(facts, of(unit)).counts, EXPECTED[unit]
    assert {
        "open": expected.open,
        "overdue": expected.overdue,
        "due_today": expected.due_today,
        "due_soon": expected.due_soon,
        "supplement_requested": expected.supplement,
        "cannot_tell": expected.cannot_tell,
        "acknowledged_late": expected.slow_reception,
    }.items() <= counts.items()


def test_all_units_together_are_the_sum_of_each(facts: DigestFacts) -> None:
    whole = build_digest(facts)
    assert whole.counts["overdue"] == sum(e.overdue for e in EXPECTED.values()) == 4
    assert {row.name for row in whole.units} >= {"Sở Xây dựng", "Xã Mẫu Hai", "Chưa rõ đơn vị"}
    assert [row.overdue for row in whole.units] == [2, 1, 1, 0, 0]
    assert whole.counts["petitions_overdue"] == 1


def test_the_four_figures_stand_against_yesterday_and_last_week(facts: DigestFacts) -> None:
    """NOW is Tuesday 3 November, 10:00: yesterday is Monday, a week ago Tuesday 27 October."""
    digest = build_digest(facts)
    assert [one.label for one in digest.counters] == [
        "chậm tiếp nhận", "quá hạn đang xử lý", "đến hạn hôm nay", "thiếu văn bản xin lỗi"
    ]  # fmt: skip
    # Monday at 10: 0002 of Sở Xây dựng was still in time, due at 17:00. Tuesday before at 10: only that of September.
    assert counter(digest, "overdue") == (4, 3, 1)
    assert counter(digest, "apology_missing") == (4, 3, 1)
    # On Monday 0002 was due at 17:00 (0005 of Sở Y tế was done by ten), on Tuesday before 0001.
    assert counter(digest, "due_today") == (1, 1, 1)
    assert counter(digest, "acknowledged_late") == (1, 0, 0)
    assert digest.counters[1].note == "hôm trước 3 (▲1), tuần trước 1 (▲3)"


def test_the_past_is_that_of_the_audience(facts: DigestFacts) -> None:
    assert counter(build_digest(facts, of(YT)), "overdue") == (1, 1, 1)
    assert counter(build_digest(facts, of(XD)), "overdue") == (2, 1, 0)
    assert counter(build_digest(facts, of("H99.04")), "overdue") == (0, 0, 0)


def test_the_trend_counts_each_working_day_at_its_close(facts: DigestFacts) -> None:
    trend = build_digest(facts).trend
    assert [(bar.label, bar.value) for bar in trend] == [
        *((day, 1) for day in ("20/10",)),
        ("21/10", 2),  # 0004 of Sở Y tế was due at 17:00 and done the next morning
        *((day, 1) for day in ("22/10", "23/10", "26/10")),
        ("27/10", 2),
        *((day, 2) for day in ("28/10", "29/10")),
        ("30/10", 3),
        ("02/11", 4),
        ("nay", 4),
    ]
    assert max(bar.height for bar in trend) == 52


def test_what_was_answered_too_late_needs_nothing_any_more(engine: Engine) -> None:
    digest = build_digest(
        seeded(
            engine,
            Dossier("A-1", XD, "1.000001", at("2026-10-29", "15:00"), at("2026-11-20"), submitted=at("2026-10-27")),
            Dossier("A-2", XD, "1.000001", at("2026-10-01"), at("2026-10-28"), apology=at("2026-10-29")),
            Dossier("A-3", XD, "1.000001", at("2026-10-01"), at("2026-10-28"), apology=at("2026-10-26")),
        )
    )
    assert counter(digest, "acknowledged_late") == (0, 0, 0)
    assert counter(digest, "apology_missing") == (0, 0, 0)
    assert (digest.counts["acknowledged_late_before"], digest.counts["apology_missing_before"]) == (1, 1)
    assert listed(digest) == {"overdue": ["2", "3"]}
    assert any("1 hồ sơ đã tiếp nhận nhưng chậm và 1 hồ sơ đã xin lỗi muộn" in note for note in digest.notes)
    # Between the due instant and the apology it was missing, then and looked back at.
    assert counter(build_digest(facts_of(engine, at("2026-10-28", "10:00"))), "apology_missing")[0] == 1
    assert counter(build_digest(facts_of(engine, at("2026-10-29", "10:00"))), "apology_missing")[:2] == (0, 1)


# -- lists ----------------------------------------------------------------------------------------------------------


def test_lists_are_worst_first(facts: DigestFacts) -> None:
    rows = section(build_digest(facts), "apology_missing").rows
    assert [row.when for row in rows] == [
        "Hẹn trả 17:00 25/09/2026",
        "Hẹn trả 17:00 27/10/2026",
        "Hẹn trả 17:00 30/10/2026",
        "Hẹn trả 17:00 02/11/2026",
    ]
    assert [row.badge for row in rows] == [f"Trễ {days} ngày làm việc" for days in (27, 5, 2, 1)]


def test_each_list_holds_what_belongs_to_it(facts: DigestFacts) -> None:
    digest = build_digest(facts, of(XD))
    assert listed(digest) == {
        "apology_missing": ["0001", "0002"],
        "due_today": ["0003"],
        "due_soon": ["0004"],
        "acknowledged_late": ["0013"],
        "returned": ["0011"],
    }
    assert list(listed(digest)) == [
        "apology_missing", "acknowledged_late", "due_today", "due_soon", "returned"
    ], "what is late stands before what comes due"  # fmt: skip
    assert section(digest, "returned").rows[0].badge == "Dừng xử lý"
    assert section(digest, "due_today").rows[0].detail == "Trình ký"
    assert section(digest, "acknowledged_late").title == (
        "Chậm tiếp nhận: hồ sơ trực tuyến quá 08 giờ làm việc chưa tiếp nhận"
    )
    other = build_digest(facts, of(YT))
    assert listed(other) == {"apology_missing": ["0001"], "waiting_long": ["0002"], "petitions_overdue": ["77"]}
    assert section(other, "waiting_long").title == "Chờ công dân bổ sung quá 10 ngày làm việc"
    assert listed(build_digest(facts, of("H99.03"))) == {"due_soon_24h": ["0001"]}


def test_what_lacks_an_apology_stands_first_and_only_once(engine: Engine) -> None:
    apologised = replace(WORLD[0], apology=at("2026-10-26"))
    digest = build_digest(seeded(engine, apologised, WORLD[1]))
    assert listed(digest) == {"apology_missing": ["0002"], "overdue": ["0001"]}
    assert section(digest, "overdue").title == "Quá hạn đang xử lý, các hồ sơ khác"
    assert digest.counts["overdue"] == 2


def test_a_unit_that_works_saturdays_counts_by_its_own_calendar(engine: Engine) -> None:
    """On Monday the 2nd, its yesterday is Saturday; and a dossier due on Friday is late by two of its working days."""
    week = {day: [("07:30", "11:30"), ("13:00", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri", "sat")}
    own = Calendars(CALENDAR, (Variant("Một cửa thứ Bảy", (XD,), WorkCalendar(ZONE, week)),))
    monday = at("2026-11-02", "10:00")
    late = Dossier("A-1", XD, "1.000001", at("2026-10-01"), at("2026-10-30", "17:00"))
    facts = seeded(engine, late, replace(late, code="A-2", unit=YT), now=monday, calendars=own)
    saturdays, usual, both = (build_digest(facts, audience) for audience in (of(XD), of(YT), of(XD, YT)))
    assert section(saturdays, "apology_missing").rows[0].badge == "Trễ 2 ngày làm việc"
    assert section(usual, "apology_missing").rows[0].badge == "Trễ 1 ngày làm việc"
    assert [one.since.isoformat() for one in (saturdays, usual, both)] == ["2026-10-31", "2026-10-30", "2026-10-30"]
    # At ten on Saturday it was late already; at ten on Friday it was not.
    assert counter(saturdays, "overdue") == (1, 1, 0)
    assert counter(usual, "overdue") == (1, 0, 0)
    assert "31/10" in [bar.label for bar in saturdays.trend]
    assert "31/10" not in [bar.label for bar in usual.trend]


def test_the_latest_by_working_days_stands_first_whatever_the_calendar(engine: Engine) -> None:
    """A-1 was due a day earlier; by its own calendar, of one day a week, it is less late."""
    week = {"fri": [("07:30", "11:30")]}
    own = Calendars(CALENDAR, (Variant("Chỉ thứ Sáu", (XD,), WorkCalendar(ZONE, week)),))
    late = Dossier("A-1", XD, "1.000001", at("2026-10-01"), at("2026-10-22", "17:00"))
    facts = seeded(engine, late, replace(late, code="A-2", unit=YT, due=at("2026-10-23", "17:00")), calendars=own)
    rows = section(build_digest(facts), "apology_missing").rows
    assert [(row.code, row.badge) for row in rows] == [("A-2", "Trễ 7 ngày làm việc"), ("A-1", "Trễ 2 ngày làm việc")]


def test_nobody_waits_for_less_than_a_day_where_nobody_knows_since_when(engine: Engine) -> None:
    waiting = next(one for one in WORLD if one.supplement and one.unit == YT)
    seeded(engine, waiting, replace(waiting, code="H99.02-9"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.dossiers SET supplement_requested_at = NULL WHERE dossier_id = 1"))
    digest = build_digest(facts_of(engine), of(YT))
    known, unknown = section(digest, "waiting_long").rows
    assert (unknown.code, unknown.badge, unknown.when) == (waiting.code, "Đã chờ không rõ từ ngày nào", "")
    assert known.badge.startswith("Đã chờ ") and known.badge.endswith(" ngày làm việc")
    rows = opened(render_digest(digest))["Chờ bổ sung lâu"].iter_rows(min_row=4, values_only=True)
    days = [row[2] for row in rows]
    assert isinstance(days[0], int) and days[1] == "Không rõ từ ngày nào"


def test_a_status_is_not_passed_off_as_a_step(engine: Engine) -> None:
    seeded(engine, replace(WORLD[0], step=None), replace(WORLD[1], step="Thẩm định"), replace(WORLD[0], code="A-3"))
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE tthc.dossiers SET step_name = upper((SELECT status_name FROM audit.dossiers WHERE dossier_id = 3))"
                " WHERE dossier_id = 3"
            )
        )
        assert connection.scalar(text("SELECT step_name FROM tthc.dossiers WHERE dossier_id = 3"))
    digest = build_digest(facts_of(engine), of(XD))
    told = {row.code: row.detail for row in section(digest, "apology_missing").rows}
    assert told == {WORLD[0].code: "Chưa rõ bước xử lý", WORLD[1].code: "Thẩm định", "A-3": "Chưa rõ bước xử lý"}


def test_a_sector_is_cut_out_of_every_figure(facts: DigestFacts) -> None:
    digest = build_digest(facts, of(sectors=frozenset({"H99-YT"})))
    assert (digest.counts["open"], digest.counts["overdue"]) == (3, 1)
    assert listed(digest) == {"apology_missing": ["0001"], "waiting_long": ["0002"]}
    assert counter(digest, "overdue") == (1, 1, 1)
    assert digest.heading == "Toàn bộ đơn vị, lĩnh vực Dược phẩm"
    one = build_digest(facts, of(XD, sectors=frozenset({"H99-YT"})))
    assert (one.heading, one.counts["open"], one.sections) == ("Sở Xây dựng, lĩnh vực Dược phẩm", 0, ())


def test_integrity_findings_are_for_inspectors_only(engine: Engine) -> None:
    told = replace(WORLD[6], backdated=at("2026-11-05", "15:00"))
    facts = seeded(engine, told, replace(WORLD[7], backdated=at("2026-10-15")), now=at("2026-11-06", "10:00"))
    facts = replace(facts, sources=(("mau", facts.now),))
    inspector = build_digest(facts, of(role="inspector"))
    # The other one began long before, and nothing that was seen since tells of it.
    assert listed(inspector) == {"integrity": ["0007"]}
    assert inspector.counts["integrity"] == 1 and not inspector.empty
    found = section(inspector, "integrity")
    assert found.title == "Dấu hiệu cần kiểm tra, phát hiện từ ngày 05/11/2026 (lúc xảy ra ghi ở từng dòng)"
    assert found.rows[0].when == "Xảy ra 15:00 05/11/2026"
    for role in ("head", "staff"):
        digest = build_digest(facts, of(role=role))  # type: ignore[arg-type]
        assert "integrity" not in digest.counts and digest.sections == () and digest.empty
        assert b"finish_backdated" not in b"".join(one.content for one in render_digest(digest).attachments)


def test_where_a_dossier_lies_is_told_by_the_rule_that_holds_another_unit_responsible(engine: Engine) -> None:
    seeded(engine, WORLD[0])
    with engine.begin() as connection:
        version = connection.scalar(
            text(
                "INSERT INTO tthc.rule_versions (rule_code, kind, title, severity, legal_basis, fingerprint, definition,"
                " known_from) VALUES ('consulted_late', 'consulted_late', 'x', 'warning', 'x', 'x', '{}', :now)"
                " RETURNING rule_version_id"
            ),
            {"now": NOW},
        )
        connection.execute(
            text(
                "INSERT INTO tthc.flags (dossier_id, rule_version_id, starts_at, ends_at, observation_id, evaluation_id,"
                " evidence, believed_from) VALUES (1, :version, :at, 'infinity', 1, 1, CAST(:evidence AS jsonb), :at)"
            ),
            {"version": version, "at": at("2026-10-20"), "evidence": '{"unit": "H99.02"}'},
        )
        in_force(connection, lambda codes: codes)
    (row,) = section(build_digest(facts_of(engine)), "apology_missing").rows
    assert row.detail == "Chờ ý kiến của Sở Y tế, đã quá hạn trả lời · Sở Xây dựng"


# -- rules switched off, nothing judged -----------------------------------------------------------------------------


def in_force(connection: Any, chosen: Any) -> None:
    """A later evaluation judges by these rules."""
    codes = dict(connection.execute(text("SELECT rule_code, rule_version_id FROM tthc.rule_versions")).all())
    connection.execute(
        text(
            "INSERT INTO tthc.evaluations (started_at, finished_at, reason, engine_version, ruleset_fingerprint,"
            " rule_version_ids, calendar_version_id) VALUES (:now, :now, 'test', '0', 'y', :rules, 1)"
        ),
        {"now": NOW, "rules": [codes[code] for code in chosen(list(codes))]},
    )


def test_a_figure_whose_rule_is_off_reads_so_and_never_0(engine: Engine) -> None:
    core = ("due_soon", "overdue", "finished_late", "returned", "supplement_requested", "no_due_date")
    seeded(engine)
    with engine.begin() as connection:
        in_force(connection, lambda _: core)
    digest = build_digest(facts_of(engine))
    values = {one.key: (one.value, one.instead) for one in digest.counters}
    off = (None, NOT_WATCHED)
    assert values == {"overdue": (4, ""), "acknowledged_late": off, "due_today": off, "apology_missing": off}
    assert {"acknowledged_late", "due_today", "apology_missing", "waiting_long"}.isdisjoint(digest.counts)
    assert "Văn bản xin lỗi" not in [cell.value for cell in opened(render_digest(digest))["Quá hạn"][3]]
    assert "apology_unknown" not in digest.counts
    assert [one.key for one in digest.sections] == ["overdue", "due_soon", "returned", "petitions_overdue"]
    assert [row.overdue for row in digest.units] == [2, 1, 1, 0, 0]
    assert {row.due_today for row in digest.units} == {None}
    mail = render_digest(digest)
    assert "Chậm tiếp nhận:          không theo dõi" in mail.text
    assert ">không theo dõi<" in mail.html
    assert (
        "Không theo dõi vì quy tắc không được bật: chậm tiếp nhận, đến hạn hôm nay, thiếu văn bản xin lỗi" in mail.text
    )
    assert "dấu hiệu cần kiểm tra" not in mail.text, "who is no inspector is not told of the rules for them"


UNTOLD = "f.rule_version_id = (SELECT rule_version_id FROM tthc.rule_versions WHERE rule_code = 'apology_missing')"
"""Findings that a rule does not make of dossiers of a source that records no apologies."""


def untold(engine: Engine, *codes: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                f"DELETE FROM tthc.flags f USING tthc.dossiers d WHERE d.dossier_id = f.dossier_id AND {UNTOLD} AND code = ANY (:c)"
            ),
            {"c": list(codes)},
        )


def test_an_apology_that_nobody_knows_of_is_never_0(engine: Engine) -> None:
    """Of Sở Xây dựng one is missing and one unknown, of Sở Y tế one came in time and one late, of Phường Mẫu Một nobody knows."""
    late = Dossier("A-1", XD, "1.000001", at("2026-10-01"), at("2026-10-27", "17:00"))
    seeded(
        engine,
        late,
        replace(late, code="A-2"),
        replace(late, code="A-3", unit=YT, apology=at("2026-10-25")),
        replace(late, code="A-4", unit=YT, apology=at("2026-10-29")),
        replace(late, code="A-5", unit="H99.03"),
    )
    untold(engine, "A-2", "A-5")
    facts = facts_of(engine)
    digest = build_digest(facts)
    assert {row.code: (row.apology_missing, row.apology_unknown) for row in digest.units if row.overdue} == {
        XD: (1, 1), YT: (0, 0), "H99.03": (0, 1)
    }  # fmt: skip
    assert digest.counts["apology_unknown"] == 2
    mail = render_digest(digest)
    for body in (words_of(mail.html), " ".join(mail.text.split())):
        assert "trong đó 1 hồ sơ chưa có văn bản xin lỗi, 2 hồ sơ chưa xác định được việc xin lỗi" in body
        assert "2 hồ sơ quá hạn chưa xác định được việc xin lỗi: nguồn không ghi" in body
    assert "thiếu văn bản xin lỗi 2 chưa xác định được hôm trước" in words_of(mail.html)
    assert "Thiếu văn bản xin lỗi:   1 (2 chưa xác định được, hôm trước" in mail.text
    assert "- Sở Xây dựng: 2 / 1 (+1 chưa rõ) / 0 / 0 / 2" in mail.text and "- Sở Y tế: 2 / 0 / 0 / 0 / 2" in mail.text
    assert "- Phường Mẫu Một: 1 / chưa rõ / 0 / 0 / 1" in mail.text
    assert "Sở Xây dựng 2 1 +1 chưa rõ 0 0 2" in words_of(mail.html) and "Phường Mẫu Một 1 chưa rõ 0 0 1" in words_of(
        mail.html
    )
    book = opened(mail)
    told = {row[0]: row[3] for row in book["Quá hạn"].iter_rows(min_row=4, values_only=True)}
    assert told == {
        "A-1": "Chưa có", "A-2": "Chưa xác định được", "A-3": "Có, đúng hạn", "A-4": "Có, muộn", "A-5": "Chưa xác định được"
    }  # fmt: skip
    units = {row[1]: row[3:5] for row in book["Theo đơn vị"].iter_rows(min_row=4, values_only=True)}
    assert units["Sở Xây dựng"] == (1, 1) and units["Sở Y tế"] == (0, 0)
    assert units["Phường Mẫu Một"] == ("Chưa xác định được", 1)
    # Where nobody knows of any, no figure is told.
    alone = build_digest(facts, of("H99.03")).counters[3]
    assert (alone.value, alone.instead, alone.note) == (None, "chưa xác định được", "")


def test_of_several_letters_only_the_last_is_known(engine: Engine) -> None:
    seeded(
        engine, Dossier("A-1", XD, "1.000001", at("2026-10-01"), at("2026-10-27", "17:00"), apology=at("2026-10-25"))
    )
    assert build_digest(facts_of(engine)).counts["apology_unknown"] == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.dossiers SET reappointment_count = 2"))
    assert build_digest(facts_of(engine)).counts["apology_unknown"] == 1


def test_an_empty_store_says_so_instead_of_nothing_late(engine: Engine) -> None:
    digest = build_digest(facts_of(engine))
    assert digest.warnings == ("Chưa lấy dữ liệu từ nguồn nào.",)
    assert not digest.empty and digest.counts == {} and digest.attachments == ()
    rendered = render_digest(digest)
    assert rendered.subject == "[TTHC] không có dữ liệu – Toàn bộ đơn vị, 03/11/2026"
    assert digest.warnings[0] in rendered.html
    assert "chưa có kết quả đánh giá hồ sơ nào" in rendered.text


# -- warnings -------------------------------------------------------------------------------------------------------


def test_a_source_that_stopped_is_named_first(facts: DigestFacts) -> None:
    assert build_digest(facts, of(XD)).warnings == ()
    stale = replace(facts, made={}, sources=(("mau", NOW - timedelta(hours=25)), ("moi", None)))
    first, second = build_digest(stale, of(XD)).warnings
    assert "Nguồn “mau” chưa lấy được dữ liệu mới từ 09 giờ 00 ngày 02/11/2026" in first
    assert "Nguồn “moi” chưa lấy được dữ liệu lần nào" in second


def test_a_unit_code_nobody_knows_is_not_passed_off_as_in_time(facts: DigestFacts) -> None:
    digest = build_digest(facts, of("H99.77"))
    assert digest.warnings == ("Chưa có dữ liệu của đơn vị H99.77; đề nghị kiểm tra mã đơn vị.",)
    assert not digest.empty and digest.heading == "H99.77"


def test_an_audience_without_units_is_told_so(facts: DigestFacts) -> None:
    digest = build_digest(facts, Audience(frozenset()))
    assert "chưa được gán đơn vị nào" in digest.warnings[0] and not digest.empty
    assert "mọi đơn vị" in build_digest(facts).notes[-1]
    assert build_digest(facts).warnings == (
        "1 hồ sơ đang giải quyết không ghi đơn vị nên không có trong thư của đơn vị nào.",
    )


def test_what_is_not_judged_yet_is_said(engine: Engine) -> None:
    seeded(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tthc.pending_evaluations (batch_id) VALUES (1)"))
    digest = build_digest(facts_of(engine), of(XD))
    assert "22 lượt ghi nhận mới chưa được đánh giá" in digest.warnings[0]
    assert digest.counts["overdue"] == 0 and digest.counts["cannot_tell"] == digest.counts["open"]


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


def words_of(html: str) -> str:
    shape = _Shape()
    shape.feed(html)
    assert shape.open == [] and shape.tables > 2
    return " ".join(" ".join(shape.words).split())


def test_html_and_text_say_the_same_in_vietnamese(mail: DigestMail) -> None:
    assert mail.subject == (
        "[TTHC] 4 hồ sơ quá hạn, 4 chưa xin lỗi, 1 chậm tiếp nhận, 1 đến hạn hôm nay – Toàn bộ đơn vị, 03/11/2026"
    )
    for body in (words_of(mail.html), " ".join(mail.text.split())):
        assert (
            "Tính đến 10 giờ 00 ngày 03/11/2026, các đơn vị còn 4 hồ sơ quá hạn đang xử lý (mới phát sinh 1), trong đó 4 hồ "
            "sơ chưa có văn bản xin lỗi; 1 hồ sơ đến hạn trong ngày; 1 hồ sơ trực tuyến quá 08 giờ làm việc chưa tiếp nhận. "
            "Đề nghị rà soát, xử lý dứt điểm và gửi văn bản xin lỗi, hẹn lại ngày trả kết quả đối với các hồ sơ nêu dưới đây."
        ) in body
        assert "Trễ 27 ngày làm việc" in body
        assert "01234567 89abcdef 00000000" in body
        assert "0123456789abcdef0" not in body
    assert "Quá hạn đang xử lý: 4 (hôm trước 3 (▲1), tuần trước 1 (▲3))" in " ".join(mail.text.split())


def test_the_style_is_inline_and_nothing_is_loaded(mail: DigestMail) -> None:
    head, _, body = mail.html.partition("<body")
    assert 'style="' in body
    assert 'class="band" bgcolor="#12395b" style=' in body
    assert "@media" in head
    assert "http" not in mail.html and "<img" not in mail.html


def test_links_are_named_where_there_are_any(facts: DigestFacts) -> None:
    links = Links("https://mau.example/digest/acknowledge/t?a=1&b=2", "mailto:a@mau.example", None, "https://g.example")
    head = render_digest(build_digest(facts, of(XD, role="head"), links=links))
    staff = render_digest(build_digest(facts, of(XD), links=replace(links, acknowledge=None)))
    assert 'href="https://mau.example/digest/acknowledge/t?a=1&amp;b=2"' in head.html
    assert "Xác nhận đã nắm được: https://mau.example/digest/acknowledge/t?a=1&b=2" in head.text
    assert "acknowledge" not in staff.html + staff.text
    for mail in (head, staff):
        assert 'href="mailto:a@mau.example"' in mail.html and "Ngừng nhận bản tin: mailto:a@mau.example" in mail.text
        assert "https://g.example" in mail.html and "Trang theo dõi" not in mail.html


def test_what_a_source_wrote_is_never_markup_nor_a_formula(engine: Engine) -> None:
    mail = render_digest(
        build_digest(
            seeded(
                engine,
                replace(WORLD[0], code="<script>alert(1)</script>", step="<b>bước</b>"),
                replace(WORLD[1], code='=HYPERLINK("http://x")', step="@SUM(A1)"),
            )
        )
    )
    assert "<script" not in mail.html and "<b>bước" not in mail.html
    assert "<script>alert(1)</script>" in mail.text
    (sheet, *_) = opened(mail).worksheets
    assert [(cell.value, cell.data_type) for cell in (sheet["A4"], sheet["A5"], sheet["F5"])] == [
        ("<script>alert(1)</script>", "s"),
        ('=HYPERLINK("http://x")', "s"),
        ("@SUM(A1)", "s"),
    ]


def test_thousands_have_dots(facts: DigestFacts) -> None:
    digest = build_digest(facts)
    many = replace(digest.counters[1], value=37_731, previous=36_000)
    rendered = render_digest(replace(digest, counters=(*digest.counters[::2], many, digest.counters[3])))
    assert rendered.subject.startswith("[TTHC] 37.731 hồ sơ quá hạn")
    assert ">37.731<" in rendered.html and "36.000 (▲1.731)" in rendered.html


def test_nothing_to_do_is_told_shortly(facts: DigestFacts) -> None:
    digest = build_digest(facts, of("H99.04", role="head"))
    mail = render_digest(digest)
    assert digest.empty and mail.empty and digest.attachments == ()
    assert mail.subject == "[TTHC] không có hồ sơ cần xử lý – Xã Mẫu Hai, 03/11/2026"
    assert "đơn vị không có hồ sơ quá hạn đang xử lý, không có hồ sơ đến hạn trong ngày" in words_of(mail.html)
    assert "quá hạn đang xử lý:" not in mail.text.lower() and "01234567 89abcdef" in mail.text
    assert not build_digest(facts, of(XD)).empty


def test_a_dossier_late_since_this_morning_is_late_by_less_than_a_day(engine: Engine) -> None:
    digest = build_digest(seeded(engine, Dossier("A-1", XD, "1.000001", at("2026-10-20"), at("2026-11-03", "09:00"))))
    assert section(digest, "apology_missing").rows[0].badge == "Trễ dưới 1 ngày làm việc"


def test_a_due_date_in_the_year_1_does_not_stop_the_digest(engine: Engine) -> None:
    digest = build_digest(seeded(engine, Dossier("A-1", XD, "1.000001", at("2026-10-20"), at("0002-01-01", "09:00"))))
    assert digest.counts["overdue"] == 1
    (sheet, *_) = opened(render_digest(digest)).worksheets
    assert (sheet["E3"].value, sheet["E4"].value) == ("Hẹn trả", "09:06 01/01/2"), (
        "a day that Excel does not know is a text"
    )


def test_one_scope_has_one_thread_every_day(facts: DigestFacts) -> None:
    tomorrow = replace(facts, now=NOW + timedelta(days=1), made={})
    assert build_digest(facts, of(XD)).thread == build_digest(tomorrow, of(XD, role="head")).thread
    scopes = (of(), of(XD), of(YT), of(XD, YT), of(sectors=frozenset({XD})))
    assert len({build_digest(facts, one).thread for one in scopes}) == 5


def on_the_wire(mail: DigestMail) -> int:
    """Bytes of the mail as a server gets it, headers and both encoded bodies, without the attachment."""
    letter = letter_of("digest", "a@mau.example", replace(mail, attachments=()), "b@mau.example", NOW)
    return len(make_message(letter, "b@mau.example").as_bytes())


def test_bodies_go_by_the_encoding_that_makes_them_shorter(mail: DigestMail) -> None:
    ascii_only = replace(mail, text="late\r\n" * 500, html="<p>đúng hạn, quá hạn, ừ ừ ừ</p>\n" * 500)
    for one, expected in ((mail, None), (ascii_only, ["quoted-printable", "base64"])):
        letter = letter_of("digest", "a@mau.example", replace(one, attachments=()), "b@mau.example", NOW)
        parts = list(make_message(letter, "b@mau.example").iter_parts())
        used = [str(part["Content-Transfer-Encoding"]) for part in parts]
        assert expected is None or used == expected
        sent = sum(len(part.as_bytes().partition(b"\r\n\r\n")[2]) for part in parts)
        assert abs(encoded_size(one.text, one.html) - sent) <= sent // 50
        assert all(len(line) <= 78 for part in parts for line in part.as_bytes().splitlines()[3:])
        assert parts[0].get_content().split() == one.text.split() and parts[1].get_content().split() == one.html.split()


# -- many rows, the attachment --------------------------------------------------------------------------------------


def opened(mail: DigestMail) -> openpyxl.Workbook:
    (attachment,) = mail.attachments
    return openpyxl.load_workbook(BytesIO(attachment.content))


def test_the_attachment_has_a_sheet_for_each_list_with_all_of_it(facts: DigestFacts) -> None:
    mail = render_digest(build_digest(facts, max_rows=1))
    (attachment,) = mail.attachments
    assert attachment.name == "ho-so-can-xu-ly-2026-11-03.xlsx"
    book = opened(mail)
    assert book.sheetnames == [
        "Quá hạn", "Chậm tiếp nhận", "Đến hạn hôm nay", "Đến hạn trong 08 giờ", "Đến hạn trong 24 giờ", "Chờ bổ sung lâu",
        "Trả lại, từ chối, dừng", "Phản ánh quá hạn", "Theo đơn vị",
    ]  # fmt: skip
    sheet = book["Quá hạn"]
    heads = [cell.value for cell in sheet[3]]
    rows = [dict(zip(heads, row, strict=True)) for row in sheet.iter_rows(min_row=4, values_only=True)]
    assert [row["Mã hồ sơ"] for row in rows] == [
        "H99.02-260901-0001", "H99.01-261001-0001", "=H99-000001", "H99.01-261005-0002"
    ]  # fmt: skip
    assert rows[1]["Số ngày làm việc trễ"] == 5
    assert rows[1]["Hẹn trả"] == datetime(2026, 10, 27, 17, 0)
    assert (rows[1]["Văn bản xin lỗi"], rows[1]["Bước, nơi đang xử lý"]) == ("Chưa có", "Thẩm định")
    assert rows[1]["Mã TTHC"] == "1.000001" and rows[2]["Đơn vị"] == "Chưa rõ đơn vị"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B4", "A3:J7")
    assert [row[2] for row in book["Theo đơn vị"].iter_rows(min_row=4, values_only=True)] == [2, 1, 1, 0, 0]


def test_the_same_facts_give_the_same_bytes_and_one_scope_is_written_once(facts: DigestFacts) -> None:
    first, second = (build_digest(facts, of(XD, role=role)).attachments for role in ("head", "staff"))  # type: ignore[arg-type]
    assert first[0] is second[0]
    assert build_digest(replace(facts, made={}), of(XD)).attachments == first


def test_ten_thousand_late_dossiers_make_a_short_mail_and_a_long_attachment(engine: Engine) -> None:
    seeded(engine, WORLD[0])
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.procedures SET name = repeat('Thủ tục có tên rất dài ', 12)"))
        columns = connection.scalar(
            text(
                "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_schema = 'tthc'"
                " AND table_name = 'dossiers' AND column_name NOT IN ('dossier_id', 'source_key', 'code')"
            )
        )
        connection.execute(
            text(
                f"INSERT INTO tthc.dossiers (dossier_id, source_key, code, {columns}) SELECT n, 'k' || n,"
                f" 'H99.01-261001-' || n, {columns} FROM tthc.dossiers, generate_series(2, 10000) n WHERE dossier_id = 1"
            )
        )
        columns = "rule_version_id, starts_at, ends_at, observation_id, evaluation_id, evidence, believed_from"
        connection.execute(
            text(
                f"INSERT INTO tthc.flags (dossier_id, {columns}) SELECT n, {columns} FROM tthc.flags,"
                " generate_series(2, 10000) n WHERE dossier_id = 1"
            )
        )
    mail = render_digest(build_digest(facts_of(engine), of(XD)))
    assert mail.counts["overdue"] == mail.counts["apology_missing"] == 10_000
    assert on_the_wire(mail) < 100_000
    for body in (mail.html, mail.text):
        assert "và 9.980 hồ sơ khác" in body
    whole = render_digest(build_digest(facts_of(engine)))
    assert "và 9.995 hồ sơ khác" in whole.text, "of several units a list shows five"
    assert on_the_wire(whole) < 40_000
    assert opened(mail)["Quá hạn"].max_row == 10_003


def test_rows_that_are_too_long_for_a_mail_are_fewer(facts: DigestFacts) -> None:
    digest = build_digest(facts)
    one = section(digest, "apology_missing")
    long = replace(one.rows[0], procedure="đ" * 5_000)
    mail = render_digest(replace(digest, sections=(replace(one, rows=(long,) * 20, total=20),)))
    assert 0 < mail.text.count("đ" * 5_000) < 20
    assert f"và {20 - mail.text.count('đ' * 5_000)} hồ sơ khác" in mail.html
    assert 60_000 < on_the_wire(mail) < 100_000


def test_the_figures_hold_at_the_close_of_a_day_off(engine: Engine) -> None:
    """Asked on a Sunday, yesterday is Friday."""
    digest = build_digest(seeded(engine, now=datetime(2026, 11, 1, 3, 0, tzinfo=UTC)))
    assert digest.since.isoformat() == "2026-10-30"
