"""docs/auditors.md: thirty questions, each answered by its own query, typed by an inspector who may do nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg2
import psycopg2.extras
import pytest
from sqlalchemy import text

from tests import conftest
from tests.house.files import ROOT
from tests.postgres.inspected import code, on, play
from tthc_monitor.demo import staging
from tthc_monitor.settings import RulesSettings
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import make_engine, transaction

Row = dict[str, Any]
DOCUMENT = ROOT / "docs" / "auditors.md"
_QUESTION = re.compile(r"^### (?P<number>\d+)\. (?P<title>.+)$(?P<body>(?:\n(?!## |### ).*)*)", flags=re.MULTILINE)
_BLOCK = re.compile(r"```sql\n(.*?)```", flags=re.DOTALL)


@dataclass(frozen=True)
class Question:
    """One heading of the document: the question, what stands around its query, and the query."""

    number: int
    title: str
    body: str

    @property
    def query(self) -> str:
        [query] = _BLOCK.findall(self.body)
        return str(query)


QUESTIONS = {
    found.number: found
    for found in (
        Question(int(match["number"]), match["title"], match["body"])
        for match in _QUESTION.finditer(DOCUMENT.read_text(encoding="utf-8"))
    )
}


@contextmanager
def auditors_session(address: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(address)
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="module")
def inspector() -> Iterator[psycopg2.extensions.connection]:
    """A session of an inspector's login on the played province; all tests here only read."""
    databases = conftest._database(os.environ[conftest._URL], conftest._TEMPLATE)
    engine = make_engine(next(databases))
    name = f"thanh_tra_{uuid4().hex[:12]}"
    play(engine)
    with transaction(engine) as connection:
        address = create_auditor(connection, engine.url, name).render_as_string(hide_password=False)
    with auditors_session(address) as session:
        yield session
    with transaction(engine) as connection:
        connection.execute(text(f"DROP OWNED BY {name}; DROP ROLE {name}"))
    engine.dispose()
    next(databases, None)


@pytest.fixture
def ask(inspector: psycopg2.extensions.connection) -> Any:
    """The answer to a question, by its number."""

    def answer(number: int, prefix: str = "") -> list[Row]:
        with inspector.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(prefix + QUESTIONS[number].query)
            return [dict(row) for row in cursor.fetchall()]

    return answer


def some(rows: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


# -- the document ---------------------------------------------------------------------------------------------------


def test_there_are_thirty_questions_with_one_query_each() -> None:
    assert sorted(QUESTIONS) == list(range(1, 31))
    assert len(_BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))) == 30


def test_the_codes_named_for_the_demo_are_there() -> None:
    named = re.search(r"bản trình diễn có thể dùng `'(\S+)'` và hồ sơ `'(\S+)'`", DOCUMENT.read_text(encoding="utf-8"))
    assert named is not None
    staged = {
        (story.unit_code, member.code) for story in staging.stories(RulesSettings().packs) for member in story.members()
    }
    assert named.groups() in staged


def test_units_are_found_as_the_document_says(inspector: psycopg2.extensions.connection) -> None:
    [query] = re.findall(r"`(SELECT unit_code, .* FROM units;)`", DOCUMENT.read_text(encoding="utf-8"))
    with inspector.cursor() as cursor:
        cursor.execute(query)
        assert ("H99.01", "Sở Mẫu") in cursor.fetchall()


@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_every_question_says_what_is_asked_how_to_read_it_and_on_what_it_rests(number: int) -> None:
    question = QUESTIONS[number]
    assert question.title.endswith("?")
    assert re.search(r"^\*[A-Z].*\?\*$", question.body, flags=re.MULTILINE), "the question in English"
    assert question.query.startswith("WITH asked AS (SELECT ")
    assert question.query.count(";") == 1
    assert "audit." not in question.query and "tthc." not in question.query
    after = question.body.partition("```sql")[2].partition("```")[2].strip().split("\n---")[0].strip().splitlines()
    assert len(after) == 3, "two lines on how to read it, and one with its basis"
    assert re.search(r"Căn cứ:|Nguồn:", after[2])


# -- the answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_every_question_finds_what_stands_behind_it(number: int, ask: Any) -> None:
    assert ask(number)


def test_1_all_that_happened_is_told_with_both_clocks(ask: Any) -> None:
    rows = ask(1)
    assert [row["seen_at"] for row in rows] == sorted(row["seen_at"] for row in rows)
    moved = next(row for row in rows if row["from_value"] == "2026-10-15 17:00:00")
    assert (moved["event_name"], moved["to_value"]) == ("Ngày hẹn trả", "2026-10-22 17:00:00")
    assert (moved["seen_before"], moved["seen_at"]) == (on(12, 9), on(16, 10))
    [ended] = [row for row in rows if row["event_name"] == "Kết thúc xử lý"]
    assert (ended["claimed_at"], ended["seen_at"]) == (on(23, 16), on(27, 9))


