"""One published number, one definition: every place that tells what is overdue tells the same, unit by unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import get_args

import httpx
import pytest
import stamina
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from rules.loader import load_packs
from tests.postgres.audited import audited, snapshotted
from tests.shared_data import shared
from tthc_monitor.domain.periods import Reckoning, calendar_month, report_period
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import pull_source
from tthc_monitor.judging import snapshot
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.outputs.digest import build_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.metrics import UNKNOWN
from tthc_monitor.outputs.report import MonthlyReport, build_report
from tthc_monitor.outputs.report_columns import form_columns
from tthc_monitor.outputs.report_comparison import Comparison
from tthc_monitor.outputs.report_petitions import Petitions
from tthc_monitor.outputs.report_progress import Progress
from tthc_monitor.outputs.report_trend import Trend
from tthc_monitor.rebuild import check
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.serving import WebServer
from tthc_monitor.settings import load_settings
from tthc_monitor.simulator.server import SimulatedServer
from tthc_monitor.simulator.world import World
from tthc_monitor.store.database import transaction
from tthc_monitor.verification import verify
from tthc_monitor.web import make_app, scrape_settings

EXAMPLE = Path(__file__).parents[2] / "examples/boston311/tthc-monitor.yaml"
Counts = Counter[str]


@dataclass
class Clock:
    """A clock set by hand."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Told:
    """What one place tells of each unit, by code ('' is no unit); units with none are left out."""

    overdue: Counts
    open: Counts
    finished_late: Counts


def told(overdue: Counts, opened: Counts, finished_late: Counts) -> Told:
    return Told(+overdue, +opened, +finished_late)


def from_auditors_view(installation: Installation) -> Told:
    """Counted by an auditor, straight from the verdicts."""
    query = (
        "SELECT coalesce(unit_code, ''), count(*) FILTER (WHERE verdict = 'open_overdue'), "
        "count(*) FILTER (WHERE verdict <> 'not_received' AND (ended_at > :now) IS NOT FALSE), "
        "count(*) FILTER (WHERE verdict = 'late') "
        "FROM audit.verdicts_as_of(:now) WHERE kind = 'dossier' GROUP BY 1"
    )
    with installation.engine.connect() as connection:
        rows = connection.execute(text(query), {"now": installation.now()}).all()
    return told(*(Counter({row[0]: row[column] for row in rows}) for column in (1, 2, 3)))


def from_metrics(installation: Installation) -> Told:
    """Scraped from the page and parsed as Prometheus does."""
    with WebServer(make_app(installation.engine, scrape_settings(installation)), "127.0.0.1", 0) as web:
        answer = httpx.get(f"{web.url}/metrics", timeout=20, trust_env=False)
    found: dict[str, Counts] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            unit = sample.labels.get("unit", "")
            found.setdefault(sample.name, Counter())["" if unit == UNKNOWN else unit] += int(sample.value)
    assert found["tthc_database_up"][""] == 1 and found["tthc_series_dropped"][""] == 0
    return told(
        found.get("tthc_dossiers_overdue", Counter()),
        found["tthc_dossiers_open"],
        found["tthc_dossiers_finished_late_total"],
    )


def seen_to_end_late(installation: Installation) -> Counts:
    """Counted by an auditor: dossiers that are known to end late, those too whose end is still to come."""
    query = "SELECT coalesce(unit_code, ''), count(*) FROM audit.verdicts_as_of('2060-01-01') WHERE kind = 'dossier' AND verdict = 'late' GROUP BY 1"
    with installation.engine.connect() as connection:
        return Counter(dict(connection.execute(text(query)).all()))


