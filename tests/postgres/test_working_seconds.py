"""Working seconds in SQL are those of Python, to the microsecond, and cost two look-ups."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tthc_monitor.domain.calendar_variants import Variant
from tthc_monitor.domain.calendars import Calendars, CalendarSpec
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import Document, validate
from tthc_monitor.settings import shipped_calendar
from tthc_monitor.store.calendars import calendar_in_force, keep_segments
from tthc_monitor.store.database import transaction
from tthc_monitor.store.grounds import register_calendar

VN = validate(CalendarSpec, shipped_calendar("vn"))
HORIZON = (date(2025, 1, 1), date(2026, 7, 1))
ZONES = ["Asia/Ho_Chi_Minh", "America/New_York", "Europe/Paris", "UTC"]
_COUNTER = iter(range(10_000))


def keep(engine: Engine, calendars: Calendars) -> int:
    """A version of these calendars, with its segments."""
    with transaction(engine) as connection:
        version = register_calendar(
            connection, "thử", f"{calendars.fingerprint}{next(_COUNTER)}", {}, datetime(2026, 10, 1, tzinfo=UTC)
        )
        assert keep_segments(connection, version, calendars)
    return version


def in_sql(
    engine: Engine, version: int, spans: Sequence[tuple[datetime, datetime]], unit: str | None = None
) -> list[Decimal]:
    statement = (
        "SELECT audit.working_seconds(:version, a, b, CAST(:unit AS text)) "
        "FROM unnest(CAST(:a AS timestamptz[]), CAST(:b AS timestamptz[])) WITH ORDINALITY s (a, b, n) ORDER BY n"
    )
    values = {"version": version, "unit": unit, "a": [a for a, _ in spans], "b": [b for _, b in spans]}
    with transaction(engine) as connection:
        return list(connection.scalars(text(statement), values))


def micros(seconds: float) -> Decimal:
    return Decimal(round(seconds * 1_000_000)) / 1_000_000


@st.composite
def hours(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Up to two intervals of a day; they may touch, begin at midnight and close at 24:00."""
    edges = draw(st.lists(st.integers(0, 96), min_size=0, max_size=4).filter(lambda found: len(found) % 2 == 0))
    edges = sorted(edges)
    clock = [f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in edges]
    return [(a, b) for a, b in zip(clock[::2], clock[1::2], strict=True) if a != b]


WEEK = st.dictionaries(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), hours(), max_size=7).map(
    lambda week: {**week, "wed": [("07:30", "11:30"), ("13:30", "17:00")]}
)
DAY = st.dates(HORIZON[0], HORIZON[1] - timedelta(days=1))


@st.composite
def calendar(draw: st.DrawFn, zone: str) -> WorkCalendar:
    return WorkCalendar(
        zone,
        draw(WEEK),
        draw(st.lists(DAY, max_size=10)),
        draw(st.dictionaries(DAY, hours(), max_size=5)),
        horizon=HORIZON,
        weeks=list(draw(st.dictionaries(DAY, WEEK, max_size=2)).items()),
    )


@st.composite
def calendars(draw: st.DrawFn) -> Calendars:
    zone = draw(st.sampled_from(ZONES))
    return Calendars(draw(calendar(zone)), (Variant("Xã ngập lụt", ("H99.01.02",), draw(calendar(zone))),))


