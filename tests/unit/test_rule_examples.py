"""Every worked example of every shipped pack: what a rule says in its own words is what it does."""

from __future__ import annotations

from importlib.resources import files

import pytest

from rules.examples import check_example, example_facts
from rules.judge import answers, judge
from rules.loader import parse_pack, shipped_packs
from rules.model import Example, Flagged, Rule
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import parse_yaml, validate


def _calendar() -> WorkCalendar:
    text = files("rules").joinpath("calendars", "vn.yaml").read_text(encoding="utf-8")
    return validate(CalendarSpec, parse_yaml(text, "vn.yaml")).compile()


def _rules() -> list[Rule]:
    packs = files("rules").joinpath("packs")
    return [
        rule
        for name in shipped_packs()
        for rule in parse_pack(packs.joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")
    ]


CALENDAR = _calendar()
RULES = _rules()
EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.code}-{number}")
    for rule in RULES
    for number, example in enumerate(rule.examples, start=1)
]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_a_rule_answers_as_its_example_says(rule: Rule, example: Example) -> None:
    assert check_example(rule, example, CALENDAR) is None, example.story


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_shows_what_it_flags_and_what_it_does_not(rule: Rule) -> None:
    given = {example.answer for example in rule.examples}
    assert "flagged" in given, "give an example that the rule flags"
    assert given - {"flagged"}, "give an example that the rule does not flag"


@pytest.mark.parametrize("rule", [rule for rule in RULES if len(rule.examples) > 1], ids=lambda rule: rule.code)
def test_a_story_is_told_once(rule: Rule) -> None:
    stories = [example.story for example in rule.examples]
    assert len(set(stories)) == len(stories)


def test_codes_are_one_public_name_each() -> None:
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)


OVERDUE = next(rule for rule in RULES if rule.code == "overdue")
OPEN = {"received_at": "2026-10-05 08:00", "due_current": "2026-10-15 17:00"}


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({"dossier": OPEN, "answer": "clear"}, "answers flagged, not clear"),
        ({"dossier": {}, "flagged": {"since": "2026-10-15 17:00"}}, "answers not_applicable, not flagged"),
        (
            {"dossier": OPEN, "flagged": {"since": "2026-10-15 17:00:01"}},
            "starts_at is 2026-10-15 17:00:00.000000, not 2026-10-15 17:00:01",
        ),
        (
            {"dossier": OPEN, "flagged": {"since": "2026-10-15 17:00", "until": "2026-10-16"}},
            "ends_at is without end, not 2026-10-16",
        ),
        (
            {"dossier": {**OPEN, "ended_at": "2026-10-16 08:00"}, "flagged": {"since": "2026-10-15 17:00"}},
            "ends_at is 2026-10-16 08:00:00.000000, not without end",
        ),
    ],
)
def test_an_example_that_is_wrong_says_what_the_rule_answers(example: dict[str, object], said: str) -> None:
    assert check_example(OVERDUE, Example.model_validate({"story": "x", **example}), CALENDAR) == said


def test_an_example_names_facts_only() -> None:
    with pytest.raises(ValueError, match="received: no such fact; use names of FACT_SCHEMA"):
        example_facts(OVERDUE, Example(story="x", dossier={"received": "2026-10-05"}, answer="clear"), CALENDAR.zone)


def test_times_of_an_example_are_local_and_what_is_left_out_is_unknown() -> None:
    example = Example(story="x", dossier={**OPEN, "provides": ["apology_at"]}, flagged=Flagged(since="2026-10-15"))
    (row,) = example_facts(OVERDUE, example, CALENDAR.zone).to_dict("records")
    assert str(row["received_at"]) == "2026-10-05 01:00:00+00:00"
    assert (row["status"], row["supplement_count"], row["due_moves"]) == (4, -1, 0)
    assert row["unit_code"] != row["unit_code"]
    facts = example_facts(OVERDUE, example, CALENDAR.zone)
    assert len(judge(facts, CALENDAR, OVERDUE)) == 1
    assert answers(facts, CALENDAR, OVERDUE).tolist() == ["flagged"]
