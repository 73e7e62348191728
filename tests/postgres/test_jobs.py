"""When jobs are due, and that of any number of processes exactly one does what a slot asks for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from rules.loader import load_packs
from tests.postgres.test_ingest import pull_told
from tests.postgres.test_ledger import Sheet, query, record
from tests.postgres.test_ledger import told as sheets
from tthc_monitor import delivery, outbox_digest, outbox_report, running, scheduler
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import (
    ConfigError,
    DatabaseError,
    DeliveryError,
    PermanentSourceError,
    TransientSourceError,
)
from tthc_monitor.domain.periods import calendar_month, nd09_month, report_period
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.ingest import pull
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import Every, Job, Monthly, OnAnyWorkingDay, all_jobs, run_if_due
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.settings import load_settings, shipped_calendar
from tthc_monitor.store import job_runs
from tthc_monitor.store.database import make_engine, transaction


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
CALENDAR = validate(CalendarSpec, shipped_calendar("vn")).compile()
START = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEASE = timedelta(minutes=10)


def hanoi(text: str) -> datetime:
    """A local instant in UTC, as the program's clock gives it."""
    return datetime.fromisoformat(text).replace(tzinfo=HANOI).astimezone(UTC)


# -- when -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "now", "slot"),
    [
        (10 * MINUTE, "2026-01-05T10:00:00", "2026-01-05T10:00:00"),
        (10 * MINUTE, "2026-01-05T10:09:59.999999", "2026-01-05T10:00:00"),
        (30 * timedelta(seconds=1), "2026-01-05T10:00:59", "2026-01-05T10:00:30"),
        (6 * HOUR, "2026-01-05T10:00:00", "2026-01-05T07:00:00"),
        (DAY, "2026-01-05T06:59:59", "2026-01-04T07:00:00"),
    ],
)
def test_a_slot_at_each_multiple_of_the_period(period: timedelta, now: str, slot: str) -> None:
    assert Every(period).slot(hanoi(now)) == hanoi(slot)
    assert Every(period).slot(hanoi(now).astimezone(HANOI)) == hanoi(slot), "whatever the zone of the clock"


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2026-01-05T07:29:59.999999", None),
        ("2026-01-05T07:30:00", "2026-01-05T07:30:00"),
        ("2026-01-05T23:59:59", "2026-01-05T07:30:00"),
        ("2026-01-06T00:00:00", None),
        ("2026-01-10T07:30:00", "2026-01-10T07:30:00"),  # a Saturday worked for the Friday before
        ("2026-01-02T12:00:00", None),  # that Friday
        ("2026-01-03T12:00:00", None),  # a Saturday as usual
        ("2026-01-01T12:00:00", None),
        ("2026-02-17T12:00:00", None),
    ],
)
def test_a_slot_on_each_working_day_until_midnight(now: str, slot: str | None) -> None:
    found = OnAnyWorkingDay(time(7, 30), (CALENDAR,)).slot(hanoi(now))
    assert found == (None if slot is None else hanoi(slot))


@pytest.mark.parametrize(
    ("day", "now", "slot"),
    [
        (1, "2026-01-01T06:00:00", "2026-01-01T06:00:00"),
        (1, "2026-01-01T05:59:59", "2025-12-01T06:00:00"),
        (1, "2026-01-31T23:00:00", "2026-01-01T06:00:00"),
        (28, "2026-02-28T06:00:00", "2026-02-28T06:00:00"),
        (28, "2026-03-01T00:00:00", "2026-02-28T06:00:00"),
        (15, "2026-01-14T06:00:00", "2025-12-15T06:00:00"),
        (15, "2026-03-31T12:00:00", "2026-03-15T06:00:00"),
    ],
)
def test_a_slot_on_one_day_of_each_month(day: int, now: str, slot: str) -> None:
    assert Monthly(day, time(6), "Asia/Ho_Chi_Minh").slot(hanoi(now)) == hanoi(slot)


# -- who ------------------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """A clock set by hand."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Counted:
    """Something to do that counts how often it was done, and may fail."""

    done: list[datetime] = field(default_factory=list)
    failure: BaseException | None = None

    def __call__(self, installation: Installation) -> None:
        self.done.append(installation.now())
        if self.failure is not None:
            raise self.failure


