"""What a scrape says about a known world, about failures, and about more series than are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from tests.postgres.seed import EXPECTED, NOW, UNITS, seed
from tthc_monitor.outputs.metrics import METRICS, TthcCollector, exposition
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.store import database


def families(scrape: bytes) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(scrape.decode())}


def by_unit(scrape: bytes, name: str) -> dict[str, float]:
    totals: dict[str, float] = {}
    for family in families(scrape).values():
        for sample in family.samples:
            if sample.name == name:
                unit = sample.labels["unit"]
                totals[unit] = totals.get(unit, 0) + sample.value
    return totals


def value(scrape: bytes, name: str) -> float:
    found = re.findall(rf"^{name} (\S+)$", scrape.decode(), re.MULTILINE)
    assert len(found) == 1, (name, found)
    return float(found[0])


@pytest.fixture
def world(engine: Engine) -> Iterator[Engine]:
    with engine.begin() as connection:
        seed(connection)
    return engine


DECREED_UNTIL = datetime(2027, 12, 31, 17, tzinfo=UTC)


def snapshot(engine: Engine, after: timedelta = timedelta(0)) -> bytes:
    with engine.begin() as connection:
        take_snapshot(connection, NOW + after)
    return exposition(engine, decreed_until=DECREED_UNTIL)


def test_unit_figures_are_those_of_the_world_with_zeros_for_known_units(world: Engine) -> None:
    scrape = snapshot(world)
    named = {unit or "unknown": expected for unit, expected in EXPECTED.items()}
    assert by_unit(scrape, "tthc_dossiers_open") == {unit: e.open for unit, e in named.items()}
    assert by_unit(scrape, "tthc_dossiers_cannot_tell") == {unit: e.cannot_tell for unit, e in named.items()}
    assert by_unit(scrape, "tthc_dossiers_finished_total") == {unit: e.finished for unit, e in named.items()}
    assert by_unit(scrape, "tthc_dossiers_finished_late_total") == {unit: e.finished_late for unit, e in named.items()}
    assert by_unit(scrape, "tthc_petitions_overdue") == {unit: unit == "H99.02" for unit in named}


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ("tthc_dossiers_overdue", "overdue"),
        ("tthc_dossiers_due_soon", "due_soon"),
        ("tthc_dossiers_supplement_requested", "supplement"),
        ("tthc_dossiers_returned_total", "returned"),
    ],
)
def test_pair_figures_sum_to_the_unit_and_leave_out_zeros(world: Engine, metric: str, field: str) -> None:
    found = by_unit(snapshot(world), metric)
    expected = {unit or "unknown": getattr(e, field) for unit, e in EXPECTED.items()}
    assert found == {unit: count for unit, count in expected.items() if count}


def test_pairs_are_labelled_by_unit_and_procedure_with_names_beside_them(world: Engine) -> None:
    scrape = snapshot(world).decode()
    assert 'tthc_dossiers_overdue{procedure="1.000002",unit="H99.01"} 1.0' in scrape
    assert 'tthc_dossiers_overdue{procedure="unknown",unit="unknown"} 1.0' in scrape
    assert 'tthc_unit_info{name="Sở Xây dựng",unit="H99.01"} 1.0' in scrape
    assert (
        'tthc_procedure_info{name="Cấp giấy phép xây dựng mới",procedure="1.000001",sector="Hoạt động xây dựng"} 1.0'
        in scrape
    )


def test_the_oldest_overdue_dossier_is_told_by_its_due_instant(world: Engine) -> None:
    found = by_unit(snapshot(world), "tthc_oldest_overdue_due_timestamp_seconds")
    assert set(found) == {"H99.01", "H99.02", "unknown"}
    assert found["H99.02"] == 1_790_330_400  # 2026-09-25 17:00 +07:00


def test_sources_jobs_and_the_snapshot_tell_their_own_age(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.job_runs VALUES ('digest', :at, :at, :at, :at, 'ok'),"
                " ('digest', :on, :on, :on, :on, 'failed')"
            ),
            {"at": NOW - timedelta(days=1), "on": NOW},
        )
        connection.execute(text("INSERT INTO tthc.pending_evaluations VALUES (1)"))
    scrape = snapshot(world)
    now = NOW.timestamp()
    lines = scrape.decode().splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(samples['tthc_source_last_success_timestamp_seconds{source="mau"}']) == now - 7200
    assert float(samples['tthc_source_last_run_timestamp_seconds{source="mau"}']) == now - 3600
    assert float(samples['tthc_source_last_run_rows{source="mau"}']) == 5
    assert float(samples['tthc_source_last_run_rejected{source="mau"}']) == 5
    assert float(samples['tthc_job_last_success_timestamp_seconds{job_name="digest"}']) == now - 86_400
    assert float(samples["tthc_evaluations_pending"]) == 1
    assert float(samples["tthc_snapshot_timestamp_seconds"]) == now
    assert 0 < float(samples["tthc_snapshot_duration_seconds"]) < 60
    assert float(samples["tthc_database_up"]) == 1


def test_the_end_of_what_is_decreed_is_told_when_the_calendar_says_it(engine: Engine) -> None:
    scrape = exposition(engine, decreed_until=DECREED_UNTIL)
    assert value(scrape, "tthc_calendar_decreed_until_timestamp_seconds") == DECREED_UNTIL.timestamp()
    assert b"tthc_calendar_decreed_until" not in exposition(engine)


def test_an_empty_database_is_up_and_has_no_figures(engine: Engine) -> None:
    scrape = exposition(engine)
    assert value(scrape, "tthc_database_up") == 1
    assert value(scrape, "tthc_evaluations_pending") == 0
    assert b"tthc_dossiers" not in scrape
    assert b"tthc_snapshot_timestamp_seconds" not in scrape


def test_a_gauge_falls_when_the_dossier_ends_but_a_counter_never_does(world: Engine) -> None:
    before = snapshot(world)
    with world.begin() as connection:
        connection.execute(text("DELETE FROM tthc.flags WHERE dossier_id = 15"))
        connection.execute(text("DELETE FROM tthc.dossiers WHERE code IN ('H99.02-260901-0001', 'H99.02-261006-0004')"))
    after = snapshot(world, timedelta(minutes=5))
    assert by_unit(before, "tthc_dossiers_overdue")["H99.02"] == 1
    assert "H99.02" not in by_unit(after, "tthc_dossiers_overdue")
    assert by_unit(after, "tthc_dossiers_finished_total")["H99.02"] == EXPECTED["H99.02"].finished
    assert value(after, "tthc_snapshot_timestamp_seconds") == NOW.timestamp() + 300


def test_a_flag_that_starts_later_counts_by_itself_at_the_next_snapshot(world: Engine) -> None:
    evening = timedelta(hours=7, minutes=30)  # 17:30: what was due at 17:00 is overdue, and no longer due soon
    scrape = snapshot(world, evening)
    assert by_unit(scrape, "tthc_dossiers_overdue")["H99.01"] == EXPECTED["H99.01"].overdue + 1
    assert by_unit(scrape, "tthc_dossiers_due_soon")["H99.01"] == EXPECTED["H99.01"].due_soon - 1


def test_the_cap_keeps_units_and_the_largest_values_and_says_what_it_dropped(world: Engine) -> None:
    with world.begin() as connection:
        take_snapshot(connection, NOW)
        rows = connection.scalar(text("SELECT count(*) FROM tthc.metric_snapshot"))
        of_units = connection.scalar(text("SELECT count(*) FROM tthc.metric_snapshot WHERE procedure_code = ''"))
        connection.execute(
            text("INSERT INTO tthc.metric_snapshot VALUES ('tthc_dossiers_overdue', 'H99.04', '1.000004', 99)")
        )
    assert isinstance(rows, int) and isinstance(of_units, int)
    scrape = exposition(world, max_series=of_units + 1)
    assert value(scrape, "tthc_series_dropped") == rows - of_units
    assert len(by_unit(scrape, "tthc_dossiers_open")) == len(EXPECTED)
    assert by_unit(scrape, "tthc_dossiers_overdue")["H99.04"] == 99
    assert "tthc_dossiers_due_soon" not in scrape.decode()
    assert value(exposition(world), "tthc_series_dropped") == 0


def test_a_database_that_is_gone_yields_down_and_nothing_stale(server_url: str, world: Engine) -> None:
    assert b"tthc_dossiers_open{" in snapshot(world)
    gone = database.make_engine(database.database_url(server_url).set(database="no_such_database"))
    scrape = exposition(gone)
    assert value(scrape, "tthc_database_up") == 0
    assert {family.name for family in families(scrape).values()} == {"tthc_database_up", "tthc_monitor_build_info"}
    gone.dispose()


def test_a_table_that_is_missing_also_yields_down(empty_database: str) -> None:
    empty = database.make_engine(empty_database)
    assert value(exposition(empty), "tthc_database_up") == 0
    empty.dispose()


def test_a_read_that_takes_too_long_is_given_up(world: Engine) -> None:
    snapshot(world)
    with world.connect() as blocker:
        blocker.execute(text("LOCK TABLE tthc.metric_snapshot IN ACCESS EXCLUSIVE MODE"))
        scrape = exposition(world)
        blocker.rollback()
    assert value(scrape, "tthc_database_up") == 0
    assert value(exposition(world), "tthc_database_up") == 1


def test_a_scrape_does_not_wait_for_a_snapshot_being_taken(world: Engine) -> None:
    before = snapshot(world)
    with world.connect() as writer, writer.begin() as undone:
        take_snapshot(writer, NOW + timedelta(days=1))
        during = exposition(world)
        undone.rollback()
    assert value(during, "tthc_snapshot_timestamp_seconds") == value(before, "tthc_snapshot_timestamp_seconds")


def test_every_exported_family_stands_in_the_table_of_metrics_and_back(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(text("INSERT INTO tthc.job_runs VALUES ('pull', :at, :at, :at, :at, 'ok')"), {"at": NOW})
    found = {}
    for family in families(snapshot(world)).values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, family.documentation, {label for s in family.samples for label in s.labels})
    assert found == {spec.name: (spec.type, spec.help, set(spec.labels)) for spec in METRICS}


def test_names_follow_the_conventions() -> None:
    for spec in METRICS:
        assert re.fullmatch(r"tthc(_[a-z0-9]+)+", spec.name)
        assert spec.name.endswith("_total") == (spec.type == "counter")
        assert not set(spec.labels) & {"job", "instance", "type", "code", "dossier", "status"}
        assert spec.help.endswith(".")
    assert len({spec.name for spec in METRICS}) == len(METRICS)
    assert all(unit.isascii() for unit in UNITS)


def test_registering_the_collector_reads_no_database(server_url: str) -> None:
    gone = database.make_engine(database.database_url(server_url).set(database="no_such_database"))
    assert list(TthcCollector(gone).describe()) == []
    gone.dispose()
