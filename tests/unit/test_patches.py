"""Records that tell only a part of their dossiers are made whole from what was known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tthc_monitor.domain.patches import completed
from tthc_monitor.domain.records import RECORD_SCHEMA, conform

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows), schema=dict(RECORD_SCHEMA), orient="row"))


def whole(known: dict[str, Any] | None, *patches: dict[str, Any], clears: tuple[str, ...] = ()) -> dict[str, Any]:
    """What becomes of one dossier, without what is empty and without its key."""
    held = records() if known is None else records({"source_key": "a", "kind": "dossier", **known})
    made = completed(records(*({"source_key": "a", **patch} for patch in patches)), held, clears)
    assert made.columns == list(RECORD_SCHEMA)
    (row,) = made.to_dicts()
    return {name: value for name, value in row.items() if value is not None and name != "source_key"}


STEP = {"step_code": "tiep-nhan", "step_name": "Tiếp nhận", "step_unit_code": "H99.01", "step_started_at": NOON}
ASKED = {"supplement_requested_at": NOON, "supplement_completed_at": LATER}
KNOWN: dict[str, Any] = {"status": 4, "source_status": "dang-xu-ly", "unit_code": "H99.01", "due_current": NOON}


@pytest.mark.parametrize(
    ("known", "patch", "expected"),
    [
        # what is not told stays
        (KNOWN, {"steps_done": 3}, KNOWN | {"steps_done": 3}),
        (KNOWN, {"due_current": LATER}, KNOWN | {"due_current": LATER}),
        (KNOWN, {"kind": "petition"}, KNOWN | {"kind": "petition"}),
        # a status and the source's word for it are one
        (KNOWN, {"status": 9}, {**KNOWN, "status": 9, "source_status": None}),
        (KNOWN, {"source_status": "la"}, {**KNOWN, "status": None, "source_status": "la"}),
        (KNOWN, {"status": 9, "source_status": "xong"}, KNOWN | {"status": 9, "source_status": "xong"}),
        # another step has a name and dates of its own; more about the same one is added
        (STEP, {"step_code": "tham-dinh"}, {"step_code": "tham-dinh"}),
        (STEP, {"step_code": "tiep-nhan", "step_due_at": LATER}, STEP | {"step_due_at": LATER}),
        (STEP, {"step_due_at": LATER}, STEP | {"step_due_at": LATER}),
        # a new request has not been answered
        (ASKED, {"supplement_requested_at": LATER}, {"supplement_requested_at": LATER}),
        (ASKED, {"supplement_requested_at": NOON}, ASKED),
        ({"consulted_at": NOON, "consulted_answered_at": LATER}, {"consulted_at": LATER}, {"consulted_at": LATER}),
    ],
)
def test_what_a_patch_leaves_out_stays_unless_it_belonged_to_what_has_changed(
    known: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = {"kind": "dossier"} | {name: value for name, value in expected.items() if value is not None}
    assert whole(known, patch) == made


def test_patches_of_one_dossier_go_on_from_each_other() -> None:
    patches = (
        {"status": 5, "source_status": "cho"},
        {"due_current": LATER},
        {"source_status": "la"},
        {"steps_done": 1},
    )
    expected = KNOWN | {"kind": "dossier", "source_status": "la", "due_current": LATER, "steps_done": 1}
    assert whole(KNOWN, *patches) == {name: value for name, value in expected.items() if name != "status"}


def test_of_an_unknown_dossier_it_is_what_it_tells() -> None:
    assert whole(None, {"status": 4}, {"kind": "dossier", "steps_done": 1}) == {
        "kind": "dossier", "status": 4, "steps_done": 1,
    }  # fmt: skip


def test_columns_that_a_patch_clears_are_as_it_tells_them() -> None:
    cleared = whole(KNOWN | STEP, {"status": 4}, clears=("due_current", "step_code", "step_name"))
    assert cleared == {"kind": "dossier", "status": 4, "unit_code": "H99.01"}, "the step's dates go with the step"


def test_a_name_belongs_to_the_code_told_beside_it() -> None:
    made = whole(KNOWN, {"unit_name": "Sở Y tế", "sector_code": "XD", "sector_name": "Xây dựng"})
    assert (made["unit_code"], made.get("unit_name"), made["sector_name"]) == ("H99.01", None, "Xây dựng")


def test_each_dossier_is_completed_by_itself_and_comes_once() -> None:
    known = records(*({"source_key": key, "kind": "dossier", "code": f"mã {key}"} for key in "abc"))
    made = completed(records(*({"source_key": key, "steps_done": n} for n, key in enumerate("cabac"))), known)
    assert made.select("source_key", "code", "steps_done").rows() == [
        ("b", "mã b", 2),
        ("a", "mã a", 3),
        ("c", "mã c", 4),
    ]


def test_no_patches_make_no_records() -> None:
    assert completed(records(), records()).height == 0