CONFIG = """
digest: {at: "07:30", transport: directory, directory: thu, recipients: [{address: van-phong@mau.example.vn}]}
report: {day: 5, at: "06:00", directory: bao-cao}
"""


@pytest.fixture
def installation(engine: Engine, tmp_path: Path) -> Installation:
    (tmp_path / "x.yaml").write_text(CONFIG, encoding="utf-8")
    settings = load_settings(tmp_path / "x.yaml")
    clock = Clock()
    return Installation(settings, engine, load_packs(("core",), tmp_path), clock, tmp_path, lease_clock=clock)


def at(installation: Installation, instant: datetime) -> Installation:
    """The same installation at another instant."""
    clock = Clock(instant)
    return replace(installation, now=clock, lease_clock=clock)


def job(run: Callable[[Installation], None], period: timedelta = HOUR) -> Job:
    return Job("việc", Every(period), run, LEASE)


def claim_by_another(installation: Installation, now: datetime) -> None:
    """Another process takes the first slot, and is not heard of again."""
    with transaction(installation.engine) as connection:
        held = job_runs.claim(connection, "việc", START, now, LEASE, by="khác", clock=Clock(now))
    assert held is not None


def history(engine: Engine) -> list[tuple[Any, ...]]:
    return query(engine, "SELECT scheduled_for, finished_at, outcome, detail FROM tthc.job_runs ORDER BY 1")


def test_a_slot_is_done_once(installation: Installation) -> None:
    counted = Counted()
    assert run_if_due(installation, job(counted))
    assert not run_if_due(at(installation, START + 59 * MINUTE), job(counted))
    assert run_if_due(at(installation, START + HOUR), job(counted))
    assert counted.done == [START, START + HOUR]
    assert history(installation.engine) == [(START, START, "ok", None), (START + HOUR, START + HOUR, "ok", None)]


def test_slots_missed_are_made_up_by_one_run(installation: Installation) -> None:
    counted = Counted()
    assert run_if_due(installation, job(counted))
    assert run_if_due(at(installation, START + 50 * HOUR + MINUTE), job(counted))
    assert [scheduled for scheduled, *_ in history(installation.engine)] == [START, START + 50 * HOUR]


def test_of_eight_that_try_one_slot_exactly_one_runs(installation: Installation) -> None:
    counted, together = Counted(), threading.Barrier(8, timeout=20)

    def attempt(_: int) -> bool:
        together.wait()
        return run_if_due(installation, job(counted))

    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            counted.done.clear()
            assert sorted(pool.map(attempt, range(8))) == [False] * 7 + [True]
            assert len(counted.done) == 1
            installation.now.at += HOUR  # type: ignore[attr-defined]


def test_a_run_still_going_is_left_alone_and_one_that_died_is_taken_over(installation: Installation) -> None:
    claim_by_another(installation, START)
    counted = Counted()
    assert not run_if_due(at(installation, START + LEASE), job(counted))
    assert counted.done == []
    assert run_if_due(at(installation, START + LEASE + timedelta(microseconds=1)), job(counted))
    assert [outcome for _, _, outcome, _ in history(installation.engine)] == ["ok"]
    assert not run_if_due(at(installation, START + 2 * LEASE + MINUTE), job(counted)), "a finished run is nobody's"
    assert len(counted.done) == 1


def test_a_lease_is_taken_over_by_one_only(installation: Installation) -> None:
    claim_by_another(installation, START)
    late, counted, together = at(installation, START + 2 * LEASE), Counted(), threading.Barrier(8, timeout=20)

    def attempt(_: int) -> bool:
        together.wait()
        return run_if_due(late, job(counted))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert len(counted.done) == 1


@pytest.mark.parametrize(
    ("failure", "detail"),
    [
        (PermanentSourceError("the password is wrong; correct it"), "the password is wrong; correct it"),
        (DeliveryError("no such address; correct it", permanent=True), "no such address; correct it"),
        (PermanentSourceError("nul \x00 quoted; mend it"), "nul \ufffd quoted; mend it"),
    ],
)
def test_a_failed_run_is_recorded_and_the_next_slot_runs(
    installation: Installation, failure: Exception, detail: str
) -> None:
    counted = Counted(failure=failure)
    assert run_if_due(installation, job(counted))
    assert history(installation.engine) == [(START, START, "failed", detail)]
    assert not run_if_due(installation, job(counted)), "its slot is over"
    counted.failure = None
    assert run_if_due(at(installation, START + HOUR), job(counted))
    assert [outcome for _, _, outcome, _ in history(installation.engine)] == ["failed", "ok"]