def from_report(installation: Installation, month: str) -> Told:
    """The report of a month that is not over, and of all before it what is still in its figures."""
    settings = installation.settings
    with transaction(installation.engine) as connection:
        report = build_report(
            connection,
            calendar_month(month, settings.zone),
            installation.now(),
            settings.calendar.compile(),
            settings=ReportSettings(office="x"),
        )
    assert report.clipped
    failing = [check.name for check in report.checks if not check.passed]
    assert failing == []
    units = report.units.set_index("unit_code")
    pending = units["pending_in_time"] + units["pending_overdue"] + units["pending_unknown"]
    assert_topics_agree(installation, report)
    listed = report.delayed[report.delayed["verdict"] == "open_overdue"]["unit_code"]
    assert +Counter(listed) == +Counter(units["pending_overdue"].to_dict()), "the list behind the figure"
    return told(
        Counter(units["pending_overdue"].to_dict()),
        Counter(pending.to_dict()),
        Counter(units["finished_late"].to_dict()),
    )


def assert_topics_agree(installation: Installation, report: MonthlyReport) -> None:
    """Comparison, trend and score tell what auditors are told when they ask for the same."""
    [comparison] = [topic for topic in report.topics if isinstance(topic, Comparison)]
    [trend] = [topic for topic in report.topics if isinstance(topic, Trend)]
    [progress] = [topic for topic in report.topics if isinstance(topic, Progress)]
    [petitions] = [topic for topic in report.topics if isinstance(topic, Petitions)]
    span = {"start": report.period.start, "end": report.as_of, "zone": report.period.zone}
    with installation.engine.connect() as connection:
        received, finished, late = connection.execute(
            text(
                "SELECT sum(received_online + received_direct), sum(finished_early + finished_on_time + finished_late + "
                "finished_unknown), sum(finished_late) FROM audit.reported_figures(:start, :end, :zone) WHERE kind = 'dossier'"
            ),
            span,
        ).one()
        scores = {
            row.unit_code or "": (row.total_received, row.total_on_time, float(row.score))
            for row in connection.execute(text("SELECT * FROM audit.progress_766(:start, :end)"), span)
        }
        shares = {
            row.unit_code or "": (row.handled_on_time, row.handled_late + row.open_late, row.on_time_percent)
            for row in connection.execute(text("SELECT * FROM audit.petition_shares(:start, :end)"), span)
        }
    told_now = {row["chi_tieu"]: row["ky_nay"] for row in comparison.words()["so_sanh"]}
    assert told_now["Tiếp nhận mới trong kỳ"] == received
    assert (told_now["Đã giải quyết"], told_now["Đã giải quyết quá hạn"]) == (finished, late)
    assert told_now["Tỷ lệ giải quyết đúng hạn"] == Decimal(str(report.total["on_time_percent"]))
    newest = trend.words()["xu_huong"][-1]
    assert (newest["moi"], newest["da_giai_quyet"], newest["da_qua_han"]) == (received, finished, late)
    scored = progress.tables()[0].rows.set_index("unit_code")
    assert {code: tuple(row) for code, row in scored.iloc[:-1][["received", "on_time", "score"]].iterrows()} == scores
    assert scored.iloc[-1]["received"] == sum(received for received, _, _ in scores.values())
    handled = petitions.tables()[0].rows
    assert set(handled["unit_code"]) - {""} == set(shares) - {""}
    assert handled["handled_on_time"].iloc[:-1].sum() == sum(on_time for on_time, _, _ in shares.values())


def from_digest(installation: Installation, codes: set[str]) -> tuple[Counts, Counts, int, int]:
    """Overdue and open by unit, each from that unit's own digest; and of the digest for all."""
    facts = digest_facts(installation)
    own = {code: build_digest(facts, Audience(frozenset({code}))).counts for code in codes}
    every = build_digest(facts).counts
    return (
        Counter({code: counts["overdue"] for code, counts in own.items()}),
        Counter({code: counts["open"] for code, counts in own.items()}),
        every["overdue"],
        every["open"],
    )


def digest_facts(installation: Installation) -> DigestFacts:
    with transaction(installation.engine) as connection:
        return read_digest_facts(connection, installation.now(), installation.calendars)


