"""What a scrape says about a known world, about failures, and about more series than are wanted."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from tests.postgres.seed import CALENDAR, EXPECTED, NOW, SCRAPED, UNITS, at, seed, snapshot_at
from tthc_monitor.domain.calendars import Calendars, Variant
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.metric_table import AGES, METRICS
from tthc_monitor.outputs.metrics import Expectations, Exposition, ScrapeSettings, exposition
from tthc_monitor.outputs.metrics_of_operation import Morning
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.store import database, totals


def families(scrape: bytes) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(scrape.decode())}


def samples(scrape: bytes, name: str, *labels: str) -> dict[str | tuple[str, ...], float]:
    """Figures by the values of some labels, summed over the others."""
    found: Counter[str | tuple[str, ...]] = Counter()
    for family in families(scrape).values():
        for sample in family.samples:
            if sample.name == name:
                key = tuple(sample.labels[label] for label in labels)
                found[key[0] if len(key) == 1 else key] += sample.value  # type: ignore[assignment]
    return dict(found)


def by_unit(scrape: bytes, name: str) -> dict[str, float]:
    return {str(unit): figure for unit, figure in samples(scrape, name, "unit").items()}


def value(scrape: bytes, name: str) -> float:
    found = re.findall(rf"^{name} (\S+)$", scrape.decode(), re.MULTILINE)
    assert len(found) == 1, (name, found)
    return float(found[0])


def expected(field: str) -> dict[str, int]:
    return {unit or "unknown": getattr(known, field) for unit, known in EXPECTED.items()}


@pytest.fixture
def world(engine: Engine) -> Iterator[Engine]:
    with engine.begin() as connection:
        seed(connection)
    return engine


def snapshot(engine: Engine, after: timedelta = timedelta(0), settings: ScrapeSettings = SCRAPED) -> bytes:
    with engine.begin() as connection:
        take_snapshot(connection, NOW + after, settings.calendars)
    return exposition(engine, settings)


def test_unit_figures_are_those_of_the_world_with_zeros_for_known_units(world: Engine) -> None:
    scrape = snapshot(world)
    for metric, field in (
        ("tthc_dossiers_open", "open"),
        ("tthc_dossiers_overdue", "overdue"),
        ("tthc_dossiers_due_soon", "due_soon"),
        ("tthc_dossiers_supplement_requested", "supplement"),
        ("tthc_dossiers_cannot_tell", "cannot_tell"),
    ):
        assert by_unit(scrape, metric) == expected(field), metric
    zeros = dict.fromkeys(expected("open"), 0)
    assert by_unit(scrape, "tthc_petitions_overdue") == zeros | {"H99.02": 1}
    assert by_unit(scrape, "tthc_dossiers_newly_overdue") == zeros
    assert by_unit(scrape, "tthc_dossiers_returned_this_month") == zeros | {"H99.01": 1}
    assert by_unit(scrape, "tthc_dossiers_finished_total") == zeros, "nothing was counted yet"
    assert set(by_unit(scrape, "tthc_unit_source_info")) == {*zeros} - {"H99.04"}, "it has nothing open"


def test_what_is_overdue_is_told_by_whole_working_days(world: Engine) -> None:
    found = samples(snapshot(world), "tthc_dossiers_overdue", "unit", "age")
    assert {age for _, age in found} == set(AGES)  # type: ignore[misc]
    # Due 27-10 17:00, 02-11 17:00 and 25-09 17:00; it is 03-11 10:00: 4 days, 2½ hours, and 26 days.
    assert {key: count for key, count in found.items() if count} == {
        ("H99.01", "3-9"): 1, ("H99.01", "0-2"): 1, ("H99.02", "10-29"): 1, ("unknown", "0-2"): 1
    }  # fmt: skip


def ages_of(scrape: bytes, unit: str) -> list[float]:
    found = samples(scrape, "tthc_dossiers_overdue", "unit", "age")
    return [found[unit, age] for age in AGES]


def test_an_age_begins_when_so_many_working_days_have_passed_to_the_microsecond(world: Engine) -> None:
    due = at("2026-09-25", "17:00")
    for number, days in enumerate((3, 10, 30)):
        begins = CALENDAR.add(due, days * 8 * 3600) - NOW
        for moment, age in ((begins - timedelta(microseconds=1), number), (begins, number + 1)):
            assert ages_of(snapshot(world, moment), "H99.02").index(1) == age, (days, moment)


def test_each_unit_is_overdue_by_its_own_calendar(world: Engine) -> None:
    week = {"mon": [("08:00", "12:00")]}
    slow = Variant("thứ Hai", ("H99.02",), WorkCalendar("Asia/Ho_Chi_Minh", week))
    settings = replace(SCRAPED, calendars=Calendars(CALENDAR, (slow,)), now=lambda: at("2026-11-02", "09:00"))
    scrape = snapshot(world, settings=settings)
    # Mondays since 25 September: 28-09, four in October, 02-11: six times four hours, three days of eight.
    assert ages_of(scrape, "H99.02") == [0, 1, 0, 0]
    assert by_unit(scrape, "tthc_oldest_overdue_working_seconds")["H99.02"] == 6 * 4 * 3600
    since = CALENDAR.elapsed(at("2026-10-27", "17:00"), NOW)
    assert by_unit(scrape, "tthc_oldest_overdue_working_seconds")["H99.01"] == since
    working = by_unit(scrape, "tthc_unit_working")
    assert working == dict.fromkeys(working, 1), "Monday, 9 o'clock"
    settings = replace(settings, now=lambda: at("2026-11-03", "09:00"))
    assert by_unit(exposition(world, settings), "tthc_unit_working") == working | {"H99.02": 0}


def test_what_became_overdue_since_midnight_is_new_until_the_next(world: Engine) -> None:
    evening, midnight = at("2026-11-03", "17:00") - NOW, at("2026-11-04", "00:00") - NOW
    before = timedelta(microseconds=1)
    told = [by_unit(snapshot(world, at_), "tthc_dossiers_newly_overdue")["H99.01"] for at_ in
            (evening - before, evening, midnight - before, midnight)]  # fmt: skip
    assert told == [0, 1, 1, 0]


def test_returns_count_until_the_month_is_over(world: Engine) -> None:
    month = at("2026-12-01", "00:00") - NOW
    told = [
        by_unit(snapshot(world, at_), "tthc_dossiers_returned_this_month")["H99.01"]
        for at_ in (month - timedelta(microseconds=1), month)
    ]
    assert told == [1, 0]


def test_what_waits_for_a_payment_or_another_agency_is_told_while_it_does(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(
            text("UPDATE tthc.dossiers SET status = 6 WHERE code IN ('H99.03-261102-0001', 'H99.01-261001-0007')")
        )
        connection.execute(
            text(
                "UPDATE tthc.dossiers SET consulted_at = :at, obligation_requested_at = :at WHERE unit_code = 'H99.02'"
            ),
            {"at": NOW - timedelta(days=1)},
        )
        connection.execute(
            text(
                "UPDATE tthc.dossiers SET consulted_answered_at = :at, obligation_completed_at = :at WHERE code LIKE 'H99.02-2610%'"
            ),
            {"at": NOW + timedelta(hours=1)},
        )
    found = samples(snapshot(world), "tthc_dossiers_waiting", "unit", "cause")
    waiting = {("H99.03", "payment"): 1, ("H99.02", "payment"): 3, ("H99.02", "consultation"): 3}
    assert {key: count for key, count in found.items() if count} == waiting
    later = samples(snapshot(world, timedelta(hours=1)), "tthc_dossiers_waiting", "unit", "cause")
    answered = {("H99.03", "payment"): 1, ("H99.02", "payment"): 1, ("H99.02", "consultation"): 1}
    assert {key: count for key, count in later.items() if count} == answered


def test_findings_that_stand_are_told_by_rule(world: Engine) -> None:
    found = samples(snapshot(world), "tthc_findings", "unit", "rule")
    assert found["H99.01", "due_soon"] == 2
    assert found["H99.02", "overdue"] == 2, "a dossier and a petition"
    assert not any(rule in ("finished_late", "returned") for _, rule in found)  # type: ignore[misc]


def test_pair_figures_sum_to_the_unit_and_leave_out_zeros(world: Engine) -> None:
    scrape = snapshot(world)
    for what in ("open", "overdue", "due_soon", "supplement_requested"):
        found = by_unit(scrape, f"tthc_procedure_dossiers_{what}")
        assert found == {unit: count for unit, count in by_unit(scrape, f"tthc_dossiers_{what}").items() if count}
    text_ = scrape.decode()
    assert 'tthc_procedure_dossiers_overdue{procedure="1.000002",unit="H99.01"} 1.0' in text_
    assert 'tthc_procedure_dossiers_overdue{procedure="unknown",unit="unknown"} 1.0' in text_
    assert 'tthc_unit_info{name="Sở Xây dựng",parent="",unit="H99.01"} 1.0' in text_
    assert (
        'tthc_procedure_info{name="Cấp giấy phép xây dựng mới",procedure="1.000001",sector="Hoạt động xây dựng"} 1.0'
        in text_
    )


def test_the_oldest_overdue_dossier_is_told_by_its_due_instant(world: Engine) -> None:
    found = by_unit(snapshot(world), "tthc_oldest_overdue_due_timestamp_seconds")
    assert set(found) == {"H99.01", "H99.02", "unknown"}
    assert found["H99.02"] == 1_790_330_400  # 2026-09-25 17:00 +07:00


def lines_of(scrape: bytes) -> dict[str, float]:
    plain = (line for line in scrape.decode().splitlines() if not line.startswith("#"))
    return {name: float(figure) for name, figure in (line.rsplit(" ", 1) for line in plain)}


def test_sources_jobs_evaluations_and_the_ledger_tell_their_own_state(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.job_runs (job, scheduled_for, started_at, lease_until, finished_at, outcome) VALUES "
                "('digest', :at, :at, :at, :at, 'ok'), ('digest', :on, :early, :on, :on, 'failed'), "
                "('report', :on, :on, :on, NULL, NULL)"
            ),
            {"at": NOW - timedelta(days=1), "on": NOW, "early": NOW - timedelta(seconds=90)},
        )
        connection.execute(text("INSERT INTO tthc.pending_evaluations VALUES (1)"))
        connection.execute(text("UPDATE tthc.pull_runs SET was_full = true, rows_repeated = 2 WHERE run_id = 1"))
        connection.execute(text("UPDATE tthc.evaluations SET finished_at = :at"), {"at": NOW - timedelta(minutes=5)})
        connection.execute(
            text("INSERT INTO tthc.ledger_checks (checked_at, intact, observations, found, seconds) VALUES "
                 "(:old, true, 5, NULL, 1), (:at, false, 5, 'link 3', 1)"),
            {"old": NOW - timedelta(days=1), "at": NOW - timedelta(hours=1)},
        )  # fmt: skip
        totals.add(connection, "tthc_job_runs_total", ["digest", "failed"], 3)
        totals.add(connection, "tthc_job_runs_total", ["digest", "failed"])
        totals.add(connection, "tthc_source_rows_rejected_total", ["mau"], 7)
        totals.note_latest(connection, "tthc_source_last_rows_timestamp_seconds", ["mau"], NOW - timedelta(hours=3))
    told = lines_of(snapshot(world))
    now = NOW.timestamp()
    assert told['tthc_source_last_success_timestamp_seconds{source="mau"}'] == now - 7200
    assert told['tthc_source_last_run_timestamp_seconds{source="mau"}'] == now - 3600
    assert told['tthc_source_last_rows_timestamp_seconds{source="mau"}'] == now - 3 * 3600
    assert told['tthc_source_last_run_rows{source="mau"}'] == 5
    assert told['tthc_source_last_run_rejected{source="mau"}'] == 5
    assert told['tthc_source_last_full_run_rows{source="mau"}'] == 20
    assert told['tthc_source_rows_rejected_total{source="mau"}'] == 7
    assert told['tthc_source_runs_total{outcome="ok",source="mau"}'] == 0, "what could be is told before it is"
    assert told['tthc_job_last_success_timestamp_seconds{job_name="digest"}'] == now - 86_400
    assert told['tthc_job_last_run_timestamp_seconds{job_name="digest"}'] == now
    assert told['tthc_job_last_run_duration_seconds{job_name="digest"}'] == 90
    assert told['tthc_job_runs_total{job_name="digest",outcome="failed"}'] == 4
    assert told['tthc_job_runs_total{job_name="report",outcome="ok"}'] == 0
    assert 'tthc_job_last_success_timestamp_seconds{job_name="report"}' not in told
    assert told["tthc_evaluations_pending"] == 1
    assert told["tthc_evaluation_oldest_pending_timestamp_seconds"] == now - 7200
    assert told["tthc_evaluation_last_timestamp_seconds"] == now - 300
    assert (told["tthc_ledger_intact"], told["tthc_ledger_checked_timestamp_seconds"]) == (0, now - 3600)
    assert told["tthc_snapshot_timestamp_seconds"] == now
    assert 0 < told["tthc_snapshot_duration_seconds"] < 60
    assert 0 < told["tthc_collect_duration_seconds"] < 60
    assert told["tthc_database_up"] == 1


def test_what_a_clock_that_was_ahead_has_dated_says_nothing_of_what_is_done(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.job_runs (job, scheduled_for, started_at, lease_until, finished_at, outcome) VALUES "
                "('verify', :old, :old, :old, :old, 'ok'), ('verify', :ahead, :ahead, :ahead, :ahead, 'ok')"
            ),
            {"old": NOW - timedelta(days=3), "ahead": NOW + timedelta(days=200)},
        )
    asked: list[object] = []

    def expected_of(last: object, now: datetime) -> dict[str, datetime]:
        asked.append(last)
        return {}

    settings = replace(SCRAPED, expectations=Expectations(expected_of, lambda _last, _now: {}), now=lambda: NOW)
    told = lines_of(snapshot(world, settings=settings))
    then = NOW - timedelta(days=3)
    assert told['tthc_job_last_success_timestamp_seconds{job_name="verify"}'] == then.timestamp()
    assert told['tthc_job_last_run_timestamp_seconds{job_name="verify"}'] == then.timestamp()
    assert asked == [{"verify": then}]


def test_what_the_settings_say_is_told_with_the_figures(world: Engine) -> None:
    asked: list[object] = []

    def expected_of(last: object, now: datetime) -> dict[str, datetime]:
        asked.append(last)
        return {"mau": now + timedelta(minutes=5), "neu": now}

    settings = replace(
        SCRAPED,
        decreed_until=datetime(2027, 12, 31, 17, tzinfo=UTC),
        objective=0.95,
        overdue_limit_days=7,
        public_url="https://giamsat.example.gov.vn/tthc/",
        expectations=Expectations(expected_of, expected_of),
        now=lambda: NOW,
    )
    told = lines_of(snapshot(world, settings=settings))
    assert told["tthc_on_time_objective_ratio"] == 0.95
    assert told["tthc_overdue_limit_working_seconds"] == 7 * 8 * 3600
    assert told['tthc_monitor_address_info{url="https://giamsat.example.gov.vn/tthc"}'] == 1
    assert told["tthc_calendar_decreed_until_timestamp_seconds"] == settings.decreed_until.timestamp()  # type: ignore[union-attr]
    assert told['tthc_source_expected_by_timestamp_seconds{source="mau"}'] == NOW.timestamp() + 300
    assert told['tthc_job_expected_by_timestamp_seconds{job_name="neu"}'] == NOW.timestamp()
    assert told['tthc_job_runs_total{job_name="neu",outcome="failed"}'] == 0
    assert asked == [{"mau": NOW - timedelta(hours=2)}, {}]
    assert "tthc_calendar_decreed_until" not in exposition(world, SCRAPED).decode()


def test_an_empty_database_is_up_and_has_no_figures(engine: Engine) -> None:
    scrape = exposition(engine, SCRAPED)
    assert value(scrape, "tthc_database_up") == 1
    assert value(scrape, "tthc_evaluations_pending") == 0
    assert b"tthc_dossiers" not in scrape
    assert b"tthc_snapshot_timestamp_seconds" not in scrape
    assert b"tthc_ledger" not in scrape


def test_what_vanishes_vanishes(world: Engine) -> None:
    before = snapshot(world)
    with world.begin() as connection:
        connection.execute(text("UPDATE tthc.dossiers SET end_seen_at = :now WHERE unit_code = 'H99.03'"), {"now": NOW})
        gone = ("H99.03", "H99.04")
        for code in gone:
            connection.execute(
                text(
                    "INSERT INTO tthc.unit_versions (unit_code, name, kind, valid_to, known_from) VALUES (:c, 'x', 'commune', '2026-11-03', now())"
                ),
                {"c": code},
            )
    after = snapshot(world)
    assert {"H99.03", "H99.04"} <= set(by_unit(before, "tthc_dossiers_open"))
    for unit in gone:
        assert f'unit="{unit}"' not in after.decode()
    assert 'procedure="1.000004"' in before.decode() and 'procedure="1.000004"' not in after.decode()


def test_counters_are_those_that_were_added_up(world: Engine) -> None:
    with world.begin() as connection:
        totals.add_all(connection, [
            ("tthc_dossiers_finished_total", ["H99.01"], 6), ("tthc_dossiers_finished_total", [""], 2),
            ("tthc_dossier_used_ratio", ["H99-XD", "1.0"], 2), ("tthc_dossier_used_ratio", ["H99-XD", "+Inf"], 1),
            ("tthc_dossier_used_ratio", ["H99-XD", "sum"], 6.5), ("tthc_dossier_used_ratio", ["", "sum"], 0.5),
            ("tthc_dossier_used_ratio", ["", "0.5"], 1),
        ])  # fmt: skip
        connection.execute(text("INSERT INTO tthc.procedure_totals VALUES ('H99.01', '1.000001', 6, 2, 0)"))
    scrape = snapshot(world)
    assert by_unit(scrape, "tthc_dossiers_finished_total")["H99.01"] == 6
    assert by_unit(scrape, "tthc_dossiers_finished_total")["unknown"] == 2
    told = lines_of(scrape)
    used = 'tthc_dossier_used_ratio_bucket{le="%s",sector="Hoạt động xây dựng"}'
    assert [told[used % bound] for bound in ("0.9", "1.0", "3.0", "+Inf")] == [0, 2, 2, 3]
    assert told['tthc_dossier_used_ratio_sum{sector="Hoạt động xây dựng"}'] == 6.5
    assert told['tthc_dossier_used_ratio_count{sector="unknown"}'] == 1
    assert told['tthc_procedure_dossiers_finished_late_total{procedure="1.000001",unit="H99.01"}'] == 2
    assert "tthc_procedure_dossiers_returned_total{" not in scrape.decode()


def test_the_cap_keeps_units_and_what_is_now_and_says_what_it_dropped(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(text("INSERT INTO tthc.procedure_totals VALUES ('H99.01', '1.000001', 60, 20, 0)"))
    every = lines_of(snapshot(world))
    pairs = {name for name in every if name.startswith("tthc_procedure_dossiers")}
    about_dossiers = sum(not name.startswith(("tthc_procedure_", "tthc_dossier_")) for name in every)
    scrape = exposition(world, replace(SCRAPED, max_series=10))
    assert value(scrape, "tthc_series_dropped") == len(pairs)
    assert len(by_unit(scrape, "tthc_dossiers_open")) == len(EXPECTED)
    assert not any(name.startswith("tthc_procedure") for name in lines_of(scrape))
    told = lines_of(scrape)
    units = sum('unit="' in name for name in told) - 2 * len(EXPECTED)
    one = lines_of(exposition(world, replace(SCRAPED, max_series=units + 1)))
    assert {name for name in one if name.startswith("tthc_procedure_dossiers")} == {
        'tthc_procedure_dossiers_open{procedure="1.000001",unit="H99.01"}'
    }
    assert one["tthc_series_dropped"] == len(pairs) - 1
    assert about_dossiers and value(exposition(world, SCRAPED), "tthc_series_dropped") == 0


def test_a_database_that_is_gone_yields_down_and_nothing_stale(server_url: str, world: Engine) -> None:
    assert b"tthc_dossiers_open{" in snapshot(world)
    gone = database.make_engine(database.database_url(server_url).set(database="no_such_database"))
    scrape = exposition(gone, SCRAPED)
    assert value(scrape, "tthc_database_up") == 0
    assert {family.name for family in families(scrape).values()} == {
        "tthc_database_up", "tthc_collect_duration_seconds", "tthc_monitor_build_info", "tthc_monitor_address_info",
        "tthc_on_time_objective_ratio", "tthc_overdue_limit_working_seconds",
    }  # fmt: skip
    gone.dispose()


def test_a_table_that_is_missing_also_yields_down(empty_database: str) -> None:
    empty = database.make_engine(empty_database)
    assert value(exposition(empty, SCRAPED), "tthc_database_up") == 0
    empty.dispose()


def test_a_read_that_takes_too_long_is_given_up_and_the_text_that_is_kept_is_not_told_meanwhile(world: Engine) -> None:
    told = Exposition(world, SCRAPED)
    snapshot(world)
    assert b"tthc_dossiers_open{" in told.read().plain
    with world.connect() as blocker:
        blocker.execute(text("LOCK TABLE tthc.metric_snapshot_taken IN ACCESS EXCLUSIVE MODE"))
        during = told.read()
        blocker.rollback()
    for scrape in (during.plain, gzip.decompress(during.packed)):
        assert value(scrape, "tthc_database_up") == 0
        assert b"tthc_dossiers_open{" not in scrape
    assert b"tthc_dossiers_open{" in told.read().plain


def test_a_scrape_does_not_wait_for_a_snapshot_being_taken(world: Engine) -> None:
    before = snapshot(world)
    with world.connect() as writer, writer.begin() as undone:
        snapshot_at(writer, NOW + timedelta(days=1))
        during = exposition(world, SCRAPED)
        undone.rollback()
    assert value(during, "tthc_snapshot_timestamp_seconds") == value(before, "tthc_snapshot_timestamp_seconds")


def test_text_is_made_once_a_snapshot_and_names_come_with_the_next(world: Engine) -> None:
    told = Exposition(world, SCRAPED)
    snapshot(world)
    first = told.read()
    with world.begin() as connection:
        connection.execute(text("UPDATE tthc.units SET name = 'Sở Mới' WHERE unit_code = 'H99.01'"))
    assert "Sở Mới" not in told.read().plain.decode()
    snapshot(world)
    again = told.read()
    assert "Sở Mới" in again.plain.decode()
    for one in (first, again):
        assert gzip.decompress(one.packed) == one.plain
    # Nothing changed but the time that the reading itself took.
    differing = set(first.plain.splitlines()) ^ set(again.plain.splitlines())
    assert all(line.startswith((b"tthc_collect", b"tthc_unit_info", b"tthc_snapshot_duration")) for line in differing)


def test_every_exported_family_stands_in_the_table_of_metrics_and_promtool_finds_no_fault(world: Engine) -> None:
    with world.begin() as connection:
        at_ = {"at": NOW}
        connection.execute(text("INSERT INTO tthc.job_runs VALUES ('evaluate', :at, :at, :at, :at, 'ok')"), at_)
        connection.execute(text("UPDATE tthc.pull_runs SET was_full = true"))
        connection.execute(text("INSERT INTO tthc.pending_evaluations VALUES (1)"))
        connection.execute(text("UPDATE tthc.evaluations SET finished_at = :at"), at_)
        connection.execute(
            text("INSERT INTO tthc.ledger_checks (checked_at, intact, observations, seconds) VALUES (:at, true, 1, 1)"),
            at_,
        )
        connection.execute(text("INSERT INTO tthc.procedure_totals VALUES ('H99.01', '1.000001', 6, 2, 1)"))
        for name in ("tthc_dossier_used_ratio", "tthc_dossier_processing_working_seconds"):
            totals.add_all(connection, [(name, ["", "sum"], 1), (name, ["", "+Inf"], 1)])
        totals.note_latest(connection, "tthc_source_last_rows_timestamp_seconds", ["mau"], NOW)
    settings = replace(
        SCRAPED,
        decreed_until=NOW,
        expectations=Expectations(
            lambda _last, now: {"digest": now},
            lambda _last, now: {"mau": now},
            lambda now: Morning(now.date(), frozenset({"a@mau.example.vn"})),
            ["smtp"],
        ),
    )
    # While it waits to be judged nothing is told to be overdue, so the snapshot is of before.
    with world.begin() as connection:
        connection.execute(text("DELETE FROM tthc.pending_evaluations"))
        snapshot_at(connection)
        connection.execute(text("INSERT INTO tthc.pending_evaluations VALUES (1)"))
    scrape = exposition(world, settings)
    found = {}
    for family in families(scrape).values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels if label != "le"}
        found[name] = (family.type, family.documentation, labels)
    assert found == {spec.name: (spec.type, spec.help, set(spec.labels)) for spec in METRICS}
    checked = subprocess.run(["promtool", "check", "metrics"], input=scrape, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_names_follow_the_conventions() -> None:
    for spec in METRICS:
        assert re.fullmatch(r"tthc(_[a-z0-9]+)+", spec.name)
        assert spec.name.endswith("_total") == (spec.type == "counter")
        assert not set(spec.labels) & {"job", "instance", "type", "code", "dossier", "status"}
        assert spec.help.endswith(".")
        assert spec.name in spec.query
    assert len({spec.name for spec in METRICS}) == len(METRICS)
    assert all(unit.isascii() for unit in UNITS)