def test_of_an_unexpected_error_its_class_and_place_are_recorded_not_its_text(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_if_due(installation, job(Counted(failure=ValueError("could not append Nguyễn Văn Mẫu"))))
    [(_, _, outcome, detail)] = history(installation.engine)
    assert outcome == "failed"
    assert re.fullmatch(r"unexpected ValueError at test_jobs\.py:\d+; report it, with what was done", detail)
    told = "".join(capsys.readouterr())
    assert "job_failed" in told and "Nguyễn Văn Mẫu" not in told


@pytest.mark.parametrize(
    "failure",
    [
        TransientSourceError("the source sleeps \x00; it is tried again"),
        DatabaseError("the database sleeps \x00; it is tried again"),
        DeliveryError("the mail server sleeps \x00; it is tried again"),
    ],
)
def test_what_passes_by_itself_is_tried_again_in_the_same_slot(installation: Installation, failure: Exception) -> None:
    counted = Counted(failure=failure)
    assert run_if_due(installation, job(counted))
    told = str(failure).replace("\x00", "\ufffd")
    assert history(installation.engine) == [(START, None, "failed", told)]
    assert not run_if_due(at(installation, START + 5 * MINUTE), job(counted)), "not before the back-off is over"
    again = START + 5 * MINUTE + timedelta(seconds=1)
    assert run_if_due(at(installation, again), job(counted))
    assert history(installation.engine) == [(START, None, "failed", told)]
    counted.failure = None
    last = again + 6 * MINUTE
    assert run_if_due(at(installation, last), job(counted))
    assert history(installation.engine) == [(START, last, "ok", None)]
    assert not run_if_due(at(installation, last + 6 * MINUTE), job(counted))


@pytest.mark.parametrize(("period", "late"), [(MINUTE, 0 * MINUTE), (5 * MINUTE, 0 * MINUTE), (HOUR, 56 * MINUTE)])
def test_where_a_new_slot_comes_before_the_back_off_is_over_the_old_one_is_over(
    installation: Installation, period: timedelta, late: timedelta
) -> None:
    counted = Counted(failure=TransientSourceError("the source sleeps; it is tried again"))
    assert run_if_due(at(installation, START + late), job(counted, period))
    assert [(finished, outcome) for _, finished, outcome, _ in history(installation.engine)] == [
        (START + late, "failed")
    ]


def test_a_digest_that_failed_is_tried_again_until_midnight(installation: Installation) -> None:
    counted = Counted(failure=DeliveryError("the mail server sleeps; it is tried again"))
    mornings = Job("thư", OnAnyWorkingDay(time(7, 30), (CALENDAR,)), counted, LEASE)
    tries = [
        run_if_due(at(installation, hanoi(f"2026-01-0{now}")), mornings)
        for now in ("5T07:30", "5T07:34", "5T07:36", "5T23:58", "6T00:05", "6T07:29", "6T07:30")
    ]
    assert tries == [True, False, True, True, False, False, True]


def test_a_run_in_a_slot_given_back_shows_no_old_failure(installation: Installation) -> None:
    run_if_due(installation, job(Counted(failure=TransientSourceError("the source sleeps; try again"))))
    seen: list[Any] = []
    run_if_due(at(installation, START + 6 * MINUTE), job(lambda own: seen.extend(history(own.engine))))
    assert seen == [(START, None, None, None)]


def test_a_slow_run_that_was_overtaken_gives_nothing_back(installation: Installation) -> None:
    def overtaken(own: Installation) -> None:
        claim_by_another(own, START + 2 * LEASE)
        raise TransientSourceError("the source sleeps; try again")

    run_if_due(installation, job(overtaken))
    assert history(installation.engine) == [(START, None, None, None)]
    with transaction(installation.engine) as connection:
        assert job_runs.is_taken(connection, "việc", START, Clock(START + 2 * LEASE))


def test_a_database_that_is_down_is_a_warning_and_no_run(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = Counted()
    gone = make_engine("postgresql://ai@127.0.0.1:1/ten?connect_timeout=2")
    assert not run_if_due(replace(installation, engine=gone), job(counted))
    gone.dispose()
    said = "".join(capsys.readouterr())
    assert counted.done == []
    assert "cannot be reached" in said and "Traceback" not in said


def test_a_database_that_goes_down_during_a_run_is_a_warning(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise DatabaseError("the database cannot be reached; check that it runs")

    monkeypatch.setattr(job_runs, "finish", down)
    monkeypatch.setattr(running, "_RECORDING_SECONDS", 0.0)
    counted = Counted()
    assert not run_if_due(installation, job(counted))
    assert len(counted.done) == 1


def test_a_job_that_is_not_ready_claims_nothing(installation: Installation) -> None:
    counted, ready = Counted(), [False]
    waiting = replace(job(counted), ready=lambda *_: ready[0])
    assert not run_if_due(installation, waiting)
    assert history(installation.engine) == []
    ready[0] = True
    assert run_if_due(at(installation, START + 59 * MINUTE), waiting), "the slot has waited for it"
    assert [slot for slot, *_ in history(installation.engine)] == [START]


def test_jobs_do_not_take_each_others_slots(installation: Installation) -> None:
    counted = Counted()
    assert run_if_due(installation, job(counted))
    assert run_if_due(installation, replace(job(counted), name="việc khác"))
    assert len(counted.done) == 2


def test_old_runs_are_forgotten_but_not_the_last_success(installation: Installation) -> None:
    counted = Counted()
    run_if_due(installation, job(counted, DAY))
    counted.failure = TransientSourceError("from now on it fails; try again")
    for day in range(1, 41):
        run_if_due(at(installation, START + day * DAY), job(counted, DAY))
    found = history(installation.engine)
    assert found[0][2] == "ok", "when it last succeeded is still known"
    counted.failure = None
    run_if_due(at(installation, START + 41 * DAY), job(counted, DAY))
    assert len(history(installation.engine)) <= 32


def test_a_run_overtaken_by_another_does_not_close_it(installation: Installation) -> None:
    """The slow one comes back after its lease ran out: the slot is the other's, who is not done."""
    slow = Counted()

    def overtaken(own: Installation) -> None:
        claim_by_another(own, START + 2 * LEASE)
        slow(own)

    run_if_due(installation, job(overtaken))
    assert history(installation.engine) == [(START, None, None, None)]


# -- what -----------------------------------------------------------------------------------------------------------


def test_the_settings_decide_which_jobs_there_are(installation: Installation, tmp_path: Path) -> None:
    assert [one.name for one in all_jobs(installation)] == [
        *("evaluate", "snapshot", "digest", "report", "retention", "verify")
    ]
    (tmp_path / "y.yaml").write_text(
        "sources: [{name: mot, kind: files, every: 1h}, {name: hai, kind: files}]", encoding="utf-8"
    )
    other = replace(installation, settings=load_settings(tmp_path / "y.yaml"))
    named = {one.name: str(one.schedule) for one in all_jobs(other)}
    assert list(named) == ["pull:mot", "pull:hai", "evaluate", "snapshot", "report", "retention", "verify"]
    assert named["pull:mot"] == "every 1:00:00"


def test_nothing_is_mailed_or_filed_before_every_source_was_pulled_well(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "y.yaml").write_text(
        CONFIG + "sources: [{name: mau, kind: files}, {name: hai, kind: files}]", encoding="utf-8"
    )
    here = replace(installation, settings=load_settings(tmp_path / "y.yaml"), now=Clock(hanoi("2026-01-05T09:00:00")))
    told = [one for one in all_jobs(here) if one.name in ("digest", "report")]

    def ran() -> list[bool]:
        return [run_if_due(here, one) for one in told]

    assert ran() == [False, False]
    pull_told(here.engine, Sheet([record("a")]))
    with pytest.raises(TransientSourceError):
        pull(here.engine, "hai", "told", sheets(TransientSourceError("it sleeps; try again")), now=here.now)
    assert ran() == [False, False], "one of the two has only failed so far"
    assert history(here.engine) == []
    pull(here.engine, "hai", "told", sheets(Sheet([])), now=here.now)
    assert ran() == [True, True]
    assert {outcome for _, _, outcome, _ in history(here.engine)} == {"ok"}


def waiting_to_be_judged(engine: Engine) -> int:
    return int(query(engine, "SELECT count(*) FROM tthc.pending_evaluations")[0])


def test_digest_and_report_judge_what_waits_first(installation: Installation, tmp_path: Path) -> None:
    here = at(installation, hanoi("2026-06-05T09:00:00"))
    due = hanoi("2026-02-05T09:00:00")
    fields = {"kind": "dossier", "status": 4, "received_at": due - 9 * DAY, "due_original": due, "due_current": due}
    pull_told(here.engine, Sheet([record("a", **fields)]))
    assert waiting_to_be_judged(here.engine)
    assert "overdue" in set(outbox_digest.digest_facts(here).attention["list"])
    assert not waiting_to_be_judged(here.engine)
    pull_told(here.engine, Sheet([record("a", **fields), record("b", **fields)]))
    assert waiting_to_be_judged(here.engine)
    outbox_report.monthly_report(here, calendar_month("2026-02", "Asia/Ho_Chi_Minh"), tmp_path)
    assert not waiting_to_be_judged(here.engine)


def test_each_report_has_a_file_of_its_own_inside_the_folder(installation: Installation, tmp_path: Path) -> None:
    zone, folder = "Asia/Ho_Chi_Minh", tmp_path / "ra"
    here = at(installation, hanoi("2026-06-05T09:00:00"))
    codes = ["../../x", "..-..-x", "H01.02", "Sở", "a" * 250]
    pull_told(here.engine, Sheet([record(str(number), unit_code=code) for number, code in enumerate(codes)]))
    month, nd09 = calendar_month("2026-02", zone), nd09_month("2026-02", zone)
    asked = [(month, ()), (nd09, ()), *((month, (code,)) for code in codes), (nd09, ("H01.02", "Sở"))]
    files = {file for period, units in asked for file in outbox_report.monthly_report(here, period, folder, units)}
    quarters = [report_period("2026-Q1", kind, zone) for kind in ("calendar", "nd09")]
    files |= {file for period in quarters for file in outbox_report.monthly_report(here, period, folder)}
    files |= set(outbox_report.monthly_report(here, month, folder, units_as="now"))
    files |= set(outbox_report.monthly_report(here, month, folder, ("H01.02",), subtree=False))
    assert len(files) == len(asked) + 4
    assert {file.resolve().parent for file in files} == {folder.resolve()}
    assert all(re.fullmatch(r"bao-cao-tthc-[A-Za-z0-9.-]+\.xlsx", file.name) for file in files)
    names = {file.name for file in files}
    assert {"bao-cao-tthc-2026-02.xlsx", "bao-cao-tthc-nd09-2026-02.xlsx", "bao-cao-tthc-2026-02-H01.02.xlsx"} <= names
    with pytest.raises(ConfigError, match=r"a unit 'không có', 'nobody' so far; correct"):
        outbox_report.monthly_report(here, month, folder, ("H01.02", "nobody", "không có"))


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        ("{transport: none, recipients: [{address: a@b.vn}]}", "digest.transport is none.*; set it"),
        ("{transport: directory}", "names nobody.*; add an address"),
    ],
)
def test_a_digest_for_nobody_is_no_success(installation: Installation, tmp_path: Path, digest: str, said: str) -> None:
    (tmp_path / "y.yaml").write_text(f"digest: {digest}", encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        outbox_digest.send_digests(replace(installation, settings=load_settings(tmp_path / "y.yaml")))


def test_a_digest_that_was_refused_for_good_is_no_success_of_a_later_run(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "send", lambda *_args, **_kwargs: "refused")
    with pytest.raises(DeliveryError, match=r"refused for good earlier today.*digest send") as told:
        outbox_digest.send_digests(installation)
    assert told.value.permanent


def test_a_simulated_week_sends_one_digest_each_working_day(installation: Installation) -> None:
    digest = next(one for one in all_jobs(installation) if one.name == "digest")
    sent: list[str] = []
    now, end = hanoi("2026-01-01T00:00:00"), hanoi("2026-01-12T00:00:00")
    while now < end:
        here = at(installation, now)
        # Two processes try; the folder must hold one mail all the same.
        if [run_if_due(here, digest), run_if_due(here, digest)] == [True, False]:
            sent.append(now.astimezone(HANOI).isoformat()[:16])
        now += 30 * MINUTE
    days = ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09", "2026-01-10"]
    assert sent == [f"{day}T07:30" for day in days]
    mails = sorted((installation.data_dir / "thu").glob("*.eml"))
    assert len(mails) == len(days)
    assert query(installation.engine, "SELECT local_date::text FROM tthc.deliveries ORDER BY 1") == days
    assert {outcome for _, _, outcome, _ in history(installation.engine)} == {"ok"}


def test_a_digest_missed_in_the_morning_goes_out_when_the_service_is_back(installation: Installation) -> None:
    digest = next(one for one in all_jobs(installation) if one.name == "digest")
    assert run_if_due(at(installation, hanoi("2026-01-05T15:00:00")), digest)
    assert not run_if_due(at(installation, hanoi("2026-01-06T00:30:00")), digest)
    assert len(list((installation.data_dir / "thu").glob("*.eml"))) == 1


def test_the_report_of_last_month_is_written_once_a_month(installation: Installation) -> None:
    report = next(one for one in all_jobs(installation) if one.name == "report")
    ran = [
        run_if_due(at(installation, hanoi(now)), report)
        for now in ("2026-02-04T23:00:00", "2026-02-05T06:00:00", "2026-02-20T12:00:00", "2026-03-05T06:00:00")
    ]
    assert ran == [True, True, False, True]
    assert {outcome for _, _, outcome, _ in history(installation.engine)} == {"ok"}
    written = sorted(path.name for path in (installation.data_dir / "bao-cao").glob("*.xlsx"))
    # On 4 February January's slot is made up for, which owes the report of December.
    assert written == [f"bao-cao-tthc-{month}.xlsx" for month in ("2025-12", "2026-01", "2026-02")]


def test_with_nd09_it_is_of_the_month_that_ended_on_the_14th(installation: Installation, tmp_path: Path) -> None:
    report = {**installation.settings.report.model_dump(), "kind": "nd09", "day": 16, "formats": ("xlsx",)}
    by_law = installation.settings.model_copy(update={"report": ReportSettings(**report)})
    here = replace(installation, settings=by_law)
    job = next(one for one in all_jobs(here) if one.name == "report")
    # A fortnight late, and after the 14th of the next month: still the report that was due.
    ran = [run_if_due(at(here, hanoi(now)), job) for now in ("2026-02-16T06:00:00", "2026-04-15T12:00:00")]
    assert ran == [True, True]
    written = sorted(path.name for path in (installation.data_dir / "bao-cao").glob("*.xlsx"))
    assert written == ["bao-cao-tthc-nd09-2026-02.xlsx", "bao-cao-tthc-nd09-2026-03.xlsx"]


# -- stopping -------------------------------------------------------------------------------------------------------


def test_stopping_does_not_wait_for_ever_and_starts_nothing_more(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, over, more = threading.Event(), threading.Event(), Counted()

    def hang(_: Installation) -> None:
        begun.set()
        assert over.wait(20)

    hanging = job(hang)
    # More jobs than workers: some still wait for one when it stops.
    crowd = [replace(job(more, timedelta(seconds=1)), name=str(number)) for number in range(3)]
    monkeypatch.setattr(scheduler, "all_jobs", lambda _: [hanging])
    monkeypatch.setattr(scheduler, "_PATIENCE_SECONDS", 0.3)
    ticking = scheduler.start_scheduler(installation)
    assert begun.wait(20)
    for one in crowd:
        ticking._scheduler.add_job(ticking._tick, "date", [one])
    assert not ticking.shutdown()
    over.set()
    deadline = monotonic() + 20
    while any(thread.name == "stopping" for thread in threading.enumerate()):
        assert monotonic() < deadline
        sleep(0.02)
    assert more.done == []
    assert [(finished is None, outcome) for _, finished, outcome, _ in history(installation.engine)] == [(False, "ok")]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_stopping_waits_for_what_ends_soon(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def soon(_: Installation) -> None:
        begun.set()
        sleep(0.3)

    monkeypatch.setattr(scheduler, "all_jobs", lambda _: [job(soon)])
    ticking = scheduler.start_scheduler(installation)
    assert begun.wait(20)
    assert ticking.shutdown()
    assert [outcome for _, _, outcome, _ in history(installation.engine)] == ["ok"]