def assert_digests_tell_what_metrics_and_auditors_find(installation: Installation) -> None:
    """Every figure that a unit's digest shares with the metrics or with a question of an auditor."""
    facts, scraped = digest_facts(installation), snapshotted(installation.engine)
    query = (
        "SELECT coalesce(d.unit_code, ''), f.rule_code, count(*) FROM audit.flags_in_force f JOIN audit.dossiers d "
        "USING (dossier_id) WHERE d.kind = 'dossier' AND f.starts_at <= :now AND f.ends_at > :now "
        "AND (d.ended_at > :now) IS NOT FALSE GROUP BY 1, 2"
    )
    with installation.engine.connect() as connection:
        found = {(unit, rule): n for unit, rule, n in connection.execute(text(query), {"now": installation.now()})}
    for unit in {*facts.units["unit_code"], *facts.attention["unit_code"]}:
        counts = Counter(build_digest(facts, Audience(frozenset({unit}))).counts)
        shared = {
            "tthc_dossiers_open": "open",
            "tthc_dossiers_overdue": "overdue",
            "tthc_dossiers_cannot_tell": "cannot_tell",
            "tthc_dossiers_due_soon": "due_soon",
            "tthc_dossiers_supplement_requested": "supplement_requested",
            "tthc_petitions_overdue": "petitions_overdue",
        }
        assert {name: counts[key] for name, key in shared.items()} == {
            name: scraped.get((name, unit), 0) for name in shared
        }, unit
        # Flagged for good; what somebody has done about since is counted apart.
        told = {
            rule: counts[rule] + counts[f"{rule}_before"]
            for rule in ("due_today", "due_soon_24h", "waiting_long", "acknowledged_late", "apology_missing")
        }
        assert told == {rule: found.get((unit, rule), 0) for rule in told}, unit


def assert_all_agree(installation: Installation, month: str, *, since_ever: bool) -> Told:
    """Every place tells the same; ``since_ever``: nothing was finished before the report's month."""
    snapshot(installation)
    truth = from_auditors_view(installation)
    metrics = from_metrics(installation)
    assert replace(metrics, finished_late=truth.finished_late) == truth
    assert metrics.finished_late == seen_to_end_late(installation)
    assert snapshotted(installation.engine) == audited(
        installation.engine, installation.now(), installation.settings.zone
    )
    report = from_report(installation, month)
    assert replace(report, finished_late=truth.finished_late) == truth
    if since_ever:
        assert report == truth
    else:
        assert all(count <= truth.finished_late[unit] for unit, count in report.finished_late.items())
    overdue, opened, all_overdue, all_open = from_digest(installation, {*truth.open, *truth.overdue})
    assert +overdue == truth.overdue
    assert +opened == truth.open
    assert (all_overdue, all_open) == (truth.overdue.total(), truth.open.total())
    assert_digests_tell_what_metrics_and_auditors_find(installation)
    return truth


def installed(engine: Engine, config: Path, clock: Clock) -> Installation:
    settings = load_settings(config)
    return Installation(settings, engine, load_packs(settings.rules.packs, settings.base_dir), clock, config.parent)


@pytest.fixture
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def simulated(engine: Engine, tmp_path: Path, no_waiting: None) -> Iterator[Callable[[datetime], Installation]]:
    """The simulated province, pulled over HTTP; each call goes on to a later instant and pulls again."""
    origin = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    clock = Clock(origin)
    with SimulatedServer(World(7, origin, dossiers=600), clock=clock) as server:
        options = {
            "url": server.url,
            "group_id": server.group_id,
            "username": server.username,
            "password": server.password,
        }
        config = tmp_path / "x.yaml"
        source = {"name": "tinh-mau", "kind": "opencps", "options": options}
        config.write_text(yaml.safe_dump({"sources": [source]}), encoding="utf-8")
        installation = installed(engine, config, clock)

        def go_to(instant: datetime) -> Installation:
            clock.at = instant
            pull_source(installation, installation.settings.sources[0])
            return installation

        yield go_to