def test_sql_gives_the_seconds_of_python_for_any_calendar(engine: Engine) -> None:
    first = datetime(2025, 1, 2, tzinfo=UTC)
    span = int(timedelta(days=540).total_seconds() * 1_000_000)
    instant = st.one_of(
        st.integers(0, span).map(lambda offset: first + timedelta(microseconds=offset)),
        st.integers(0, span // 900_000_000).map(lambda quarter: first + timedelta(minutes=15 * quarter)),
        # The days on which clocks change, in both zones with daylight saving.
        st.integers(0, 36 * 60).map(lambda minute: datetime(2025, 3, 8, 18, tzinfo=UTC) + timedelta(minutes=minute)),
        st.integers(0, 36 * 60).map(lambda minute: datetime(2025, 10, 25, 12, tzinfo=UTC) + timedelta(minutes=minute)),
        st.integers(0, 36 * 60).map(lambda minute: datetime(2025, 11, 1, 18, tzinfo=UTC) + timedelta(minutes=minute)),
    )

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(calendars(), st.lists(instant, min_size=2, max_size=60))
    def same(kept: Calendars, instants: list[datetime]) -> None:
        version = keep(engine, kept)
        spans = list(pairwise(instants))
        for unit in (None, "H99.01.02", "H99.99"):
            python = kept.of_unit(unit)
            assert in_sql(engine, version, spans, unit) == [micros(python.elapsed(a, b)) for a, b in spans], unit

    same()


def test_every_edge_of_every_segment_of_the_shipped_calendar(engine: Engine) -> None:
    compiled = VN.compile()
    version = keep(engine, Calendars(compiled))
    near = compiled.segments
    edges = np.concatenate([near.opens, near.closes])
    edges = edges[(edges > np.datetime64("2025-12-25")) & (edges < np.datetime64("2026-03-01"))]
    start = datetime(2025, 12, 24, 3, 0, 0, 1, tzinfo=UTC)
    ends = [edge.item().replace(tzinfo=UTC) + timedelta(microseconds=d) for edge in edges for d in (-1, 0, 1)]
    spans = [(start, end) for end in ends] + [(end, start) for end in ends[:3]]
    found = in_sql(engine, version, spans)
    assert found == [micros(compiled.elapsed(a, b)) for a, b in spans]
    assert found[-3:] == [0, 0, 0]


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        # Nghỉ ngày 02/01/2026, làm bù thứ Bảy 10/01/2026: CV 12729/VPCP-KGVX, 25/12/2025.
        ("2026-01-02 00:00+07", "2026-01-03 00:00+07", 0),
        ("2026-01-10 07:30+07", "2026-01-10 17:00+07", 27_000),
        ("2026-01-10 07:29:59+07", "2026-01-10 07:30:01.5+07", Decimal("1.5")),
        ("2026-01-10 11:29:59.999999+07", "2026-01-10 13:30:00.000001+07", Decimal("0.000002")),
        ("2026-02-13 17:00+07", "2026-02-23 07:30+07", 0),
        ("2026-02-13 16:59:59+07", "2026-02-23 07:30:01+07", 2),
        ("2026-02-23 07:30+07", "2026-02-23 07:30+07", 0),
    ],
)
def test_seconds_of_known_spans(engine: Engine, start: str, end: str, seconds: Decimal) -> None:
    version = keep(engine, Calendars(VN.compile()))
    with transaction(engine) as connection:
        values = {"version": version, "a": start, "b": end}
        found = connection.scalar(
            text("SELECT audit.working_seconds(:version, CAST(:a AS timestamptz), CAST(:b AS timestamptz))"), values
        )
    assert found == seconds


def test_a_unit_has_its_own_calendar_and_others_that_of_the_office_at_large(engine: Engine) -> None:
    units = {
        "codes": ["H99.07", "H99.08"],
        "name": "Hai xã ngập lụt",
        "days_off": [{"date": "2026-10-05", "name": "Nghỉ do ngập lụt"}],
    }
    spec = CalendarSpec.model_validate({**VN.model_dump(mode="json"), "units": [units]})
    version = keep(engine, spec.compile_all())
    monday = [(datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 5, 12, tzinfo=UTC))]
    assert in_sql(engine, version, monday, "H99.07") == [0]
    assert in_sql(engine, version, monday, "H99.08") == [0]
    assert in_sql(engine, version, monday, "H99.09") == [27_000]
    assert in_sql(engine, version, monday) == [27_000]


def test_a_calendar_is_written_once_and_shared_by_the_versions_that_have_it(engine: Engine) -> None:
    flood = {"codes": ["H99.07"], "name": "Xã ngập lụt", "days_off": ["2026-10-05"]}
    with_flood = CalendarSpec.model_validate({**VN.model_dump(mode="json"), "units": [flood]})
    plain, changed = VN.compile_all(), with_flood.compile_all()
    keep(engine, plain)
    begun = perf_counter()
    version = keep(engine, changed)
    took = perf_counter() - begun
    with transaction(engine) as connection:
        assert not keep_segments(connection, version, changed)
        kept = connection.execute(text("SELECT compiled_id, count(*) FROM audit.calendar_segments GROUP BY 1")).all()
        size = connection.scalar(text("SELECT pg_total_relation_size('tthc.calendar_segments')"))
    assert sorted(count for _, count in kept) == sorted(
        calendar.segments.opens.size for calendar in (plain.default, changed.of_unit("H99.07"))
    )
    # What the migration promises of size, and no more than a moment to write.
    assert size < 2 * 6_000_000
    assert took < 30


def error_of(engine: Engine, statement: str, **values: Any) -> str:
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text(statement), values)
    return str(caught.value.orig)


