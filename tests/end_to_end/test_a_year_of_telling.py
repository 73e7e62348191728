"""A year of mornings: two replicas with wrong clocks, killed at random, and a mail server that is away now and then.

What is promised: on each working day of his own unit every recipient has exactly one digest, on a day off none; after
every month one report. Of a mail that was being handed over when its process died nobody can know: the job says so, a
person looks into the mail server's log and sends it again when it is missing there.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from tests.awaited import wait_for
from tests.end_to_end.office import HANOI, Office, Post, post_office, until_done
from tests.end_to_end.replica import read_clock, set_clock
from tests.postgres.test_ledger import query
from tthc_monitor.domain.schedules import Every
from tthc_monitor.installation import open_installation
from tthc_monitor.outbox_digest import resend_digest
from tthc_monitor.settings import load_settings, shipped_calendar_text

FIRST: Final = date(2026, 1, 1)
DAYS: Final = 365
OFFICE, COUNTER, CLERK = "van-phong@mau.example.vn", "mot-cua-thu-bay@mau.example.vn", "so-tu-phap@mau.example.vn"
JOBS: Final = frozenset({"pull:thu", "digest", "report"})
SATURDAYS: Final = """
units:
  - name: Một cửa làm việc thứ Bảy
    codes: [H99.05]
    week:
      mon: &day [["07:30", "11:30"], ["13:30", "17:00"]]
      tue: *day
      wed: *day
      thu: *day
      fri: *day
      sat: [["07:30", "11:30"]]
"""
CONFIG: Final = """
database: {{url: '{url}'}}
data_dir: .
calendar: lich.yaml
rules: {{packs: [core]}}
sources:
  - name: thu
    kind: files
    every: 30d
    options:
      path: ho-so.csv
      zone: Asia/Ho_Chi_Minh
      columns:
        source_key: ma
        unit_code: don_vi
        received_at: {{column: nhan, format: "%d/%m/%Y"}}
        due_current: {{column: hen, format: "%d/%m/%Y"}}
smtp: {{host: 127.0.0.1, port: {port}, security: none, sender: giamsat@mau.example.vn, rate_per_minute: 100000, retry_seconds: 0.1}}
report: {{formats: [xlsx]}}
digest:
  transport: smtp
  all_clear: true
  recipients:
    - {{address: {office}}}
    - {{address: {counter}, units: [H99.05]}}
    - {{address: {clerk}, units: [H99.01]}}
"""
# Regulations 5: CV 12729/VPCP-KGVX, TB 9441/TB-BNV/2025, NQ 28/2026/QH16; not read from the calendar that is tested.
DAYS_OFF: Final = {
    *(date(2026, 1, day) for day in (1, 2)),
    *(date(2026, 2, day) for day in range(16, 21)),
    *(date(2026, 4, day) for day in (27, 30)),
    date(2026, 5, 1),
    date(2026, 8, 31),
    *(date(2026, 9, day) for day in (1, 2)),
    date(2026, 11, 24),
}
SWAPPED_SATURDAYS: Final = {date(2026, 1, 10), date(2026, 8, 22)}
SATURDAY: Final = 5


def works(day: date, *, saturdays: bool) -> bool:
    """Whether an office works on a day of 2026."""
    if day.weekday() < SATURDAY:
        return day not in DAYS_OFF
    return day in SWAPPED_SATURDAYS or (saturdays and day.weekday() == SATURDAY)


def due(now: datetime) -> set[tuple[str, datetime]]:
    """The slots that are to be done when it is that instant."""
    day = now.date()
    slots = {
        ("pull:thu", Every(timedelta(days=30)).slot(now)),
        ("report", datetime(day.year, day.month, 1, 6, tzinfo=HANOI)),
    }
    if works(day, saturdays=True):
        slots.add(("digest", datetime(day.year, day.month, day.day, 7, 30, tzinfo=HANOI)))
    return {(job, slot.astimezone(UTC)) for job, slot in slots}


def write_source(office: Office, day: date) -> None:
    """Every month the dossiers of the weeks before, each of one of three units; most are late by then."""
    first = FIRST.toordinal()
    numbers = range(max(1, (day - FIRST).days))
    rows = "".join(
        f"{number},H99.0{1 + number % 5},{date.fromordinal(first + number):%d/%m/%Y},"
        f"{date.fromordinal(first + number + 5):%d/%m/%Y}\n"
        for number in numbers
    )
    new = office.folder / "ho-so.new"
    new.write_text(f"ma,don_vi,nhan,hen\n{rows}", encoding="utf-8")
    new.replace(office.folder / "ho-so.csv")
    office.dossiers = len(numbers)


def settle(office: Office, post: Post, day: date) -> tuple[int, int]:
    """What a person does about mails in doubt: looks into the server's log, and sends again what is not there."""
    in_doubt = query(
        office.engine,
        f"SELECT recipient, message_id FROM tthc.deliveries WHERE outcome = 'in_doubt' AND local_date = '{day}'",
    )
    missing = [address for address, message_id in in_doubt if message_id not in post.taken]
    if missing:
        settings = load_settings(office.folder / "tthc-monitor.yaml")
        with open_installation(settings, now=read_clock(office.folder / "clock", timedelta(0))) as installation:
            for address in missing:
                resend_digest(installation, address, lambda _to, _words: None)
    return len(in_doubt), len(missing)