def test_in_the_simulated_province_every_place_tells_the_same(
    simulated: Callable[[datetime], Installation],
) -> None:
    start = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    truth = assert_all_agree(simulated(start), "2026-11", since_ever=False)
    assert truth.overdue.total() > 5 and len(truth.overdue) > 3 and truth.finished_late.total() > 10
    later = assert_all_agree(simulated(start + timedelta(days=4, minutes=7)), "2026-11", since_ever=False)
    assert later != truth
    assert_the_ledger_tells_the_same(simulated(start + timedelta(days=11, hours=1)))


def assert_the_ledger_tells_the_same(installation: Installation) -> None:
    """Projection and flags are made anew from the ledger alone, and the ledger is recomputed from its rows."""
    done = check(installation.engine, installation.grounds(), now=installation.now)
    assert (done.projection, done.flags_differing) == ((), ())
    assert done.dossiers > 500 and done.flags > 500
    verify(installation.engine).require()


def test_time_alone_moves_every_place_alike(simulated: Callable[[datetime], Installation]) -> None:
    installation = simulated(datetime(2026, 11, 20, 3, 0, tzinfo=UTC))
    before = from_auditors_view(installation)
    installation = replace(installation, now=Clock(datetime(2026, 11, 27, 9, 31, tzinfo=UTC)))
    after = assert_all_agree(installation, "2026-11", since_ever=False)
    assert after.overdue.total() > before.overdue.total(), "nothing was pulled and nothing judged, and more is overdue"


@pytest.mark.parametrize(
    ("now", "month"),
    [
        (datetime(2015, 1, 28, 16, 30, 1, tzinfo=UTC), "2015-01"),
        (datetime(2015, 3, 17, 20, 0, 0, 1, tzinfo=UTC), "2015-03"),
        (datetime(2016, 1, 13, 3, 22, 40, tzinfo=UTC), "2016-01"),
    ],
    ids=["in January", "in March", "as the city looked"],
)
def test_in_boston_every_place_tells_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, now: datetime, month: str
) -> None:
    monkeypatch.setenv("BOSTON311_CSV", str(shared("boston311_2015q1/cases.csv.gz")))
    installation = installed(engine, EXAMPLE, Clock(now))
    pull_source(installation, installation.settings.sources[0])
    truth = assert_all_agree(installation, month, since_ever=month == "2015-01")
    assert truth.overdue.total() > 100 and truth.finished_late.total() > 100
    if month == "2016-01":
        assert_the_ledger_tells_the_same(installation)
        assert_the_form_holds_month_by_month(installation)


def assert_the_form_holds_month_by_month(installation: Installation) -> None:
    """The equations, what goes over from month to month, and the quarter as the sum of its months; by both reckonings."""
    zone, calendar = installation.settings.zone, installation.settings.calendar.compile()
    for reckoning in get_args(Reckoning):
        names = ("2015-01", "2015-02", "2015-03", "2015-04", "2015-Q1")
        with transaction(installation.engine) as connection:
            reports = {
                name: build_report(
                    connection,
                    report_period(name, reckoning, zone),
                    installation.now(),
                    calendar,
                    settings=ReportSettings(office="x"),
                )
                for name in names
            }
        for report in reports.values():
            assert [check.name for check in report.checks if not check.passed] == []
        for before, after in pairwise(names[:4]):
            pending = form_columns(reports[before].figures)[11].sum()
            assert pending == form_columns(reports[after].figures)[6].sum() and (pending > 1000 or before == "2015-01")
        months = [form_columns(reports[name].figures).sum() for name in names[:3]]
        quarter = form_columns(reports["2015-Q1"].figures).sum()
        for column in (4, 5, 8, 9, 10, 14):
            assert sum(month[column] for month in months) == quarter[column]
        assert [months[-1][column] for column in (11, 12, 13, 15)] == [quarter[column] for column in (11, 12, 13, 15)]
        assert reports["2015-Q1"].series.months[-1].counts == reports["2015-03"].series.this.counts
