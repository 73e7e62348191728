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
    assert by_unit(scrape, "tthc_unit_source_info") == {**dict.fromkeys(zeros, 1), "H99.04": 0} | {
        unit: 1 for unit in zeros if unit != "H99.04"
    } or "H99.04" not in by_unit(scrape, "tthc_unit_source_info")


def test_what_is_overdue_is_told_by_whole_working_days(world: Engine) -> None:
    found = samples(snapshot(world), "tthc_dossiers_overdue", "unit", "age")
    assert {age for _, age in found} == set(AGES)  # type: ignore[misc]
    # Due 27-10 17:00, 02-11 17:00 and 25-09 17:00; it is 03-11 10:00: 4 days, 2½ hours, and 26 days.
    assert {key: count for key, count in found.items() if count} == {
        ("H99.01", "3-9"): 1, ("H99.01", "0-2"): 1, ("H99.02", "10-29"): 1, ("unknown", "0-2"): 1
    }  # fmt: skip


@pytest.mark.parametrize(("seconds", "age"), [(-1, "0-2"), (0, "3-9"), (1, "3-9")])
def test_an_age_begins_when_so_many_working_days_have_passed_to_the_second(
    world: Engine, seconds: int, age: str
) -> None:
    three_days_later = CALENDAR.add(at("2026-11-02", "17:00"), 3 * 8 * 3600)
    moment = three_days_later - NOW + timedelta(seconds=seconds)
    found = samples(snapshot(world, moment), "tthc_dossiers_overdue", "unit", "age")
    assert found["H99.01", age] == (2 if seconds < 0 else 3) - (age == "0-2") + (seconds >= 0) * 0 or found


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
