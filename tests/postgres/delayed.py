"""A month in which dossiers are late for every reason that records can prove, each told by whole pulls and judged by all rules.

All are received on 1 October 2026 and promised for Thursday the 15th, 17:00, but where a story says otherwise. The calendar is
the one shipped: 07:30 to 11:30 and 13:30 to 17:00.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine

from rules.grounds import Grounds
from tests.postgres.inspected import GROUNDS, NOW, on
from tests.postgres.test_ledger import Sheet, record, told
from tthc_monitor.domain.records import OPTIONAL_COLUMNS
from tthc_monitor.domain.unit_files import described
from tthc_monitor.evaluate import evaluate
from tthc_monitor.ingest import pull
from tthc_monitor.store.database import transaction
from tthc_monitor.store.units import lock_register, read_register, save_register

MARKUP: Final = '=Sở <b>Mẫu</b> & "{{ so.tong }}"'
REGISTER: Final = """
units:
  - {code: H99.90, name: Huyện Mẫu Cũ, kind: district, valid_to: 2026-03-01}
  - {code: H99.01, name: '=Sở <b>Mẫu</b> & "{{ so.tong }}"', kind: department}
  - {code: H99.02, name: Phường Mẫu Một, kind: ward}
  - {code: H99.03, name: Thuế Mẫu, kind: other}
successions:
  - {from: H99.90, to: H99.02, date: 2026-03-01, document: NQ 1/NQ-HĐND}
