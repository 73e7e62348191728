"""A rule as it is written: its examples, what is its version, and which official rules may not be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rules.loader import load_packs, ruleset_fingerprint
from rules.model import Beside, Example, Flagged
from tests.unit.judged import rule
from tthc_monitor.domain.errors import ConfigError

SINCE = Flagged(since="2026-10-05 07:30")
STORY: dict[str, Any] = {"story": "Quá hạn.", "dossier": {}}
OFFICIAL = {
    "overdue": "open_overdue",
    "finished_late": "late",
    "due_current": "cannot_tell (missing: due_current)",
    "end": "cannot_tell (missing: end)",
    "wait": "cannot_tell (missing: wait)",
    "status": "cannot_tell (missing: status)",
}


@pytest.mark.parametrize("answer", ["clear", "not_applicable", "cannot_tell"])
def test_an_example_flags_with_an_interval_and_else_without(answer: str) -> None:
    assert Example.model_validate(STORY | {"flagged": SINCE}).answer == "flagged"
    assert Example.model_validate(STORY | {"answer": answer}).flagged is None
    for wrong in ({}, {"answer": "flagged"}, {"flagged": SINCE, "answer": answer}):
        with pytest.raises(ValidationError, match="give 'flagged' with its interval, or 'answer' with another answer"):
            Example.model_validate(STORY | wrong)


def test_an_example_is_read_within_its_rule() -> None:
    (one,) = rule("overdue", examples=[STORY | {"answer": "clear"}]).examples
    assert (one.story, one.answer, one.beside) == ("Quá hạn.", "clear", ())


@pytest.mark.parametrize(("times", "holds"), [(0, False), (1, True), (10_000, True), (10_001, False)])
def test_a_dossier_beside_may_stand_there_so_many_times(times: int, holds: bool) -> None:
    assert Beside(dossier={}).times == 1
    if holds:
        assert Beside(times=times, dossier={}).times == times
    else:
        with pytest.raises(ValidationError, match="times"):
            Beside(times=times, dossier={})


@pytest.mark.parametrize(
    ("since", "holds"),
    [
        ("2026-10-05", True),
        ("2026-10-05 07:30", True),
        ("2026-10-05 07:30:15", True),
        ("2026-10-05T07:30", False),
        ("05/10/2026", False),
    ],
)
def test_times_of_an_example_are_local_and_written_one_way(since: str, holds: bool) -> None:
    if holds:
        assert Flagged(since=since).since == since
    else:
        with pytest.raises(ValidationError, match="since"):
            Flagged(since=since)


def test_examples_are_no_part_of_a_rules_version() -> None:
    shown = rule("overdue", examples=[STORY | {"answer": "clear"}])
    assert shown.fingerprint() == rule("overdue").fingerprint()
    assert "examples" not in shown.model_dump()


def test_the_version_of_all_rules_is_no_matter_of_their_order() -> None:
    one, two = rule("overdue", code="a"), rule("overdue", code="b")
    assert ruleset_fingerprint([one, two]) == ruleset_fingerprint([two, one]) != ruleset_fingerprint([one])


@pytest.mark.parametrize("left_out", sorted(OFFICIAL))
def test_which_official_rule_is_missing_is_said(left_out: str, tmp_path: Path) -> None:
    """Without one of them, what it would find would count as on time."""
    written = []
    for number, (what, verdict) in enumerate(OFFICIAL.items()):
        kind = f"cannot_tell, missing: {what}" if "missing" in verdict else what
        said = "" if what == left_out else f", verdict: {verdict.partition(' ')[0]}"
        written.append(f"  - {{code: x{number}, kind: {kind}, title: t, severity: info, legal_basis: b{said}}}\n")
    (tmp_path / "own.yml").write_text("pack: own\nrules:\n" + "".join(written), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_packs(["own.yml"], tmp_path)
    assert str(refused.value).startswith(
        f"no rule gives the verdict {OFFICIAL[left_out]}; put the pack 'core' first in rules.packs"
    )
