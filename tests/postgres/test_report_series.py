"""Several periods in one reading: row by row what each of them gives by itself, frozen or not, by either roll-up.

The histories are made by hypothesis: dossiers that come, end, wait, move their promise or lack one, in any order of days.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from tests.postgres.seed import CALENDAR, ZONE, at, seed
from tests.postgres.seed import Dossier as Told
from tests.postgres.test_unit_versions import keep
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, last_months, previous_period, report_period, same_period_last_year
from tthc_monitor.domain.units import Succession, UnitRegister, UnitVersion
from tthc_monitor.outputs.report import MonthlyReport, build_report
from tthc_monitor.outputs.report_columns import COUNTS, form_columns
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.store.frozen import freeze

NOW = at("2027-02-01", "09:00")
KEYS = ("unit_code", "procedure_code", "sector_code", "kind")
ROW = ", ".join((*KEYS, *COUNTS))
FLOWS = [name for name in COUNTS if name.startswith(("received", "finished"))]

# Days around the bounds of months of both reckonings, with the hour at which one ends.
DAYS = st.builds(
    lambda day, hour: at("2025-10-31", "00:00") + timedelta(days=day, hours=hour),
    st.integers(0, 440),
    st.sampled_from([0, 8, 17]),
)


@st.composite
def dossiers(draw: st.DrawFn) -> list[Told]:
    found = []
    for number in range(draw(st.integers(1, 12))):
        received = draw(st.none() | DAYS)
        due = draw(st.none() | DAYS)
        finished = draw(st.none() | DAYS)
        asked = draw(st.none() | DAYS)
        found.append(
            Told(
                code=f"H-{number}",
                unit=draw(st.sampled_from(["H99.01", "H99.02", "H99.03", None])),
                procedure=draw(st.sampled_from(["1.000001", "1.000003", None])),
                received=received,
                due=due,
                finished=finished,
                status=draw(st.sampled_from([3, 7, 8, 9, 10])) if finished else 4,
                channel=draw(st.sampled_from(["online", "direct"])),
                kind=draw(st.sampled_from(["dossier", "dossier", "petition"])),
                submitted=received,
                supplement=(asked, None) if asked and draw(st.booleans()) else None,
            )
        )
    return found


PERIODS = st.builds(
    report_period,
    st.sampled_from(["2026-01", "2026-11", "2026-Q1", "2026-Q4", "2026-H1", "2026-H2", "2026"]),
    st.sampled_from(["calendar", "nd09"]),
    st.just(ZONE),
)
_NUMBERS_FROM_ONE = """
SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'tthc'::regnamespace
"""
_HALF_NOT_JUDGED = """
UPDATE tthc.dossiers SET observation_id = 1000 + dossier_id WHERE dossier_id % 2 = 0;
INSERT INTO tthc.pending_evaluations SELECT batch_id FROM tthc.observation_batches
"""
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows(connection: Connection, query: str, **values: Any) -> list[tuple[Any, ...]]:
    found = [tuple(row) for row in connection.execute(text(query), values)]
    return sorted(found, key=repr)


def spans(periods: list[Period]) -> list[str]:
    return [f"[{one.start.isoformat()},{one.end.isoformat()})" for one in periods]


def alone(connection: Connection, period: Period) -> list[tuple[Any, ...]]:
    span = {"start": period.start, "end": period.end, "zone": period.zone}
    return rows(connection, f"SELECT {ROW} FROM audit.figures(:start, :end, :zone)", **span)


def report(connection: Connection, period: Period, now: datetime = NOW, **chosen: Any) -> MonthlyReport:
    return build_report(connection, period, now, CALENDAR, settings=ReportSettings(office="x"), **chosen)


@QUICK
@given(told=dossiers(), period=PERIODS, waiting=st.booleans())
def test_several_periods_give_what_each_gives_and_every_equation_holds(
    engine: Engine, told: list[Told], period: Period, waiting: bool
) -> None:
    asked = [period, previous_period(period), same_period_last_year(period), *last_months(period, 12)]
    with engine.connect() as connection:
        # What is rolled back leaves its numbers used.
        connection.execute(text(_NUMBERS_FROM_ONE))
        seed(connection, told)
        if waiting:
            connection.execute(text(_HALF_NOT_JUDGED))
        together = rows(
            connection,
            f"SELECT period, {ROW} FROM audit.figures_of(CAST(:periods AS tstzrange[]), :zone)",
            periods=spans(asked),
            zone=ZONE,
        )
        for number, one in enumerate(asked, start=1):
            assert [row[1:] for row in together if row[0] == number] == alone(connection, one), one
        found = report(connection, period)
        failing = [check.name for check in found.checks if not check.passed]
        assert failing == []
        # What flows in and out of a period is what flows through its months, and its ends are theirs.
        months = [_sums(connection, one) for one in last_months(period, period.months)]
        whole = _sums(connection, period)
        assert {name: sum(month[name] for month in months) for name in FLOWS} == {name: whole[name] for name in FLOWS}
        assert months[0]["carried_over"] == whole["carried_over"]
        assert {name: months[-1][name] for name in COUNTS if name.startswith("pending")} == {
            name: whole[name] for name in COUNTS if name.startswith("pending")
        }
        for before, after in pairwise(months):
            assert sum(before[name] for name in COUNTS if name.startswith("pending")) == after["carried_over"]
        counts = form_columns(found.figures).sum()
        assert len(found.delayed) == counts[10] + counts[13]
        assert found.series.this.counts == {name: int(found.figures[name].sum()) for name in COUNTS}
        assert found.series.months[-1].end <= found.as_of
        connection.rollback()


def _sums(connection: Connection, period: Period) -> dict[str, int]:
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in COUNTS)
    query = text(f"SELECT {sums} FROM audit.figures(:start, :end, :zone) WHERE kind = 'dossier'")
    span = {"start": period.start, "end": period.end, "zone": period.zone}
    return dict(connection.execute(query, span).one()._mapping)


# -- units as then and as now ---------------------------------------------------------------------------------------

MERGED = datetime(2026, 7, 1).date()
OLD, LEFT, NEW, OTHER = "H99.01", "H99.02", "H99.03", "H99.04"


def unit(code: str, name: str, parent: str | None = "H99", **dates: Any) -> UnitVersion:
    return UnitVersion(code, name, "commune", parent, **dates)


REGISTER = UnitRegister(
    [
        UnitVersion("H99", "Tỉnh Mẫu", "province"),
        unit(OLD, "Xã Cũ", valid_to=MERGED),
        unit(LEFT, "Xã Chia", valid_to=MERGED),
        unit(NEW, "Xã Mới", parent="H99.05", valid_from=MERGED),
        unit(OTHER, "Xã Khác"),
        UnitVersion("H99.05", "Khu vực Năm", "district", "H99"),
    ],
    [
        Succession(OLD, NEW, MERGED, "NQ mẫu"),
        # Nobody can say which of two took over a dossier; of one sector it is told.
        Succession(LEFT, NEW, MERGED, "NQ mẫu"),
        Succession(LEFT, OTHER, MERGED, "NQ mẫu"),
        Succession(LEFT, NEW, MERGED, "NQ mẫu", sectors=("H99-HT",)),
    ],
)
LATE = {"received": at("2026-05-04"), "due": at("2026-05-20", "17:00")}
HISTORY = [
    Told("cũ", OLD, "1.000001", **LATE),
    Told("chia, chưa rõ", LEFT, "1.000001", **LATE),
    Told("chia, hộ tịch", LEFT, "1.000004", **LATE),
    Told("mới", NEW, "1.000001", at("2026-08-03"), at("2026-08-10", "17:00"), at("2026-08-11", "08:00"), 9),
    Told("khác", OTHER, "1.000001", at("2026-08-03"), at("2026-12-10", "17:00")),
    Told("không đơn vị", None, "1.000001", at("2026-08-03"), at("2026-08-10", "17:00")),
]
MAY, AUGUST = report_period("2026-05", "calendar", ZONE), report_period("2026-08", "calendar", ZONE)


@pytest.fixture
def merged(engine: Engine) -> Engine:
    keep(engine, REGISTER)
    with engine.begin() as connection:
        seed(connection, HISTORY)
    return engine


def told_by_unit(found: MonthlyReport) -> dict[str, int]:
    """Dossiers by unit, and that the list of delayed ones is of the same units."""
    counts = form_columns(found.figures)
    by_unit = counts[3].groupby(found.figures["unit_code"]).sum().to_dict()
    late = (counts[10] + counts[13]).groupby(found.figures["unit_code"]).sum()
    listed = found.delayed.groupby("unit_code").size()
    assert {code: n for code, n in late.items() if n} == listed.to_dict()
    ranked = found.units.set_index("unit_code")["late"]
    assert ranked[ranked > 0].to_dict() == listed.to_dict()
    return {str(code): int(count) for code, count in by_unit.items()}


def test_as_then_a_unit_is_what_it_was_as_now_it_is_who_took_it_over(merged: Engine) -> None:
    with merged.connect() as connection:
        then, now = report(connection, MAY), report(connection, MAY, units_as="now")
    assert told_by_unit(then) == {OLD: 1, LEFT: 2}
    # Of the two of Xã Chia the one of the sector that a decision names is Xã Mới's; the other is nobody's for certain.
    assert told_by_unit(now) == {NEW: 2, LEFT: 1}
    assert now.delayed.set_index("code")["unit_name"].to_dict() == {
        "cũ": "Xã Mới", "chia, hộ tịch": "Xã Mới", "chia, chưa rõ": "Xã Chia"
    }  # fmt: skip
    assert then.unit_notes == ()
    by_law, unclear = now.unit_notes
    assert "đơn vị chịu trách nhiệm ngày 01/02/2027" in by_law
    assert "Xã Chia (1 hồ sơ); hồ sơ để ở đơn vị cũ." in unclear


def test_a_unit_is_meant_with_those_below_it_on_the_last_day_of_the_period(merged: Engine) -> None:
    with merged.connect() as connection:
        province = report(connection, MAY, units=["H99"])
        area = report(connection, AUGUST, units=["H99.05"])
        itself = report(connection, AUGUST, units=["H99.05"], subtree=False)
        before = report(connection, MAY, units=["H99.05"])
        today = report(connection, MAY, units=["H99.05"], units_as="now")
    assert told_by_unit(province) == {OLD: 1, LEFT: 2}
    assert province.scope == ("Tỉnh Mẫu và các đơn vị trực thuộc",)
    assert told_by_unit(area) == {NEW: 1} and area.scope == ("Khu vực Năm và các đơn vị trực thuộc",)
    assert told_by_unit(itself) == {} and itself.scope == ("Khu vực Năm",)
    assert told_by_unit(before) == {}, "Xã Mới was not there yet"
    assert told_by_unit(today) == {NEW: 2}
    assert "Xã Chia (1 hồ sơ)" in today.unit_notes[-1] and "chỉ tính vào báo cáo khi" in today.unit_notes[-1]


def test_without_a_register_a_report_says_that_nothing_is_known_below(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, HISTORY)
    with engine.connect() as connection:
        found = report(connection, AUGUST, units=[OTHER])
        with pytest.raises(ConfigError, match=r"no source has named a unit 'H98' so far; correct the code"):
            report(connection, AUGUST, units=[OTHER, "H98"])
    assert told_by_unit(found) == {OTHER: 1}
    assert found.unit_notes[0].startswith("Chưa nhập danh mục đơn vị")


def test_roll_ups_are_those_of_figures_by_unit(merged: Engine) -> None:
    span = {"start": MAY.start, "end": MAY.end, "zone": ZONE, "periods": spans([MAY]), "at": NOW.date()}
    sums = ", ".join(f"sum({name})::bigint" for name in COUNTS)
    with merged.connect() as connection:
        for roll_up in ("then", "now"):
            together = rows(
                connection,
                f"SELECT unit_code, ambiguous, sector_code, kind, {', '.join(COUNTS)} "
                "FROM audit.reported_figures_of(CAST(:periods AS tstzrange[]), :roll_up, :zone, :at)",
                **span,
                roll_up=roll_up,
            )
            by_itself = rows(
                connection,
                f"SELECT unit_code, ambiguous, sector_code, kind, {sums} "
                "FROM audit.figures_by_unit(:start, :end, :roll_up, :zone, :at) GROUP BY 1, 2, 3, 4",
                **span,
                roll_up=roll_up,
            )
            assert together == by_itself
            assert len(together) == {"then": 3, "now": 3}[roll_up]


# -- frozen periods, periods without data ---------------------------------------------------------------------------


def test_a_frozen_period_gives_its_frozen_figures_wherever_it_is_shown(merged: Engine) -> None:
    quarter = report_period("2026-Q2", "nd09", ZONE)
    with merged.begin() as connection:
        freeze(connection, MAY, "Trần Thị B", NOW)
        freeze(connection, quarter, "Trần Thị B", NOW)
        connection.execute(text("DELETE FROM tthc.flags"))
        connection.execute(text("UPDATE tthc.dossiers SET finished_at = received_at WHERE code = 'cũ'"))
    june = report_period("2026-06", "calendar", ZONE)
    with merged.connect() as connection:
        own, after = report(connection, MAY), report(connection, june)
        by_law = report(connection, quarter)
        now = report(connection, MAY, units_as="now")
    assert own.series.this.frozen and own.series.this.counts["pending_overdue"] == 3
    assert after.series.before.frozen and after.series.before.counts == own.series.this.counts
    assert [month.frozen for month in after.series.months[-2:]] == [True, False]
    assert by_law.frozen is not None and by_law.errata
    assert told_by_unit_of_figures(now) == {NEW: 2, LEFT: 1}


def told_by_unit_of_figures(found: MonthlyReport) -> dict[str, int]:
    counts = form_columns(found.figures)[3].groupby(found.figures["unit_code"]).sum()
    return {str(code): int(count) for code, count in counts.items()}


def test_a_period_that_the_store_holds_nothing_of_is_not_nought(merged: Engine) -> None:
    with merged.connect() as connection:
        found = report(connection, AUGUST)
    assert [found.series.this.known, found.series.before.known, found.series.year_ago.known] == [True, False, False]
    comparison, trend = found.topics[:2]
    first = comparison.words()["so_sanh"][0]
    assert first == {
        "chi_tieu": "Tiếp nhận mới trong kỳ",
        "ky_nay": 3,
        "ky_truoc": "không có dữ liệu",
        "tang_giam": "không có dữ liệu",
        "cung_ky": "không có dữ liệu",
        "tang_giam_cung_ky": "không có dữ liệu",
    }
    assert [(row["thang"], row["moi"]) for row in trend.words()["xu_huong"]] == [("05/2026", 3), ("08/2026", 3)]
    assert trend.words()["ghi_chu_xu_huong"][0].endswith("04/2026, 06/2026, 07/2026: không có dữ liệu.")
    months = trend.tables()[0].rows.set_index("month")
    assert len(months) == 12 and months.loc["07/2026", "received"] is None
    assert months.loc["07/2026", "remark"] == "không có dữ liệu"
    table = comparison.tables()[0].rows.set_index("indicator")
    assert table.loc["Tiếp nhận mới trong kỳ", "previous_period"] is None


ENDED = [
    Told(
        f"{month}-{n}",
        OTHER,
        "1.000001",
        at(f"2026-{month}-02"),
        at(f"2026-{month}-10", "17:00"),
        at(f"2026-{month}-{day}"),
        9,
    )
    for month, days in {"07": "05", "08": "05 05 12", "09": "05 05 05 12", "10": "05"}.items()
    for n, day in enumerate(days.split())
]


def test_what_was_not_watched_from_its_first_day_is_neither_best_nor_compared(engine: Engine) -> None:
    september = report_period("2026-09", "calendar", ZONE)
    with engine.connect() as connection:
        seed(connection, ENDED)
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        topics = {}
        for first_day in ("2026-08-01", "2026-08-02"):
            connection.execute(text("UPDATE tthc.observation_batches SET seen_at = :seen"), {"seen": at(first_day)})
            topics[first_day] = report(connection, september, at("2026-10-20")).topics[:2]
        connection.rollback()
    (comparison, trend), (partly, short) = topics.values()
    # July, all in time, was over before anybody looked; October has not ended.
    assert trend.words()["cau_xu_huong"].replace("\N{NO-BREAK SPACE}", " ") == (
        "Trong 02 tháng có số liệu đầy đủ, tỷ lệ giải quyết đúng hạn cao nhất là 75,00 % (tháng 9 năm 2026, trên 4 hồ sơ), thấp nhất "
        "là 66,67 % (tháng 8 năm 2026, trên 3 hồ sơ)."
    )
    assert trend.tables()[0].rows.set_index("month").loc["07/2026", "remark"] == "không ghi nhận trọn tháng"
    assert comparison.words()["so_sanh"][0]["tang_giam"] == "+1"
    assert short.words()["cau_xu_huong"] == ""
    said = partly.words()["so_sanh"][0]
    assert (said["ky_truoc"], said["tang_giam"]) == (3, "không so sánh được")
    assert partly.tables()[0].rows["change"].isna().all()
    assert "Hồ sơ được ghi nhận từ ngày 02/08/2026" in partly.words()["ghi_chu_so_sanh"][-1]
