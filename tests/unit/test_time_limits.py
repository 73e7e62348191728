"""Limits as people write them, and which of them a dossier has."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rules.clock_rules import load_clock_starts, parse_clock_starts
from tests.unit.lawful import CODE, at, catalogue, limit, result
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.time_limits import ClockPolicy, ClockStart, TimeLimit

DAYS = {"amount": 5, "unit": "working_day"}


def chosen(limits: Limits, received: str, **facts: Any) -> int:
    return int(result({"received_at": at(received), **facts}, limits)["limit"])


# -- as written --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give 'unit'"),
        ({"unit": "working_day"}, "give 'amount' with every unit but same_day"),
        ({"unit": "same_day", "amount": 1}, "give 'amount' with every unit but same_day"),
        ({"abolished": True, **DAYS}, "an abolished procedure has no limit"),
        ({"abolished": True, "unit": "same_day"}, "an abolished procedure has no limit"),
        ({"abolished": True, "amount": 3}, "an abolished procedure has no limit"),
        ({**DAYS, "valid_from": "2026-05-01", "valid_to": "2026-05-01"}, "valid_to must lie after valid_from"),
        ({**DAYS, "amount": 0}, "greater than 0"),
        ({**DAYS, "valid_from": 20260501}, "write it as 2026-01-31"),
        ({**DAYS, "until": "2026-05-01"}, "Extra inputs"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        limit(**fields)


def test_a_limit_is_in_force_from_its_first_day_to_before_its_end() -> None:
    one = limit(**DAYS, valid_from="2026-04-15", valid_to="2027-03-01")
    days = [dt.date(2026, 4, 14), dt.date(2026, 4, 15), dt.date(2027, 2, 28), dt.date(2027, 3, 1)]
    assert [one.in_force(day) for day in days] == [False, True, True, False]


# -- narrower beats wider ----------------------------------------------------------------------------------------------

EVERYWHERE, ONLINE = limit(**DAYS), limit(**DAYS, channel="online")
OF_UNIT, OF_UNIT_ONLINE = limit(**DAYS, unit_code="H01"), limit(**DAYS, unit_code="H01", channel="online")


@pytest.mark.parametrize(
    ("unit", "channel", "number"),
    [
        (None, None, 0),
        ("H02", "direct", 0),
        ("H02", "online", 1),
        ("H01", "direct", 2),
        ("H01", None, 2),
        ("H01", "online", 3),
    ],
)
def test_the_narrower_beats_the_wider_and_a_unit_a_channel(unit: str, channel: str, number: int) -> None:
    limits = catalogue(EVERYWHERE, ONLINE, OF_UNIT, OF_UNIT_ONLINE)
    assert chosen(limits, "2026-10-05 08:00", unit_code=unit, channel=channel) == number


def test_a_unit_beats_a_channel_where_both_apply() -> None:
    limits = catalogue(ONLINE, OF_UNIT)
    assert chosen(limits, "2026-10-05 08:00", unit_code="H01", channel="online") == 1


def test_a_narrower_limit_that_is_not_in_force_leaves_the_wider() -> None:
    limits = catalogue(EVERYWHERE, limit(**DAYS, unit_code="H01", valid_to="2026-07-01"))
    assert chosen(limits, "2026-06-30 08:00", unit_code="H01") == 1
    assert chosen(limits, "2026-07-01 08:00", unit_code="H01") == 0


def test_an_unknown_procedure_has_no_limit() -> None:
    row = result({"received_at": at("2026-10-05 08:00"), "procedure_code": "9.999999"}, catalogue(EVERYWHERE))
    assert row["limit"] == -1
    assert row.isna()["due_lawful"]
    assert row["clock_started_at"] == at("2026-10-05 08:00")


def test_without_limits_and_without_reception_nothing_is_due() -> None:
    assert result({"received_at": at("2026-10-05 08:00")}, catalogue())["limit"] == -1
    row = result({}, catalogue(EVERYWHERE))
    assert row["limit"] == -1
    assert row.isna()["clock_started_at"]


# -- dates: NQ 66.16/2026/NQ-CP, NQ 66.18 and 66.19: in force until 28/02/2027 -----------------------------------------

BEFORE = limit(amount=5, unit="working_day", valid_to="2026-04-15")
TEMPORARY = limit(amount=3, unit="working_day", valid_from="2026-04-15", valid_to="2027-03-01")


@pytest.mark.parametrize(
    ("received", "number"),
    [
        ("2026-04-14 23:59:59", 0),
        ("2026-04-15 00:00", 1),
        ("2027-02-28 23:59:59", 1),
        ("2027-03-01 00:00", -1),
    ],
)
def test_a_temporary_limit_lapses_and_nothing_takes_its_place_unless_in_force(received: str, number: int) -> None:
    assert chosen(catalogue(BEFORE, TEMPORARY), received) == number


@pytest.mark.parametrize(("received", "number"), [("2027-02-28 10:00", 1), ("2027-03-01 10:00", 0)])
def test_after_a_temporary_limit_the_lasting_one_holds_again(received: str, number: int) -> None:
    assert chosen(catalogue(limit(amount=5, unit="working_day"), TEMPORARY), received) == number


def test_the_day_is_the_one_of_the_calendars_zone() -> None:
    limits = catalogue(BEFORE, TEMPORARY)
    received = dt.datetime(2026, 4, 14, 17, 0, tzinfo=dt.UTC)  # 15/04/2026 00:00 in Viet Nam
    assert result({"received_at": received}, limits)["limit"] == 1


# NQ 66.16/2026/NQ-CP Art. 18: dossiers received or postmarked before 15/04/2026 keep the limit of then.
@pytest.mark.parametrize(
    ("channel", "postmarked", "number"),
    [
        ("postal", "2026-04-14 23:59:59", 0),
        ("postal", "2026-04-15 00:00", 1),
        ("postal", None, 1),
        ("direct", "2026-04-14 10:00", 1),
        # No letter is postmarked after it arrived.
        ("postal", "2026-04-20 10:00", 1),
    ],
)
def test_a_postmark_keeps_the_earlier_limit(channel: str, postmarked: str | None, number: int) -> None:
    facts = {"channel": channel, "postmarked_at": postmarked and at(postmarked)}
    assert chosen(catalogue(BEFORE, TEMPORARY), "2026-04-17 10:00", **facts) == number


def test_a_postmark_counts_only_where_the_policy_honours_it() -> None:
    facts = {"channel": "postal", "postmarked_at": at("2026-04-14 10:00")}
    strict = catalogue(BEFORE, TEMPORARY, policy=ClockPolicy(honour_postmark=False))
    assert chosen(strict, "2026-04-17 10:00", **facts) == 1
    # What the new limit says decides, not what the old one said.
    new_only = limit(**TEMPORARY.model_dump(exclude={"policy"}) | {"policy": ClockPolicy(honour_postmark=False)})
    assert chosen(catalogue(BEFORE, new_only), "2026-04-17 10:00", **facts) == 1
    old_only = limit(**BEFORE.model_dump(exclude={"policy"}) | {"policy": ClockPolicy(honour_postmark=False)})
    assert chosen(catalogue(old_only, TEMPORARY), "2026-04-17 10:00", **facts) == 0


def test_a_postmark_on_the_last_day_keeps_the_temporary_limit() -> None:
    limits = catalogue(TEMPORARY)
    assert chosen(limits, "2027-03-03 10:00", channel="postal", postmarked_at=at("2027-02-28 16:00")) == 0
    assert chosen(limits, "2027-03-03 10:00", channel="postal", postmarked_at=at("2027-03-01 07:30")) == -1


def test_the_postmark_rule_of_another_procedure_counts_for_nothing() -> None:
    facts = {"channel": "postal", "postmarked_at": at("2026-04-14 10:00")}
    strict = ClockPolicy(honour_postmark=False)
    old_only = limit(**BEFORE.model_dump(exclude={"policy"}) | {"policy": strict})
    new_only = limit(**TEMPORARY.model_dump(exclude={"policy"}) | {"policy": strict})
    for code in ("0.000001", "2.000001"):
        other = {"procedure_code": code}
        elsewhere = [
            limit(**one.model_dump(exclude={"policy", "procedure_code"}) | other) for one in (BEFORE, TEMPORARY)
        ]
        strictly = [limit(**one.model_dump(exclude={"procedure_code"}) | other) for one in (old_only, new_only)]
        assert chosen(catalogue(old_only, TEMPORARY, *elsewhere), "2026-04-17 10:00", **facts) == 0
        assert chosen(catalogue(BEFORE, new_only, *elsewhere), "2026-04-17 10:00", **facts) == 1
        # The last of this procedure ends by its own rule, whatever begins elsewhere on that day.
        assert chosen(catalogue(BEFORE, *strictly), "2026-04-17 10:00", **facts) == 0
        assert chosen(catalogue(old_only, *elsewhere), "2026-04-17 10:00", **facts) == -1


def test_only_a_limit_that_follows_at_once_says_whether_a_postmark_keeps_this_one() -> None:
    later = limit(amount=3, unit="working_day", valid_from="2026-04-16", policy=ClockPolicy(honour_postmark=False))
    facts = {"channel": "postal", "postmarked_at": at("2026-04-14 10:00")}
    assert chosen(catalogue(BEFORE, later), "2026-04-15 10:00", **facts) == 0
    assert chosen(catalogue(BEFORE, later), "2026-04-16 10:00", **facts) == 1


def test_a_limit_of_one_unit_elsewhere_does_not_hide_that_of_all_units() -> None:
    elsewhere = limit(**DAYS, procedure_code="0.000001", unit_code="H01")
    everywhere = limit(**DAYS)
    assert chosen(catalogue(elsewhere, everywhere), "2026-10-05 10:00", unit_code="H01") == 1


def test_a_limit_within_another_may_begin_or_end_with_it() -> None:
    shorter = limit(amount=3, unit="working_day", valid_from="2026-01-01", valid_to="2026-04-01")
    for longer in (
        limit(**DAYS, valid_from="2026-01-01"),
        limit(**DAYS, valid_from="2025-01-01", valid_to="2026-04-01"),
    ):
        for limits in (catalogue(shorter, longer), catalogue(longer, shorter)):
            found = chosen(limits, "2026-03-31 10:00")
            assert limits.limits[found] == shorter


# -- overlaps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({"valid_from": "2026-01-01"}, {"valid_from": "2026-01-01"}),
        ({"valid_to": "2026-07-01"}, {"valid_from": "2026-06-30"}),
        (
            {"valid_from": "2026-01-01", "valid_to": "2026-07-01"},
            {"valid_from": "2026-06-30", "valid_to": "2027-01-01"},
        ),
    ],
)
def test_limits_that_overlap_are_refused_and_both_are_named(first: dict[str, str], second: dict[str, str]) -> None:
    one, two = limit(**DAYS, **first), limit(**DAYS | {"legal_basis": "QĐ 2/QĐ-UBND"}, **second)
    with pytest.raises(ConfigError, match=CODE) as error:
        catalogue(one, two)
    assert "QĐ 1/QĐ-UBND" in str(error.value)
    assert "QĐ 2/QĐ-UBND" in str(error.value)
    assert "valid_to" in str(error.value)


def test_limits_of_other_scope_or_one_after_the_other_do_not_overlap() -> None:
    catalogue(EVERYWHERE, ONLINE, OF_UNIT, OF_UNIT_ONLINE)
    catalogue(BEFORE, TEMPORARY, limit(**DAYS, valid_from="2027-03-01"))


# -- what changed ------------------------------------------------------------------------------------------------------


def other(code: str, amount: float = 5) -> TimeLimit:
    return limit(procedure_code=code, amount=amount, unit="working_day")


def test_the_procedures_that_a_new_catalogue_concerns() -> None:
    old = catalogue(other("1.1"), other("1.2"), other("1.3"))
    new = catalogue(other("1.4"), other("1.3", 7), other("1.1"))
    assert old.procedures_differing(new) == new.procedures_differing(old) == {"1.2", "1.3", "1.4"}
    assert old.procedures_differing(old) == set()


def test_a_new_default_or_clock_start_concerns_all() -> None:
    old = catalogue(other("1.1"))
    assert old.procedures_differing(catalogue(other("1.1"), policy=ClockPolicy(cutoff="15:00"))) is None
    assert old.procedures_differing(Limits([other("1.1")], ClockPolicy())) is None


def test_the_fingerprint_tells_catalogues_apart_whatever_their_order() -> None:
    old = catalogue(other("1.1"), other("1.2"))
    assert old.fingerprint == catalogue(other("1.2"), other("1.1")).fingerprint
    assert old.fingerprint != catalogue(other("1.1"), other("1.2", 6)).fingerprint
    assert old.fingerprint != catalogue(other("1.1"), other("1.2"), policy=ClockPolicy(cutoff="15:00")).fingerprint


# -- clock starts as data ----------------------------------------------------------------------------------------------


def start(**fields: Any) -> ClockStart:
    return ClockStart(**({"instant": "received_at", "title": "Tính từ khi tiếp nhận.", "legal_basis": "NĐ 1"} | fields))


def test_the_shipped_clock_starts_change_on_5_august_2026() -> None:
    starts = load_clock_starts("vn", Path())
    assert [(one.valid_from, one.instant) for one in starts] == [
        (None, "received_at"),
        (dt.date(2026, 8, 5), "competent_received_at"),
    ]
    assert "309/2026" in starts[1].legal_basis


def test_clock_starts_that_clash_or_leave_a_gap_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"two clock starts hold since 2026-08-05 .* remove one"):
        Limits([], ClockPolicy(), [start(), start(valid_from="2026-08-05"), start(valid_from="2026-08-05")])
    with pytest.raises(ConfigError, match="two clock starts hold since the beginning"):
        Limits([], ClockPolicy(), [start(), start()])
    with pytest.raises(ConfigError, match="no clock start holds before 2026-08-05; add one without valid_from"):
        Limits([], ClockPolicy(), [start(valid_from="2026-08-05")])


def test_a_file_of_clock_starts_is_checked_with_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"own.yaml:2: .*instant"):
        parse_clock_starts("clock_starts:\n  - {instant: sent_at, title: x, legal_basis: y}\n", "own.yaml")
    text = "clock_starts:\n  - {valid_from: 2026-08-05, instant: received_at, title: x, legal_basis: y}\n"
    with pytest.raises(ConfigError, match=r"own.yaml:1: no clock start holds before 2026-08-05"):
        parse_clock_starts(text, "own.yaml")
    own = tmp_path / "own.yaml"
    own.write_text("clock_starts:\n  - {instant: received_at, title: x, legal_basis: y}\n", encoding="utf-8")
    assert load_clock_starts("own.yaml", tmp_path)[0].instant == "received_at"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_clock_starts("none.yaml", tmp_path)
    with pytest.raises(ConfigError, match="are not shipped; use one of vn"):
        load_clock_starts("lao", tmp_path)
