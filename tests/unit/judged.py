"""Facts, rules and intervals for the tables and properties of rules, on the shipped calendar and in its local time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from rules.examples import example_facts
from rules.judge import answers, judge
from rules.kinds.intervals import FINDING_COLUMNS
from rules.loader import parse_pack
from rules.model import Beside, Example, Rule
from rules.registry import Pack
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.yaml_text import parse_yaml, validate

CALENDAR = validate(
    CalendarSpec,
    parse_yaml(files("rules").joinpath("calendars", "vn.yaml").read_text(encoding="utf-8"), "vn.yaml"),
).compile()
NEVER = None
Row = dict[str, Any]
Span = tuple[str, str | None]
"""Local instants, "2026-10-05 07:30" (with seconds where they matter)."""


def rule(kind: str, **fields: Any) -> Rule:
    """A rule of a kind with these parameters."""
    usual = {"code": "x", "kind": kind, "title": "t", "severity": "info", "legal_basis": "b"}
    made: Rule = Pack.model_validate({"pack": "t", "rules": [usual | fields]}).rules[0]
    return made


def shipped(pack: str) -> dict[str, Rule]:
    """The rules of a shipped pack by code."""
    text = files("rules").joinpath("packs", f"{pack}.yaml").read_text(encoding="utf-8")
    return {one.code: one for one in parse_pack(text, f"{pack}.yaml")}


def facts(of: Rule, rows: Iterable[Row]) -> pd.DataFrame:
    """Facts of dossiers under way; ``rows`` say what differs, as examples do."""
    first, *others = rows
    beside = tuple(Beside(dossier=row) for row in others)
    return example_facts(of, Example(story="x", dossier=first, beside=beside, answer="clear"), CALENDAR.zone)


def found(of: Rule, *rows: Row) -> list[Span | None]:
    """What a rule finds on each row: the interval, or None."""
    result = judge(facts(of, rows), CALENDAR, of)
    assert list(result.columns[:3]) == list(FINDING_COLUMNS)
    assert not result["dossier_id"].duplicated().any(), "a rule finds at most one thing on a dossier"
    spans = {
        number: (_local(start), NEVER if pd.isna(end) else _local(end))
        for number, start, end in result[list(FINDING_COLUMNS)].itertuples(index=False)
    }
    return [spans.get(number) for number in range(1, len(rows) + 1)]


def answered(of: Rule, *rows: Row) -> list[str]:
    """The rule's answer for each row."""
    return answers(facts(of, rows), CALENDAR, of).tolist()


def check(of: Rule, table: list[tuple[Row, Span | str]]) -> None:
    """The interval, or else the answer, of all rows at once, and of each by itself."""
    rows = [row for row, _ in table]
    spans, said = found(of, *rows), answered(of, *rows)
    for (row, expected), span, answer in zip(table, spans, said, strict=True):
        assert (answer == "flagged") == (span is not None), row
        assert (answer if span is None else span) == expected, row
    assert [found(of, row)[0] for row in rows] == spans
    assert [answered(of, row)[0] for row in rows] == said


def _local(instant: pd.Timestamp) -> str:
    text = f"{instant.tz_convert(CALENDAR.zone):%Y-%m-%d %H:%M:%S}"
    return text.removesuffix(":00")


# -- properties -----------------------------------------------------------------------------------------------------

_CLOCK = ("00:00", "07:29:59", "07:30", "11:30", "13:30", "14:59:59", "15:00", "16:59:59", "17:00", "23:59:59")
_DAYS = pd.date_range("2026-08-17", "2026-10-09").strftime("%Y-%m-%d").tolist()
"""With the Saturday worked in exchange, 22 August, and the days off for 2 September."""

INSTANTS = st.builds("{} {}".format, st.sampled_from(_DAYS), st.sampled_from(_CLOCK))


def _waits(row: Row, earlier: list[str]) -> Row:
    requested, answered_at = row.get("supplement_requested_at"), row.get("supplement_completed_at")
    if answered_at is not None and (requested is None or answered_at <= requested):
        del row["supplement_completed_at"]
    past = sorted(at for at in earlier if requested is not None and at < requested)
    pairs = [
        [int(pd.Timestamp(one, tz=CALENDAR.zone).timestamp()) for one in pair]
        for pair in zip(past[::2], past[1::2], strict=False)
    ]
    return row | ({"earlier_waits": str(pairs)} if pairs else {})


_OPTIONAL_INSTANTS = (
    *("submitted_at", "received_at", "competent_received_at", "transferred_at", "due_original", "due_current"),
    *("due_lawful", "ended_at", "end_seen_at", "result_at", "supplement_requested_at", "supplement_completed_at"),
    *("obligation_requested_at", "stop_requested_at", "apology_at", "step_started_at", "step_due_at"),
    *("first_seen_at", "underway_seen_at", "due_previous", "due_unmoved_at", "due_moved_at", "vanished_seen_at"),
)

ROWS: st.SearchStrategy[Row] = st.builds(
    _waits,
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(_OPTIONAL_INSTANTS, INSTANTS),
            "status": st.sampled_from((-1, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10)),
            "channel": st.sampled_from(("direct", "online")),
            "unit_code": st.sampled_from(("H99.01", "H99.02")),
            "receiving_unit_code": st.sampled_from(("H99.01", "H99.02")),
            "supplement_count": st.integers(-1, 3),
            "reappointment_count": st.integers(-1, 3),
            "due_moves": st.integers(0, 3),
            "request_unknown": st.integers(0, 1),
            "answer_unknown": st.integers(0, 1),
            "provides": st.sampled_from(
                ([], ["apology_at", "result_at", "stop_requested_at", "transferred_at", "step_due_at"])
            ),
        },
    ),
    st.lists(INSTANTS, max_size=5, unique=True),
)
"""Rows of facts with any of them missing; a completion lies after its request, earlier waits before the latest."""


def starts(of: Rule, rows: Sequence[Row]) -> list[datetime | None]:
    """When each row is flagged from; None where it is not."""
    result = judge(facts(of, rows), CALENDAR, of)
    by_number = dict(zip(result["dossier_id"], result["starts_at"], strict=True))
    return [by_number.get(number) for number in range(1, len(rows) + 1)]
