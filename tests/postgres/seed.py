"""A small world written straight into the tables, with the numbers that it must give.

The flags are written as the rules would write them, so that what is tested here is what is published about them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from tthc_monitor.domain.calendars import Calendars
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.metrics import ScrapeSettings
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.store import open_findings

ZONE = "Asia/Ho_Chi_Minh"
CALENDAR = WorkCalendar(
    ZONE, {day: [("07:30", "11:30"), ("13:00", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri")}
)
CALENDARS = Calendars(CALENDAR)
SCRAPED = ScrapeSettings(CALENDARS)
NOW = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
"""Tuesday, 3 November 2026, 10:00 in Viet Nam."""

_EVER = "infinity"
_RULES = {
    "due_soon": ("due_soon", None),
    "overdue": ("overdue", "open_overdue"),
    "finished_late": ("finished_late", "late"),
    "returned": ("returned", None),
    "supplement_requested": ("supplement_requested", None),
    "no_due_date": ("cannot_tell", "cannot_tell"),
    "due_today": ("due_today", None),
    "due_soon_24h": ("due_soon", None),
    "apology_missing": ("apology_missing", None),
    "acknowledged_late": ("acknowledged_late", None),
    "waiting_long": ("waiting_long", None),
    "finish_backdated": ("finish_backdated", None),
}
_DEFINITIONS = {
    "due_soon": {"within_working_hours": 8.0},
    "due_soon_24h": {"within_working_hours": 24.0},
    "acknowledged_late": {"working_hours": 8.0, "channels": ["online"]},
    "waiting_long": {"working_days": 10},
}


def at(day: str, time: str = "08:00") -> datetime:
    """A local instant: ``at("2026-10-30", "17:00")``."""
    return datetime.fromisoformat(f"{day}T{time}:00+07:00").astimezone(UTC)


@dataclass(frozen=True)
class Dossier:
    """One dossier as the source tells it."""

    code: str
    unit: str | None
    procedure: str | None
    received: datetime | None
    due: datetime | None
    finished: datetime | None = None
    status: int = 4
    channel: str = "online"
    kind: str = "dossier"
    submitted: datetime | None = None
    supplement: tuple[datetime, datetime | None] | None = None
    step: str | None = None
    apology: datetime | None = None
    backdated: datetime | None = None


@dataclass(frozen=True)
class Expected:
    """What must be published of a unit at :data:`NOW` (counts of dossiers, petitions left out)."""

    open: int
    overdue: int
    due_today: int = 0
    due_soon: int = 0
    supplement: int = 0
    cannot_tell: int = 0
    slow_reception: int = 0
    finished: int = 0
    finished_late: int = 0
    returned: int = 0


UNITS = {"H99.01": "Sở Xây dựng", "H99.02": "Sở Y tế", "H99.03": "Phường Mẫu Một", "H99.04": "Xã Mẫu Hai"}
SECTORS = {"H99-XD": "Hoạt động xây dựng", "H99-YT": "Dược phẩm", "H99-HT": "Hộ tịch"}
PROCEDURES = {
    "1.000001": ("Cấp giấy phép xây dựng mới", "H99-XD"),
    "1.000002": ("Cấp chứng chỉ hành nghề hoạt động xây dựng", "H99-XD"),
    "1.000003": ("Cấp chứng chỉ hành nghề dược", "H99-YT"),
    "1.000004": ("Đăng ký kết hôn", "H99-HT"),
}

_XD, _YT, _MOT = "H99.01", "H99.02", "H99.03"
WORLD: tuple[Dossier, ...] = (
    # Sở Xây dựng: two overdue, one due this afternoon, one tomorrow morning, one without a due date.
    Dossier("H99.01-261001-0001", _XD, "1.000001", at("2026-10-01"), at("2026-10-27", "17:00"), step="Thẩm định"),
    Dossier("H99.01-261005-0002", _XD, "1.000002", at("2026-10-05"), at("2026-11-02", "17:00"), channel="direct"),
    Dossier("H99.01-261020-0003", _XD, "1.000001", at("2026-10-20"), at("2026-11-03", "17:00"), step="Trình ký"),
    Dossier("H99.01-261021-0004", _XD, "1.000001", at("2026-10-21"), at("2026-11-04", "08:30")),
    Dossier("H99.01-261022-0005", _XD, "1.000001", at("2026-10-22"), None),
    Dossier("H99.01-261023-0006", _XD, "1.000002", at("2026-10-23"), at("2026-12-01", "17:00")),
    # ... ended: early, on the due day, late, without a due date, returned yesterday, ended before October.
    Dossier("H99.01-261001-0007", _XD, "1.000001", at("2026-10-01"), at("2026-10-20", "17:00"), at("2026-10-15"), 9),
    Dossier("H99.01-261001-0008", _XD, "1.000001", at("2026-10-01"), at("2026-10-20", "17:00"), at("2026-10-20"), 10),
    Dossier("H99.01-260920-0009", _XD, "1.000002", at("2026-09-20"), at("2026-10-12", "17:00"), at("2026-10-16"), 9),
    Dossier("H99.01-261002-0010", _XD, "1.000002", at("2026-10-02"), None, at("2026-10-10"), 9),
    Dossier("H99.01-261025-0011", _XD, "1.000001", at("2026-10-25"), at("2026-11-20", "17:00"), at("2026-11-02"), 8),
    Dossier("H99.01-260801-0012", _XD, "1.000001", at("2026-08-01"), at("2026-08-20", "17:00"), at("2026-09-10"), 9),
    # ... not received yet: one registered for a day and a half, one since this morning.
    Dossier("H99.01-261030-0013", _XD, "1.000001", None, None, status=1, submitted=at("2026-10-30", "14:00")),
    Dossier("H99.01-261103-0014", _XD, "1.000001", None, None, status=1, submitted=at("2026-11-03", "07:45")),
    # Sở Y tế: one overdue for a month, one waiting for the applicant, one whose wait is over, one late and one in time.
    Dossier("H99.02-260901-0001", _YT, "1.000003", at("2026-09-01"), at("2026-09-25", "17:00"), channel="postal"),
    Dossier(
        "H99.02-261012-0002",
        _YT,
        "1.000003",
        at("2026-10-12"),
        at("2026-11-25", "17:00"),
        status=5,
        supplement=(at("2026-10-19"), None),
    ),
    Dossier(
        "H99.02-261013-0003",
        _YT,
        "1.000003",
        at("2026-10-13"),
        at("2026-11-26", "17:00"),
        supplement=(at("2026-10-20"), at("2026-10-26")),
    ),
    Dossier("H99.02-261006-0004", _YT, "1.000003", at("2026-10-06"), at("2026-10-21", "17:00"), at("2026-10-22"), 9),
    Dossier("H99.02-261007-0005", _YT, "1.000003", at("2026-10-07"), at("2026-11-02", "17:00"), at("2026-11-02"), 10),
    # A petition, overdue: never among the dossiers.
    Dossier("PAKN-77", _YT, None, at("2026-10-01"), at("2026-10-15"), kind="petition", channel="direct"),
    # Phường Mẫu Một: everything in time. A dossier of nobody is overdue. Xã Mẫu Hai has nothing at all.
    Dossier("H99.03-261102-0001", _MOT, "1.000004", at("2026-11-02"), at("2026-11-05", "17:00"), channel="direct"),
    Dossier("=H99-000001", None, None, at("2026-10-08"), at("2026-10-30", "17:00"), channel="direct"),
)
EXPECTED: dict[str, Expected] = {
    "H99.01": Expected(6, 2, 1, 2, 0, 1, 1, finished=6, finished_late=2, returned=1),
    "H99.02": Expected(3, 1, supplement=1, finished=2, finished_late=1),
    "H99.03": Expected(1, 0),
    "H99.04": Expected(0, 0),
    "": Expected(1, 1),
}


def seed(connection: Connection, dossiers: Iterable[Dossier] = WORLD) -> None:
    """Write catalogues, dossiers and the flags that rules would have found."""
    versions = _rule_versions(connection)
    run = _catalogues(connection, list(versions.values()))
    for number, dossier in enumerate(dossiers, start=1):
        _insert(connection, number, dossier)
        for rule, start, end in findings(dossier):
            connection.execute(
                text(
                    "INSERT INTO tthc.flags (dossier_id, rule_version_id, starts_at, ends_at, observation_id,"
                    " evaluation_id, unit_code, procedure_code, evidence, believed_from)"
                    " VALUES (:id, :version, :start, CAST(:end AS timestamptz), :id, :run, :unit, :procedure,"
                    " CAST(:evidence AS jsonb), :seen)"
                ),
                {
                    "id": number,
                    "version": versions[rule],
                    "start": start,
                    "end": end.isoformat() if end else _EVER,
                    "run": run,
                    "unit": dossier.unit,
                    "procedure": dossier.procedure,
                    "evidence": json.dumps(_evidence(rule, dossier)),
                    "seen": NOW - timedelta(hours=1),
                },
            )
    open_findings.renew(connection, list(versions.values()), of="all")


def snapshot_at(connection: Connection, now: datetime = NOW) -> None:
    """Take the snapshot by the calendar of this world."""
    take_snapshot(connection, now, CALENDARS)


def _evidence(rule: str, dossier: Dossier) -> dict[str, str | None]:
    found = {"due_at": dossier.due}
    if rule == "acknowledged_late":
        found = {"acknowledged_at": dossier.received}
    elif rule == "apology_missing":
        found |= {"apology_at": dossier.apology}
    return {name: value.isoformat() if value else None for name, value in found.items()}


def findings(dossier: Dossier) -> Sequence[tuple[str, datetime, datetime | None]]:
    """Rule, start and end (None: without end) of what the rules find on a dossier."""
    found: list[tuple[str, datetime, datetime | None]] = []
    received, due, finished = dossier.received, dossier.due, dossier.finished
    if received and due is None:
        found.append(("no_due_date", received, None))
    if received and due and (finished is None or finished > due):
        found.append(("overdue", due, finished))
    if received and due and due > received:
        end = min(due, finished) if finished else due
        soon = max(CALENDAR.subtract(due, 8 * 3600), received)
        if soon < end:
            found.append(("due_soon", soon, end))
    if received and due and finished and finished > due:
        found.append(("finished_late", finished, None))
    if dossier.status in (3, 8) and finished:
        found.append(("returned", finished, None))
    if dossier.supplement:
        found.append(("supplement_requested", *dossier.supplement))
    if dossier.kind == "dossier":
        found += _beside(dossier)
    return found


def _beside(dossier: Dossier) -> Iterator[tuple[str, datetime, datetime | None]]:
    """What rules find that decide no verdict."""
    received, due, finished = dossier.received, dossier.due, dossier.finished
    if received and due and due > received:
        end = min(due, finished) if finished else due
        for rule, warned in (("due_today", _midnight(due)), ("due_soon_24h", CALENDAR.subtract(due, 24 * 3600))):
            if (start := max(warned, received)) < end:
                yield rule, start, end
    if received and due:
        late = finished is None or finished > due
        if late and (dossier.apology is None or dossier.apology >= _midnight(due)):
            yield "apology_missing", due, None
    if dossier.submitted and dossier.submitted >= CALENDAR.bounds[0] and dossier.channel == "online":
        by = CALENDAR.add(dossier.submitted, 8 * 3600)
        if received > by if received else dossier.status == 1:
            yield "acknowledged_late", by, None
    if dossier.supplement:
        requested, completed = dossier.supplement
        last = CALENDAR.add_workdays(requested.astimezone(ZoneInfo(ZONE)).date(), 10) + timedelta(days=1)
        patience = datetime.combine(last, time(), ZoneInfo(ZONE)).astimezone(UTC)
        if completed is None or completed > patience:
            yield "waiting_long", patience, completed
    if dossier.backdated:
        yield "finish_backdated", dossier.backdated, None


def _midnight(instant: datetime) -> datetime:
    local = instant.astimezone(ZoneInfo(ZONE))
    return datetime.combine(local.date(), time(), local.tzinfo).astimezone(UTC)


def _catalogues(connection: Connection, rule_versions: Sequence[int]) -> int:
    seen = {"seen": NOW - timedelta(days=90)}
    for code, name in UNITS.items():
        connection.execute(
            text("INSERT INTO tthc.units VALUES (:code, :name, :seen)"), {"code": code, "name": name} | seen
        )
    for code, name in SECTORS.items():
        connection.execute(
            text("INSERT INTO tthc.sectors VALUES (:code, :name, :seen)"), {"code": code, "name": name} | seen
        )
    for code, (name, sector) in PROCEDURES.items():
        connection.execute(
            text("INSERT INTO tthc.procedures VALUES (:code, :name, :sector, :seen)"),
            {"code": code, "name": name, "sector": sector} | seen,
        )
    connection.execute(text("INSERT INTO tthc.sources (name, kind, provides) VALUES ('mau', 'files', '{apology_at}')"))
    connection.execute(
        text(
            "INSERT INTO tthc.pull_runs (source_id, started_at, finished_at, outcome, rows_read, rows_rejected)"
            " VALUES (1, :ok, :ok, 'ok', 22, 2), (1, :failed, :failed, 'failed', 5, 5)"
        ),
        {"ok": NOW - timedelta(hours=2), "failed": NOW - timedelta(hours=1)},
    )
    connection.execute(
        text(
            "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, first_observation_id,"
            " last_observation_id, row_count, rows_hash, previous_hash, chain_hash)"
            " VALUES (1, 1, :seen, 1, 22, 22, '\\x00', '\\x00', CAST(:hash AS bytea))"
        ),
        {"seen": NOW - timedelta(hours=2), "hash": "\\x0123456789abcdef" + "00" * 24},
    )
    connection.execute(
        text(
            "INSERT INTO tthc.calendar_versions (name, fingerprint, definition, known_from) VALUES ('t', 't', '{}', :n)"
        ),
        {"n": NOW},
    )
    run = connection.scalar(
        text(
            "INSERT INTO tthc.evaluations (started_at, finished_at, reason, engine_version, ruleset_fingerprint,"
            " rule_version_ids, calendar_version_id) VALUES (:now, :now, 'test', '0', 'x', :rules, 1)"
            " RETURNING evaluation_id"
        ),
        {"now": NOW, "rules": list(rule_versions)},
    )
    assert isinstance(run, int)
    return run


def _rule_versions(connection: Connection) -> dict[str, int]:
    versions: dict[str, int] = {}
    for code, (kind, verdict) in _RULES.items():
        found = connection.scalar(
            text(
                "INSERT INTO tthc.rule_versions (rule_code, kind, title, severity, verdict, legal_basis, fingerprint,"
                " definition, known_from) VALUES (:code, :kind, :code, 'warning', :verdict, 'x', :code,"
                " CAST(:definition AS jsonb), :now)"
                " RETURNING rule_version_id"
            ),
            {
                "code": code,
                "kind": kind,
                "verdict": verdict,
                "definition": json.dumps(_DEFINITIONS.get(code, {})),
                "now": NOW,
            },
        )
        assert isinstance(found, int)
        versions[code] = found
    return versions


def _insert(connection: Connection, number: int, dossier: Dossier) -> None:
    seen = dossier.received or dossier.submitted or NOW
    requested, completed = dossier.supplement or (None, None)
    connection.execute(
        text(
            "INSERT INTO tthc.dossiers (dossier_id, source_id, observation_id, first_seen_at, changed_at,"
            " status_seen_at, end_seen_at, due_first, source_key, code, kind, procedure_code, unit_code, channel,"
            " status, submitted_at, received_at, due_current, finished_at, supplement_requested_at,"
            " supplement_completed_at, supplement_count, step_name, apology_at, content_hash)"
            " VALUES (:id, 1, :id, :seen, :seen, :seen, :finished, :due,"
            " :key, :code, :kind, :procedure, :unit, :channel, :status, :submitted, :received, :due, :finished,"
            " :requested, :completed, :requests, :step, :apology, '\\x00')"
        ),
        {
            "id": number,
            "seen": seen,
            "finished": dossier.finished,
            "apology": dossier.apology,
            "due": dossier.due,
            "key": f"key-{number}",
            "code": dossier.code,
            "kind": dossier.kind,
            "procedure": dossier.procedure,
            "unit": dossier.unit,
            "channel": dossier.channel,
            "status": dossier.status,
            "submitted": dossier.submitted,
            "received": dossier.received,
            "requested": requested,
            "completed": completed,
            "requests": 1 if dossier.supplement else 0,
            "step": dossier.step,
        },
    )