def test_2_lateness_is_told_against_each_promise(ask: Any) -> None:
    [row] = ask(2)
    assert (row["verdict"], row["late_working_days"], row["late_working_hours"]) == ("late", 1, Decimal("6.50"))
    assert (row["past_original_working_days"], row["past_current_working_days"], row["due_lawful"]) == (6, 1, None)


def test_3_seconds_added_by_hand_are_the_published_ones(ask: Any) -> None:
    [row] = ask(3)
    # The morning of the 23rd, 07:30 to 11:30, and its afternoon from 13:30 to 16:00.
    assert (row["spans"], row["seconds_by_hand"], row["seconds_published"]) == (2, 6.5 * 3600, 6.5 * 3600)


def test_4_every_finding_names_its_rule_its_law_and_its_versions(ask: Any) -> None:
    rows = ask(4)
    assert {row["verdict"] for row in rows} == {None, "late", "open_overdue"}
    assert all(row["legal_basis"] and row["evidence"] and row["rule_version_id"] for row in rows)
    assert {(row["calendar_version_id"], row["limit_version_id"]) for row in rows} == {(1, 1)}


def test_5_what_was_known_stays_what_it_was(ask: Any) -> None:
    assert some(ask(5), "known", "status", "due_current", "finished_at") == [
        ("khi đó", 4, on(22, 17), None),
        ("hiện nay", 9, on(22, 17), on(23, 16)),
    ]


def test_6_what_was_concluded_stands_beside_what_is_concluded(ask: Any) -> None:
    found = {row["rule_code"]: (row["believed_then"], row["believed_now"]) for row in ask(6)}
    assert found["due_moved_after_due"] == (True, True)
    assert found["finished_late"] == found["finish_backdated"] == (False, True)
    assert {rule for rule, (then, _) in found.items() if not then} >= {"finished_late", "source_verdict_differs"}


def test_7_dossiers_overdue_now_lead_with_the_worst(ask: Any) -> None:
    rows = ask(7)
    assert [row["code"] for row in rows] == [code(number) for number in (5, 2, 5, 7, 8, 10)]
    assert [row["late_working_hours"] for row in rows] == sorted(
        (row["late_working_hours"] for row in rows), reverse=True
    )
    assert rows[1]["step_name"] == "Thẩm định"


def test_8_units_over_the_threshold_are_named_with_the_frozen_figures(ask: Any) -> None:
    assert some(
        ask(8), "unit_code", "unit_name", "sector_code", "in_time", "late", "pending_overdue", "on_time_percent"
    ) == [("H99.01", "Sở Mẫu", "XD", 2, 3, 7, Decimal("40.00"))]


def test_9_what_cannot_be_told_is_counted_and_shown(ask: Any) -> None:
    assert some(ask(9), "dossiers", "examples") == [(1, [code(11)])]


def test_11_and_12_the_dossiers_behind_the_numbers_are_as_many(ask: Any) -> None:
    by_unit = {row["unit_code"]: row for row in ask(11)}
    assert by_unit["H99.02"]["bulk_closing"] == by_unit["H99.02"]["dossiers"] == 20
    ours = by_unit["H99.01"]
    counted = {name: ours[name] for name in ours if ours[name] and name not in ("unit_code", "unit_name", "dossiers")}
    assert counted == {
        "finish_backdated": 2, "due_moved_after_due": 1, "returned_on_due_day": 1, "supplement_near_due": 1,
        "supplement_again": 1, "recreated": 1,
    }  # fmt: skip
    behind = ask(12)
    assert len(behind) == sum(counted.values())
    assert len({row["code"] for row in behind}) == ours["dossiers"] == 5


def test_13_a_promise_moved_after_it_passed_is_told_for_certain(ask: Any) -> None:
    assert some(ask(13), "code", "old_due_at", "unmoved_at", "seen_at", "status_before", "passed_for_certain") == [
        (code(1), on(15, 17), on(16, 8), on(16, 10), 4, True),
        (code(3), on(15, 17), on(19, 9), on(20, 9), 5, True),
    ]


def test_14_new_dates_without_an_apology_are_numbered(ask: Any) -> None:
    assert some(ask(14), "code", "number", "old_due_at", "new_due_at") == [
        (code(2), 1, on(9, 17), on(16, 17)),
        (code(2), 2, on(16, 17), on(23, 17)),
        (code(3), 1, on(15, 17), on(19, 16)),
    ]


def test_15_an_apology_after_the_promise_is_told_apart_from_none(ask: Any) -> None:
    rows = ask(15)
    assert some(
        [row for row in rows if row["finding"] == "xin lỗi sau hạn"], "code", "due_at", "apology_at", "known_at"
    ) == [(code(1), on(15, 17), on(16, 9.5), on(16, 10))]
    assert {row["code"] for row in rows if row["apology_at"] is None} >= {code(2), code(9)}


def test_16_ends_dated_back_come_with_both_clocks(ask: Any) -> None:
    assert some(ask(16), "code", "event", "claimed_at", "not_yet_at", "seen_at", "backdated_seconds") == [
        (code(1), "finished", on(23, 16), on(26, 9), on(27, 9), 65 * 3600),
        (code(12), "finished", on(30, 9), on(30, 16.5), on(5, 9, month=11), 7.5 * 3600),
    ]