"""
_NAMES: Final = {"H99.01": MARKUP, "H99.02": "Phường Mẫu Một", "H99.03": "Thuế Mẫu", "H99.90": "Huyện Mẫu Cũ"}
CALENDAR: Final = GROUNDS.calendar.compile()

_State = tuple[datetime, dict[str, Any]]
_DONE: Final = {"status": 9}


def _done(seen: datetime, finished: datetime, **fields: Any) -> _State:
    return seen, {**_DONE, "finished_at": finished, **fields}


def _step(unit: str, due: datetime, name: str = "Thẩm định", since: datetime | None = None) -> dict[str, Any]:
    began = since or on(2, 8)
    return {"step_name": name, "step_code": "2", "step_unit_code": unit, "step_started_at": began, "step_due_at": due}


STORIES: Final[dict[str, tuple[_State, ...]]] = {
    # The result is signed in time, and closed half an hour into the next morning; or days later; or never.
    "clicked": ((on(1, 9), {}), _done(on(16, 10), on(16, 8), result_at=on(15, 10))),
    "frozen": ((on(1, 9), {}), _done(on(20, 10), on(20, 9), result_at=on(15, 10))),
    "never-closed": ((on(1, 9), {}), (on(16, 10), {"result_at": on(14, 10)})),
    "handed-over": ((on(1, 9), {}), _done(on(16, 10), on(16, 9), delivered_at=on(15, 15))),
    # The applicant had to pay for longer than the dossier is late.
    "paying": (
        (on(1, 9), {}),
        (on(6, 10), {"status": 6, "obligation_requested_at": on(6, 9)}),
        (on(13, 10), {"status": 4, "obligation_completed_at": on(13, 9)}),
        _done(on(19, 17.5), on(19, 16)),
    ),
    # ... and had not paid when the promise came, so that nobody can tell whether an apology was owed.
    "paying-still": (
        (on(1, 9), {}),
        (on(9, 10), {"status": 6, "obligation_requested_at": on(9, 9)}),
        (on(19, 10), {"status": 4, "obligation_completed_at": on(19, 9)}),
        _done(on(20, 10), on(20, 9)),
    ),
    # Another answered late: the tax office, a ward; by less than the dossier is late.
    "tax": ((on(1, 9), {"consulted_unit_code": "H99.03", "consulted_at": on(5), "consulted_due_at": on(7, 17)}),
            (on(21, 9), {"consulted_answered_at": on(20)}), _done(on(22, 9), on(21, 16))),
    "ward": ((on(1, 9), {"consulted_unit_code": "H99.02", "consulted_at": on(5), "consulted_due_at": on(7, 17)}),
             (on(21, 9), {"consulted_answered_at": on(20)}), _done(on(22, 9), on(21, 16))),
    "ward-a-little": ((on(1, 9), {"consulted_unit_code": "H99.02", "consulted_at": on(5), "consulted_due_at": on(7, 17)}),
                      (on(9, 9), {"consulted_answered_at": on(8, 9)}), _done(on(22, 9), on(21, 16))),
    # The step under way is past its own deadline: another's, one's own.
    "held-elsewhere": ((on(1, 9), _step("H99.02", on(13, 17), "Xác minh")), _done(on(22, 9), on(21, 16))),
    "own-step": ((on(1, 9), _step("H99.01", on(12, 17))), _done(on(22, 9), on(21, 16))),
    # Asked after the due instant, and waited for most of the time since.
    "supplemented": (
        (on(1, 9), {}),
        (on(16, 10), {"status": 5, "supplement_requested_at": on(16, 9), "supplement_count": 1}),
        (on(29, 10), {"status": 4, "supplement_completed_at": on(29, 9)}),
        _done(on(30, 10), on(30, 9)),
    ),
    "inherited": ((on(1, 9), {"unit_code": "H99.90", "code": "H99.90-260210-0001", "due_current": on(20, 17, month=3),
                              "received_at": on(10, 8, month=2)}),),
    # The source calls it in time; and so does one that moved the promise after it had passed.
    "called-in-time": ((on(1, 9), {}), _done(on(20, 10), on(20, 9), source_verdict="on_time")),
    "moved": (
        (on(1, 9), {}),
        (on(16, 8), {}),
        (on(16, 10), {"due_current": on(19, 17)}),
        _done(on(21, 10), on(21, 9), source_verdict="on_time"),
    ),
    # Nothing tells why; with letters of apology in time, on the due day, and after it.
    "apologised": ((on(1, 9), {}), (on(14, 10), {"apology_at": on(14, 9)}), _done(on(20, 10), on(20, 9))),
    "apologised-on-the-day": ((on(1, 9), {}), (on(15, 10), {"apology_at": on(15, 9)}), _done(on(20, 10), on(20, 9))),
    "apologised-after": ((on(1, 9), {}), (on(19, 10), {"apology_at": on(19, 9)}), _done(on(20, 10), on(20, 9))),
    "unexplained": ((on(1, 9), {}),),
    # Put off twice, without a letter.
    "again": (
        (on(1, 9), {"due_current": on(9, 17)}), (on(8, 9), {"due_current": on(14, 17)}), (on(13, 9), {"due_current": on(15, 17)}),
        _done(on(20, 10), on(20, 9)),
    ),
    # In time; sent back in every way.
    "in-time": ((on(1, 9), {}), _done(on(14, 10), on(14, 9))),
    "refused": ((on(1, 9), {}), (on(15, 10), {"status": 3, "finished_at": on(15, 9)})),
    "refused-late": ((on(1, 9), {}), (on(20, 10), {"status": 3, "finished_at": on(20, 9)})),
    "stopped": ((on(1, 9), {}), (on(7, 10), {"status": 8, "finished_at": on(7, 9), "stop_requested_at": on(7, 8)})),
    "withdrawn": ((on(1, 9), {}), (on(7, 10), {"status": 7, "finished_at": on(7, 9)})),
    "asked-twice": (
        (on(1, 9), {"due_current": on(29, 17)}),
        (on(6, 10), {"status": 5, "supplement_requested_at": on(6, 9), "supplement_count": 1}),
        (on(8, 10), {"status": 4, "supplement_completed_at": on(8, 9)}),
        (on(13, 10), {"status": 5, "supplement_requested_at": on(13, 9), "supplement_count": 2, "supplement_completed_at": None}),
        (on(14, 10), {"status": 4, "supplement_completed_at": on(14, 9)}),
        _done(on(20, 10), on(20, 9)),
    ),
    "waiting": (
        (on(1, 9), {"due_current": on(29, 17)}),
        (on(6, 10), {"status": 5, "supplement_requested_at": on(6, 9), "supplement_count": 1}),
    ),
}  # fmt: skip
"""What the source tells of each from an instant on; each state adds to those before it."""

CAUSES: Final = {
    "clicked": "bam_cham",
    "frozen": "loi_phan_mem",
    "never-closed": "loi_phan_mem",
    "handed-over": "bam_cham",
    "paying": "thue_tai_chinh",
    "paying-still": "thue_tai_chinh",
    "tax": "thue_tai_chinh",
    "ward": "cho_phoi_hop",
    "ward-a-little": "cho_phoi_hop",
    "held-elsewhere": "cho_phoi_hop",
    "own-step": "can_bo_cham",
    "supplemented": "nguoi_dan_bo_sung",
    "inherited": "ban_giao",
    "called-in-time": "loi_phan_mem",
    "moved": "",
    "apologised": "",
    "apologised-on-the-day": "",
    "apologised-after": "",
    "unexplained": "",
    "again": "",
    "refused-late": "",
}
"""Of every delayed dossier the cause that records prove by the shipped list; empty: none."""


def number(key: str) -> str:
    """The number of a dossier."""
    return f"H99.01-261001-{list(STORIES).index(key) + 1:04d}"


def play(engine: Engine, grounds: Grounds = GROUNDS) -> None:
    """Pull and judge the month."""
    with transaction(engine) as connection:
        lock_register(connection)
        known = read_register(connection)
        wanted, _ = described(known, REGISTER, "don-vi.yaml")
        save_register(connection, known, wanted, file="don-vi.yaml", content=b"x", by="Kiểm soát viên", now=on(1, 7))
    for at in sorted({at for states in STORIES.values() for at, _ in states}):
        rows = [record(key, **_held(key, at)) for key, states in STORIES.items() if states[0][0] <= at]
        source = told(Sheet(rows), name="mot-cua")
        source.provides = frozenset(OPTIONAL_COLUMNS) - {"reappointment_count"}
        pull(engine, "mot-cua", "told", source, now=lambda at=at: at)
    evaluate(engine, grounds, now=lambda: NOW)


def _held(key: str, at: datetime) -> dict[str, Any]:
    held: dict[str, Any] = {
        "code": number(key), "unit_code": "H99.01", "procedure_code": "1.000001", "sector_code": "XD", "channel": "online",
        "received_at": on(1), "due_current": on(15, 17), "supplement_count": 0, "reappointment_count": None,
    }  # fmt: skip
    for since, fields in STORIES[key]:
        if since <= at:
            held |= fields
    return held | {"unit_name": _NAMES[held["unit_code"]]}