def turned_away_since(post: Post, before: int) -> bool:
    return post.turned_away > before


def open_year(stack: ExitStack, folder: Path, engine: Engine, address: str, port: int) -> Office:
    calendar = shipped_calendar_text("vn")
    (folder / "lich.yaml").write_text(calendar + SATURDAYS, encoding="utf-8")
    config = CONFIG.format(url=address, port=port, office=OFFICE, counter=COUNTER, clerk=CLERK)
    (folder / "tthc-monitor.yaml").write_text(config, encoding="utf-8")
    office = Office(folder, engine, random.Random(2026), only=JOBS)
    stack.callback(office.close)
    return office


def test_a_year_in_which_every_working_day_has_one_digest_for_each_and_every_month_one_report(
    tmp_path: Path, engine: Engine, database_address: str
) -> None:
    tmp_path.chmod(0o755)
    with ExitStack() as stack:
        post, port = stack.enter_context(post_office())
        office = open_year(stack, tmp_path, engine, database_address, port)
        chance, outages, in_doubt, sent_again = office.chance, 0, 0, 0
        for number in range(DAYS):
            day = FIRST + timedelta(days=number)
            if number % 30 == 0:
                write_source(office, day)
            hour = chance.choice((7, 7, 7, 7, 11, 15))
            now = datetime(day.year, day.month, day.day, hour, 31, tzinfo=HANOI)
            working, turned_away = works(day, saturdays=True), post.turned_away
            # The server is away when the hour comes, and back a while later.
            post.away = working and chance.random() < 0.06
            if working and chance.random() < 0.06:
                hooks = chance.choice((post.at_recipient, post.when_taken, post.losing))
                hooks.append(lambda: office.kill_holder("digest"))
            set_clock(tmp_path / "clock", now)
            if number == 0:
                office.open()
            if post.away:
                outages += 1
                wait_for(partial(turned_away_since, post, turned_away), 30)
                post.away = False
            elif chance.random() < 0.08:
                office.kill(chance.randrange(2))
            until_done(office, due(now))
            doubted, again = settle(office, post, day)
            in_doubt, sent_again = in_doubt + doubted, sent_again + again
            if chance.random() < 0.05:
                # A clock that is set back must not send again what went out.
                set_clock(tmp_path / "clock", now - timedelta(minutes=5))

        days = [FIRST + timedelta(days=number) for number in range(DAYS)]
        expected = Counter(
            (address, day)
            for address, saturdays in ((OFFICE, False), (COUNTER, True), (CLERK, False))
            for day in days
            if works(day, saturdays=saturdays)
        )
        assert post.mails == expected
        assert set(post.taken.values()) == {1}
        assert outages >= 8 and office.kills >= 20 and in_doubt >= 4 and sent_again >= 2
        reports = sorted(path.name for path in (tmp_path / "reports").glob("*.xlsx"))
        assert reports == [
            "bao-cao-tthc-2025-12.xlsx",
            *(f"bao-cao-tthc-2026-{month:02}.xlsx" for month in range(1, 12)),
        ]
        well = query(
            engine,
            "SELECT value::int FROM tthc.metric_totals WHERE metric = 'tthc_job_runs_total' AND labels = '{report,ok}'",
        )
        assert well == [len(reports)], "each once, not twice"
