"""What people may write as a bare text or as a mapping: editors are told of both."""

from __future__ import annotations

from tthc_monitor.domain.calendars import DayOff
from tthc_monitor.domain.short_forms import text_or_this


def test_a_text_or_the_mapping_and_nothing_beside() -> None:
    schema = {"type": "object", "properties": {"date": {"type": "string"}}}
    mapping = dict(schema)
    text_or_this(schema)
    assert schema == {"anyOf": [{"type": "string"}, mapping]}


def test_a_day_off_is_a_date_or_a_mapping_with_one() -> None:
    text, mapping = DayOff.model_json_schema()["anyOf"]
    assert text == {"type": "string"}
    assert (mapping["type"], mapping["required"]) == ("object", ["date"])
    assert DayOff.model_validate("2026-01-01") == DayOff.model_validate({"date": "2026-01-01"})