def test_17_the_second_request_on_the_due_day_is_found(ask: Any) -> None:
    [row] = ask(17)
    assert (row["code"], row["number"], row["requested_at"], row["requested_on_due_day"]) == (
        code(3),
        2,
        on(15, 10),
        True,
    )


def test_18_a_stop_on_the_due_day_that_nobody_asked_for_has_both_signs(ask: Any) -> None:
    assert [row["code"] for row in ask(18)] == [code(4), code(3), code(4)]


def test_19_twenty_closed_within_minutes_are_one_line(ask: Any) -> None:
    assert some(ask(19), "unit_code", "day", "dossiers", "first_closed_at", "last_closed_at", "last_seen_at") == [
        (
            "H99.02",
            date(2026, 10, 30),
            20,
            on(30, 16) + timedelta(seconds=20),
            on(30, 16) + timedelta(seconds=400),
            on(30, 16.5),
        )
    ]


def test_20_what_was_deleted_and_made_again_stands_beside_its_successor(ask: Any) -> None:
    first, *_ = ask(20)
    assert (first["event"], first["code"], first["created_again"]) == ("vanished", code(5), True)
    assert (first["due_current"], first["new_due"], first["new_key"]) == (on(15, 17), on(30, 17), "made-again")


def test_21_and_23_and_24_and_26_each_find_their_dossier(ask: Any) -> None:
    assert some(ask(21), "code", "filed_again_at") == [(code(6), on(12, 8))]
    assert some(ask(23), "code", "should_be_accepted_by", "received_at") == [(code(8), on(6, 10.5), on(8, 8))]
    assert some(ask(24), "consulted_unit", "lead_unit_code", "code") == [("Thuế Mẫu", "H99.01", code(9))] * 2
    assert [row["codes"] for row in ask(26) if row["unit_code"] == "H99.02"] == [[code(7, "H99.02", 5)]]


def test_22_steps_are_told_by_their_working_time(ask: Any) -> None:
    rows = {row["step_name"]: row for row in ask(22)}
    # From Thursday the 1st, 08:30, to Monday the 12th, 08:00: 7.0 + 6 x 7.5 + 0.5 hours; the other is still open.
    assert (rows["Thẩm định"]["times"], rows["Thẩm định"]["still_open"]) == (2, 1)
    assert rows["Trình ký"]["median_hours"] == rows["Trình ký"]["longest_hours"] == Decimal("73.5")


def test_25_a_promise_over_the_limit_names_the_limit(ask: Any) -> None:
    assert some(ask(25), "code", "due_original", "due_lawful", "amount", "unit", "legal_basis", "imported_by") == [
        (code(10), on(30, 17), on(8), 5, "working_day", "QĐ 5/QĐ-UBND", "Kiểm soát viên")
    ]


def test_27_the_report_stands_and_what_was_learnt_since_is_told_beside_it(ask: Any) -> None:
    assert some(ask(27), "figure", "frozen_count", "count_now", "person") == [
        ("finished_late", 3, 4, "Chánh Văn phòng"),
        ("pending_overdue", 6, 5, "Chánh Văn phòng"),
    ]


def test_28_changes_by_people_name_the_person_and_the_old_value(ask: Any) -> None:
    rows = ask(28)
    assert some(rows, "person", "what") == [
        ("Kiểm soát viên", "units"),
        ("Kiểm soát viên", "time_limits"),
        ("Chánh Văn phòng", "frozen_period"),
        ("Người vận hành", "configuration"),
    ]
    assert (rows[-1]["path"], rows[-1]["old_value"], rows[-1]["new_value"]) == ("rules.packs", "core", "core, lateness")


def test_29_inherited_dossiers_have_one_who_answers(ask: Any) -> None:
    assert some(
        ask(29), "former_unit", "responsible_unit_code", "dossiers", "still_open", "late_or_overdue", "document"
    ) == [("Huyện Mẫu Cũ", "H99.02", 1, 1, 1, "NQ 1/NQ-HĐND")]


def test_30_the_chain_holds_and_the_bad_day_is_told(ask: Any) -> None:
    rows = {row["day"]: row for row in ask(30)}
    assert all(row["broken_links"] == 0 and re.fullmatch(r"[0-9a-f]{64}", row["head"]) for row in rows.values())
    bad = rows[date(2026, 11, 2)]
    assert (bad["pulls"], bad["failed"], bad["rows_rejected"], bad["unknown_codes"]) == (2, 1, 1, 1)
    assert datetime.combine(min(rows), datetime.min.time()).date() == date(2026, 10, 1)


# -- what it costs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_every_question_can_be_answered_without_reading_the_whole_ledger(
    number: int, inspector: psycopg2.extensions.connection
) -> None:
    # Where there is a way by an index, the planner takes it when sequential scans cost more than anything; a query that
    # can only be answered by reading everything still reads everything. On a large store: make bench ARGS='--only audit'.
    with inspector.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + QUESTIONS[number].query)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "Seq Scan on observations" not in plan