def test_what_cannot_be_answered_is_an_error_and_null_stays_null(engine: Engine) -> None:
    version = keep(engine, Calendars(VN.compile()))
    call = "SELECT audit.working_seconds(:version, CAST(:a AS timestamptz), CAST(:b AS timestamptz))"
    for outside in ("1989-12-31 23:59:59+07", "2061-01-01 00:00:00.000001+07", "infinity", "-infinity"):
        for a, b in ((outside, "2026-01-01"), ("2026-01-01", outside)):
            message = error_of(engine, call, version=version, a=a, b=b)
            assert "lies outside calendar version" in message
            assert "Correct the instant" in message
    message = error_of(engine, call, version=version + 1, a="2026-01-01", b="2026-01-02")
    assert "has no segments" in message
    assert "audit.calendar_variants" in message
    with engine.begin() as connection:
        assert connection.scalar(text(call), {"version": version, "a": None, "b": "2026-01-02"}) is None
        assert connection.scalar(text(call), {"version": None, "a": "2026-01-01", "b": "2026-01-02"}) is None
        whole = connection.scalar(
            text(call), {"version": version, "a": "1990-01-01 00:00+07", "b": "2061-01-01 00:00+07"}
        )
    segments = VN.compile().segments
    assert whole == int((segments.closes - segments.opens).astype(np.int64).sum()) // 1_000_000


def test_each_instant_costs_one_look_up_by_the_index(engine: Engine) -> None:
    version = keep(engine, Calendars(VN.compile()))
    probe = (
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT s.cumulative_seconds FROM audit.calendar_segments s "
        "WHERE s.compiled_id = (SELECT compiled_id FROM audit.calendar_variants WHERE calendar_version_id = :version) "
        "AND s.opens <= CAST('2026-10-05 12:00+07' AS timestamptz) ORDER BY s.opens DESC LIMIT 1"
    )
    with engine.begin() as connection:
        plan = connection.scalar(text(probe), {"version": version})
        inside = connection.scalars(
            text("SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relid = 'tthc.calendar_segments'::regclass")
        ).one()
        connection.execute(
            text("SELECT audit.working_seconds(:version, '2026-10-01', '2026-10-05 12:00+07')"), {"version": version}
        )
        after = connection.execute(
            text(
                "SELECT idx_scan, seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables "
                "WHERE relid = 'tthc.calendar_segments'::regclass"
            )
        ).one()
    nodes = json.dumps(plan)
    assert "calendar_segments_pkey" in nodes
    assert "Seq Scan" not in nodes.replace('"Seq Scan", "Parent', "")
    assert after.idx_scan - inside == 2
    assert after.seq_scan == 0


def test_segments_cannot_be_changed(engine: Engine) -> None:
    keep(engine, Calendars(VN.compile()))
    for statement in (
        "UPDATE tthc.calendar_segments SET cumulative_seconds = 0",
        "DELETE FROM tthc.calendar_units",
        "TRUNCATE tthc.calendar_variants CASCADE",
        "DELETE FROM tthc.compiled_calendars",
    ):
        assert "append-only" in error_of(engine, statement)


def test_the_calendar_in_force_is_that_of_the_last_evaluation(engine: Engine) -> None:
    with transaction(engine) as connection:
        assert calendar_in_force(connection) is None
        at = datetime(2026, 10, 1, tzinfo=UTC)
        older = VN.model_copy(update={"days_off": []})
        for spec in (older, VN):
            definition = spec.model_dump(mode="json")
            version = register_calendar(connection, spec.name, spec.compile_all().fingerprint, definition, at)
            connection.execute(
                text(
                    "INSERT INTO tthc.evaluations (started_at, reason, engine_version, ruleset_fingerprint, "
                    "calendar_version_id) VALUES (:at, 'thử', '1', 'x', :version)"
                ),
                {"at": at, "version": version},
            )
        kept = calendar_in_force(connection)
    assert kept is not None
    assert validate(CalendarSpec, Document("kept", dict(kept), {})) == VN


def test_the_query_of_the_document_runs(engine: Engine) -> None:
    document = (Path(__file__).parents[2] / "docs" / "calendars.md").read_text("utf-8")
    found = re.search(r"```sql\n(.*?)```", document, re.DOTALL)
    assert found is not None
    with engine.begin() as connection:
        result = connection.execute(text(found[1].strip().rstrip(";")))
        assert list(result.keys()) == ["code", "rule_code", "hours"]
