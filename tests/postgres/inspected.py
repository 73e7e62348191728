"""A province in which something stands behind every question of docs/auditors.md, told by whole pulls of two sources.

Days are those of October 2026 in Viet Nam: ``on(15, 17)`` is Thursday the 15th, 17:00. The calendar is the one shipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, text

from rules.clock_rules import load_clock_starts
from rules.grounds import Grounds
from rules.loader import load_packs
from tests.postgres.test_evaluate import CALENDAR
from tests.postgres.test_ledger import Sheet, record, told
from tthc_monitor.domain.errors import TransientSourceError
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.domain.procedure_catalogue import SourcedLimit
from tthc_monitor.domain.records import OPTIONAL_COLUMNS, Reject
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.unit_files import described
from tthc_monitor.evaluate import evaluate
from tthc_monitor.ingest import Assertions, pull
from tthc_monitor.settings import RulesSettings, TimeLimitSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.frozen import freeze
from tthc_monitor.store.time_limits import replace_limits
from tthc_monitor.store.units import lock_register, read_register, save_register

UNITS: Final = {"H99.01": "Sở Mẫu", "H99.02": "Phường Mẫu Một", "H99.03": "Thuế Mẫu", "H99.90": "Huyện Mẫu Cũ"}
REGISTER: Final = """
units:
  - {code: H99.90, name: Huyện Mẫu Cũ, kind: district, valid_to: 2026-03-01}
  - {code: H99.01, name: Sở Mẫu, kind: department}
  - {code: H99.02, name: Phường Mẫu Một, kind: ward}
  - {code: H99.03, name: Thuế Mẫu, kind: other}
successions:
  - {from: H99.90, to: H99.02, date: 2026-03-01, document: NQ 1/NQ-HĐND}
