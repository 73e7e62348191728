"""The erratum of a frozen month names the dossiers that moved, where from, where to and why, and adds up to audit.errata."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
from sqlalchemy import Engine, text

from tests.postgres.seed import at
from tests.postgres.test_evaluate import CORE, judge
from tests.postgres.test_frozen import (
    FROZEN_AT,
    HELD,
    MARCH,
    MARCH_ROWS,
    NAMES,
    OPEN,
    PETITION,
    TIMELY,
    froze,
    learn_more,
    march,
)
from tests.postgres.test_ledger import query, take
from tthc_monitor.outputs.erratum_files import write_erratum, write_erratum_csv
from tthc_monitor.outputs.erratum_tables import CAUSES, cause_words, erratum_tables
from tthc_monitor.store.database import transaction
from tthc_monitor.store.erratum import ErratumOfPeriod, Move, read_erratum

__all__ = ["march"]


def erratum(engine: Engine, units: list[str] | None = None, kind: str | None = None) -> ErratumOfPeriod:
    with transaction(engine) as connection:
        found = read_erratum(connection, MARCH, units, kind)
    assert_adds_up(engine, found, units, kind)
    return found


def assert_adds_up(engine: Engine, found: ErratumOfPeriod, units: list[str] | None, kind: str | None) -> None:
    """The moves of the dossiers are, figure by figure, what audit.errata says."""
    moved: Counter[tuple[Any, ...]] = Counter()
    for move in found.moves:
        for place, sign in ((move.before, -1), (move.now, 1)):
            if units is None or place.unit_code in units:
                for figure in filter(None, (place.intake, place.outcome)):
                    moved[place.unit_code, place.procedure_code, place.sector_code, move.kind, figure] += sign
    told = {
        tuple(row[:5]): row[6] - row[5]
        for row in query(
            engine,
            "SELECT unit_code, procedure_code, sector_code, kind, figure, frozen_count, count_now "
            "FROM audit.errata(:start, :end, :zone)",
            start=MARCH.start,
            end=MARCH.end,
            zone=MARCH.zone,
        )
        if (units is None or row[0] in units) and kind in (None, row[3])
    }
    assert {key: value for key, value in moved.items() if value} == told
    assert found.unexplained == {}


def by_code(found: ErratumOfPeriod) -> dict[str, Move]:
    moves = {move.code: move for move in found.moves}
    assert len(moves) == len(found.moves)
    return moves


def test_nothing_moves_until_something_is_learnt(march: Engine) -> None:
    assert erratum(march).moves == ()
    froze(march)
    assert erratum(march) == ErratumOfPeriod((), (), {})


def test_each_dossier_that_moved_is_named_with_its_columns_and_the_cause(march: Engine) -> None:
    froze(march)
    learn_more(march)
    moves = by_code(erratum(march))
    assert {code: move.causes for code, move in moves.items()} == {
        "a": ("end_told_late",),
        "c": ("unit_changed",),
        "f": ("seen_late",),
    }
    ended, moved, new = moves["a"], moves["c"], moves["f"]
    assert (ended.before.outcome, ended.now.outcome) == ("pending_overdue", "finished_early")
    assert ended.tell.ended_at == at("2026-03-09", "16:00") and ended.told.ended_at is None
    assert (moved.before.unit_code, moved.now.unit_code) == ("H99.02", "H99.03")
    assert (moved.before.unit_name, moved.now.unit_name) == (NAMES["H99.02"], NAMES["H99.03"])
    assert not new.before.is_counted and (new.now.intake, new.now.outcome) == ("received_direct", "pending_in_time")


CORRECTED = {
    # What is learnt, and the causes that must be named.
    "due": (MARCH_ROWS[0] | {"due_current": at("2026-04-30", "17:00")}, ("due_changed",)),
    "reopened": (TIMELY | {"status": 4, "finished_at": None}, ("reopened",)),
    "end": (TIMELY | {"finished_at": at("2026-03-11", "09:00")}, ("end_changed",)),
    "received": (OPEN | {"received_at": at("2026-02-20")}, ("received_changed",)),
    "later": (OPEN | {"received_at": at("2026-04-02")}, ("received_changed",)),
    "channel": (OPEN | {"channel": "direct"}, ("channel_changed",)),
    "procedure": (OPEN | {"procedure_code": "1.000002", "procedure_name": "Khác"}, ("procedure_changed",)),
    "unit": (HELD | {"unit_code": "H99.01"}, ("unit_changed",)),
    "two": (OPEN | {"unit_code": "H99.02", "due_current": at("2026-04-30")}, ("due_changed", "unit_changed")),
    "petition": (PETITION | {"status": 9, "finished_at": at("2026-03-09")}, ("end_told_late",)),
}


def test_every_kind_of_correction_has_its_cause(march: Engine) -> None:
    froze(march)
    for day, (corrected, causes) in enumerate(CORRECTED.values()):
        # The others are, or are again, what they were.
        others = [row for row in MARCH_ROWS if row["source_key"] != corrected["source_key"]]
        when = at("2026-04-15") + timedelta(days=day)
        take(march, *others, corrected, at=when)
        judge(march, when)
        (move,) = erratum(march).moves
        assert (move.code, move.causes) == (corrected.get("code") or corrected["source_key"], causes)


def test_a_correction_that_changes_no_column_is_no_erratum(march: Engine) -> None:
    froze(march)
    take(march, OPEN | {"step_code": "B9"}, *MARCH_ROWS[1:], at=at("2026-04-15"))
    judge(march, at("2026-04-15"))
    assert erratum(march).moves == ()


def test_other_rules_are_told_as_the_cause(march: Engine) -> None:
    froze(march)
    judge(march, at("2026-04-10"), rules=[rule for rule in CORE if rule.code != "overdue"])
    moves = by_code(erratum(march))
    assert {code: move.causes for code, move in moves.items()} == dict.fromkeys(moves, ("rules_changed",))
    assert {move.before.outcome for move in moves.values()} == {"pending_overdue"}
    assert set(by_code(erratum(march, kind="dossier"))) < set(moves)


def test_gone_and_back_is_told_beside_what_changed(march: Engine) -> None:
    with march.begin() as connection:
        connection.execute(
            text("UPDATE tthc.dossiers SET vanished_seen_at = :at WHERE source_key = 'a'"),
            {"at": FROZEN_AT - timedelta(1)},
        )
    froze(march)
    learn_more(march)
    with march.begin() as connection:
        connection.execute(text("UPDATE tthc.dossiers SET vanished_seen_at = NULL WHERE source_key = 'a'"))
        connection.execute(text("UPDATE tthc.dossiers SET vanished_seen_at = now() WHERE source_key = 'c'"))
    moves = by_code(erratum(march))
    assert "vanished" in moves["c"].causes


def test_units_limit_it_on_both_sides(march: Engine) -> None:
    froze(march)
    learn_more(march)
    assert set(by_code(erratum(march, ["H99.02"]))) == {"c"}
    assert set(by_code(erratum(march, ["H99.03"]))) == {"c", "f"}
    assert set(by_code(erratum(march, ["H99.01"]))) == {"a"}


def test_what_no_dossier_explains_is_said(march: Engine) -> None:
    froze(march)
    learn_more(march)
    with march.begin() as connection:
        # Past every guard: a frozen figure that was never counted.
        connection.execute(text("ALTER TABLE tthc.frozen_figures DISABLE TRIGGER append_only"))
        connection.execute(text("UPDATE tthc.frozen_figures SET carried_over = 7 WHERE unit_code = 'H99.02'"))
    with transaction(march) as connection:
        found = read_erratum(connection, MARCH)
    assert found.unexplained == {("H99.02", "1.000001", "XD", "dossier", "carried_over"): -7}
    _, figures = erratum_tables(found)
    rows = figures.rows.set_index(["unit_code", "figure"])["unexplained"]
    assert rows["H99.02", "carried_over"] == -7 and rows.sum() == -7


def test_it_is_written_as_a_workbook_and_as_csv(march: Engine, tmp_path: Path) -> None:
    froze(march)
    learn_more(march)
    tables = erratum_tables(erratum(march, kind="dossier"), ["Báo cáo số 05."])
    book = openpyxl.load_workbook(write_erratum(tables, MARCH, tmp_path / "d.xlsx", FROZEN_AT))
    assert book.sheetnames == ["Đính chính theo hồ sơ", "Đính chính theo chỉ tiêu"]
    said = [str(cell) for row in book.worksheets[0].iter_rows(values_only=True) for cell in row if cell is not None]
    assert "Chuyển đơn vị giải quyết" in said and "Báo cáo số 05." in " ".join(said)
    moves, figures = write_erratum_csv(tables, MARCH, tmp_path / "csv")
    assert moves.read_text("utf-8-sig").count("\n") == 4
    assert figures.read_text("utf-8-sig").count("\n") == 8
    empty = erratum_tables(ErratumOfPeriod((), (), {}))
    assert write_erratum(empty, MARCH, tmp_path / "e.xlsx", FROZEN_AT).exists()


def test_words_of_causes_and_columns() -> None:
    assert cause_words(("unit_changed", "due_changed")) == "Chuyển đơn vị giải quyết; Ngày hẹn trả thay đổi"
    assert set(CAUSES) >= {cause for _, causes in CORRECTED.values() for cause in causes}
