"""Every name that a rule gives as evidence has words that an official reads."""

from __future__ import annotations

from rules.examples import example_facts
from rules.judge import judge
from rules.loader import load_packs
from tests.house.files import ROOT
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.explanation_words import EVIDENCE, WORDS, duration
from tthc_monitor.settings import RulesSettings, shipped_calendar

CALENDAR = validate(CalendarSpec, shipped_calendar("vn")).compile()


def test_all_evidence_is_told_in_words() -> None:
    names, texts = set(), set()
    for rule in load_packs(RulesSettings().packs, ROOT):
        for example in rule.examples:
            if example.flagged is not None:
                found = judge(example_facts(rule, example, CALENDAR.zone), CALENDAR, rule)
                names |= set(found.columns[3:])
                for name in found.columns[3:]:
                    texts |= {value for value in found[name] if isinstance(value, str)}
    codes = {text for text in texts if text.replace("_", "").isalpha() and text.islower()}
    assert names <= set(EVIDENCE), names - set(EVIDENCE)
    assert codes <= set(WORDS), codes - set(WORDS)
    assert {"on_time", "received_later", "promise"} <= codes


def test_spans_are_told_in_hours_and_minutes() -> None:
    told = {0: "0 phút", 59: "59 giây", 60: "1 phút", 3_600: "1 giờ", 4_500_061: "1.250 giờ 1 phút 1 giây"}
    assert {seconds: duration(seconds) for seconds in told} == told