"""
LIMIT: Final = TimeLimit(procedure_code="1.000005", amount=5, unit="working_day", legal_basis="QĐ 5/QĐ-UBND")
GROUNDS: Final = Grounds(
    load_packs(RulesSettings().packs, Path()),
    CALENDAR,
    Limits([LIMIT], ClockPolicy(), load_clock_starts(TimeLimitSettings().clock_starts, Path())),
)
NOW: Final = datetime(2026, 11, 6, 1, 0, tzinfo=UTC)


def on(day: int, hour: float = 8, month: int = 10) -> datetime:
    """A local instant of the autumn of 2026."""
    return datetime(2026, month, day, tzinfo=UTC) + timedelta(hours=hour - 7)


def code(number: int, unit: str = "H99.01", day: int = 1) -> str:
    return f"{unit}-2610{day:02d}-{number:04d}"


States = Mapping[datetime, dict[str, Any] | None]
"""What the source tells of a dossier from an instant on; None: nothing any more."""

_PLAIN: Final = {"unit_code": "H99.01", "procedure_code": "1.000001", "sector_code": "XD", "channel": "direct"}


def _states(
    number: int, *states: tuple[datetime, dict[str, Any] | None], **fixed: Any
) -> tuple[dict[str, Any], States]:
    """A dossier received on the first at 08:00; each state adds to those before it."""
    unit = fixed.get("unit_code", "H99.01")
    held = {
        **_PLAIN,
        "code": code(number, unit),
        "received_at": on(1),
        "due_current": on(15, 17),
        "supplement_count": 0,
    }
    held |= fixed | {"unit_name": UNITS.get(unit), "reappointment_count": None}
    told_of: dict[datetime, dict[str, Any] | None] = {}
    for at, fields in states:
        held = held if fields is None else {**held, **fields}
        told_of[at] = None if fields is None else held
    return held, told_of


def stories() -> dict[str, States]:
    """By the key of the source."""
    told_of = {
        # Its promise is moved after it has passed, with an apology that comes too late; its end is dated back; the source
        # calls it in time.
        "moved": _states(
            1,
            (on(1, 9), {"step_name": "Thẩm định", "step_code": "1", "step_started_at": on(1, 8.5)}),
            (on(12, 9), {"step_name": "Trình ký", "step_code": "2", "step_started_at": on(12, 8)}),
            (on(16, 10), {"due_current": on(22, 17), "apology_at": on(16, 9.5)}),
            (on(27, 9), {"status": 9, "finished_at": on(23, 16), "source_verdict": "on_time", "step_name": "Đóng"}),
        ),
        # Given a new date twice, never with an apology; still open.
        "again": _states(
            2,
            (on(1, 9), {"due_current": on(9, 17), "step_name": "Thẩm định"}),
            (on(8, 9), {"due_current": on(16, 17)}),
            (on(15, 9), {"due_current": on(23, 17)}),
        ),
        # Sent back to the applicant twice, the second time on the due day.
        "twice": _states(
            3,
            (on(1, 9), {}),
            (on(6, 10), {"status": 5, "supplement_requested_at": on(6, 9), "supplement_count": 1}),
            (on(8, 9), {"status": 4, "supplement_completed_at": on(7, 9)}),
            (on(15, 11), {"status": 5, "supplement_requested_at": on(15, 10), "supplement_completed_at": None, "supplement_count": 2}),
            (on(20, 9), {"status": 4, "supplement_completed_at": on(19, 9), "due_current": on(19, 16)}),
            (on(20, 10), {"status": 9, "finished_at": on(20, 9.5)}),
        ),
        # Stopped on the due day, and nobody had asked for it.
        "stopped": _states(4, (on(1, 9), {}), (on(15, 15), {"status": 8, "finished_at": on(15, 14)})),
        # Deleted, and made again under the same number with a later promise.
        "deleted": _states(5, (on(1, 9), {}), (on(12, 9), None)),
        "made-again": _states(5, (on(14, 10), {"received_at": on(13), "due_current": on(30, 17)})),
        # Withdrawn, and filed again by the same applicant four days later.
        "withdrawn": _states(6, (on(1, 9), {}), (on(8, 9), {"status": 7, "finished_at": on(8, 8.5)}), applicant_hash="a"),
        "filed-again": _states(7, (on(12, 9), {}), submitted_at=on(12, 8), received_at=on(12, 8.5), due_current=on(30, 17),
                               applicant_hash="a"),
        # Waited for three days to be accepted.
        "unaccepted": _states(
            8, (on(5, 11), {"status": 1, "received_at": None, "due_current": None}),
            (on(8, 9), {"status": 4, "received_at": on(8, 8), "due_current": on(30, 17)}),
            channel="online", submitted_at=on(5, 10),
        ),
        # The tax office answered late, and so the whole was late.
        "consulted": _states(
            9, (on(1, 9), {}), (on(6, 9), {"consulted_unit_code": "H99.03", "consulted_at": on(5), "consulted_due_at": on(7, 17)}),
            (on(21, 9), {"consulted_answered_at": on(20)}), (on(22, 9), {"status": 9, "finished_at": on(21, 16)}),
        ),
        # Promised for longer than the law allows: five working days.
        "too-long": _states(10, (on(1, 9), {}), procedure_code="1.000005", due_current=on(30, 17)),
        "undated": _states(11, (on(1, 9), {}), due_current=None),
        # Its late end is learnt after the report of the month.
        "corrected": _states(
            12, (on(19, 9), {}), (on(5, 9, month=11), {"status": 9, "finished_at": on(30, 9)}),
            received_at=on(19), due_current=on(29, 17),
        ),
        "inherited": _states(
            13, (on(1, 9), {}), unit_code="H99.90", code="H99.90-260210-0001",
            received_at=datetime(2026, 2, 10, 1, tzinfo=UTC), due_current=datetime(2026, 3, 20, 10, tzinfo=UTC),
        ),
    }  # fmt: skip
    # Numbers 4, 5 and 6 of a day are nowhere.
    numbers = {
        f"numbered-{number}": _states(
            number,
            (on(5, 9), {}),
            unit_code="H99.02",
            code=code(number, "H99.02", 5),
            received_at=on(5, 8.5),
            due_current=on(30, 17),
        )
        for number in (1, 2, 3, 7)
    }
    # Twenty are closed within ten minutes of the last working day.
    closed = {
        f"closed-{number}": _states(
            number, (on(19, 9), {}), (on(30, 16.5), {"status": 9, "finished_at": on(30, 16) + timedelta(seconds=20 * number)}),
            unit_code="H99.02", code=code(number, "H99.02", 19), received_at=on(19), due_current=on(2, 17, month=11),
        )
        for number in range(1, 21)
    }  # fmt: skip
    return {key: states for key, (_, states) in (told_of | numbers | closed).items()}


def play(engine: Engine) -> None:
    """Pull and judge from the first of October to the sixth of November, with imports, a report and a broken pull."""
    _import(engine)
    told_of = stories()
    # Of the morning after the 15th's promise it is known that it had not been moved.
    looks = sorted({at for states in told_of.values() for at in states} | {on(13, 9), on(16, 8), on(26, 9)})
    for at in looks:
        latest = {key: max((t for t in states if t <= at), default=None) for key, states in told_of.items()}
        rows = [(key, told_of[key][since]) for key, since in latest.items() if since is not None]
        _pull(engine, [record(key, **fields) for key, fields in rows if fields is not None], at)
        if at in (on(16, 10), on(30, 16.5)):
            evaluate(engine, GROUNDS, now=lambda at=at: at + timedelta(minutes=5))
        if at == on(30, 16.5):
            _report(engine)
    evaluate(engine, GROUNDS, now=lambda: NOW)


def _pull(engine: Engine, rows: Iterable[dict[str, Any]], at: datetime) -> None:
    source = told(Sheet(list(rows)), name="mot-cua")
    source.provides = frozenset(OPTIONAL_COLUMNS) - {"reappointment_count"}
    pull(engine, "mot-cua", "told", source, now=lambda: at)


def _import(engine: Engine) -> None:
    with transaction(engine) as connection:
        replace_limits(connection, [SourcedLimit(LIMIT)], {LIMIT.procedure_code}, on(1, 7), "Kiểm soát viên", "office")
        lock_register(connection)
        known = read_register(connection)
        wanted, _ = described(known, REGISTER, "don-vi.yaml")
        save_register(connection, known, wanted, file="don-vi.yaml", content=b"x", by="Kiểm soát viên", now=on(1, 7))
        connection.execute(
            text(
                "INSERT INTO tthc.configuration_changes (login, person, account, program_version, what, fingerprint, changes,"
                " state) VALUES ('x', 'Người vận hành', 'tthc@may-chu', '1', 'settings', 'x', CAST(:c AS jsonb), '{}')"
            ),
            {"c": '[{"path": "rules.packs", "old": "core", "new": "core, lateness"}]'},
        )


def _report(engine: Engine) -> None:
    at = on(2, 9, month=11)
    other = told(Sheet([record("b", due_current=on(30, 17))], (Reject("trang-1", 3, "due_current", "không phải ngày", "31/02"),),
                       unknown={("status", "Chờ liên thông"): 1}), name="nguon-khac")  # fmt: skip
    pull(engine, "nguon-khac", "told", other, now=lambda: at, assertions=Assertions(max_reject_share=0.5))
    broken = told(TransientSourceError("the source does not answer; try again"), name="nguon-khac")
    with suppress(TransientSourceError):
        pull(engine, "nguon-khac", "told", broken, now=lambda: at + timedelta(hours=1))
    evaluate(engine, GROUNDS, now=lambda: at + timedelta(hours=2))
    with transaction(engine) as connection:
        freeze(connection, calendar_month("2026-10", "Asia/Ho_Chi_Minh"), "Chánh Văn phòng", at + timedelta(hours=3))
