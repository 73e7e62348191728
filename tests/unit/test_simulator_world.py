"""The simulated province: deterministic, plausible, and moving."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.settings import shipped_calendar
from tthc_monitor.simulator.catalogue import PROCEDURES, UNITS, procedures_of
from tthc_monitor.simulator.office_hours import ZONE, OfficeTime, is_working
from tthc_monitor.simulator.opencps_api import coerce, listing
from tthc_monitor.simulator.world import World

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, NOW)


def test_the_same_seed_and_instant_give_the_same_dossiers(world: World) -> None:
    other = World(7, NOW)
    later = NOW + timedelta(days=9)
    other.dossiers_at(later)  # looking ahead changes nothing
    assert other.dossiers_at(NOW) == world.dossiers_at(NOW)
    assert other.dossiers_at(later) == World(7, NOW).dossiers_at(later)
    assert World(8, NOW).dossiers_at(NOW) != world.dossiers_at(NOW)


def test_worlds_of_one_seed_agree_on_the_days_they_share(world: World) -> None:
    moved = {one.script.dossier_id: one for one in World(7, NOW + timedelta(days=2)).dossiers_at(NOW)}
    shared = [one for one in world.dossiers_at(NOW) if one.script.dossier_id in moved]
    assert len(shared) > 1_300
    assert all(moved[one.script.dossier_id] == one for one in shared)


def test_a_naive_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        World(1, datetime(2026, 11, 20))


def test_history_happens_in_office_hours(world: World) -> None:
    for one in world.dossiers_at(NOW):
        for move in one.moves:
            local = move.at.astimezone(ZONE)
            clock = local.hour * 60 + local.minute
            assert is_working(local.date()), one
            assert 450 <= clock < 690 or 810 <= clock < 1020, one


def test_the_mix_is_realistic(world: World) -> None:
    dossiers = world.dossiers_at(NOW)
    assert 1_300 <= len(dossiers) <= 1_700
    released = [one for one in dossiers if one.released_at and one.due_at and one.status in ("releasing", "done")]
    late = sum(one.released_at > (one.extended_to or one.due_at) for one in released if one.released_at and one.due_at)
    assert 0.02 <= late / len(released) <= 0.10
    going = [one for one in dossiers if one.status == "processing"]
    assert sum(one.due_at is not None and one.due_at < NOW for one in going) >= 10
    assert any(one.due_at and NOW <= one.due_at < NOW + timedelta(days=1) for one in going)
    assert any(one.extended_to and one.due_at and one.extended_to > one.due_at for one in dossiers)
    assert any(one.due_at is None and one.received_at for one in dossiers)
    assert {1, 2} <= {len(one.supplement_requests) for one in dossiers}
    kinds = Counter(one.status for one in dossiers)
    assert all(kinds[status] for status in ("waiting", "denied", "unresolved", "cancelled", "releasing", "receiving"))
    assert {one.script.unit.code for one in dossiers} == {unit.code for unit in UNITS}


def test_numbers_hold_the_day_of_reception_and_count_from_one_without_gaps(world: World) -> None:
    """TT 03/2025/TT-VPCP Art. 13.3: unit, YYMMDD of the reception, serial of that day."""
    serials: dict[str, list[int]] = defaultdict(list)
    dossiers = [one for one in world.dossiers_at(NOW) if one.received_at is not None]
    for one in sorted(dossiers, key=lambda one: (one.received_at or NOW, one.script.dossier_id)):
        assert one.received_at is not None
        unit_and_day, serial = one.script.code.rsplit("-", 1)
        assert unit_and_day == f"{one.script.unit.code}-{one.received_at.astimezone(ZONE):%y%m%d}"
        assert len(serial) == 4
        serials[unit_and_day].append(int(serial))
    assert len(serials) > 500
    assert all(found == list(range(1, len(found) + 1)) for found in serials.values())
    over_night = [one for one in dossiers if one.script.created_at.date() != (one.received_at or NOW).date()]
    assert over_night, "some come on one day and are received on the next"


def test_dossiers_of_a_moving_world_are_numbered_like_all_others() -> None:
    world = World(7, NOW, pace=4)
    today = f"-{NOW.astimezone(ZONE):%y%m%d}-"
    seen: dict[int, str] = {}
    for minutes in (0, 1, 5, 30):
        codes = {one.script.dossier_id: one.script.code for one in world.dossiers_at(NOW + timedelta(minutes=minutes))}
        assert all(codes[key] == code for key, code in seen.items()), "a number never changes"
        seen |= codes
    numbered = [code for code in seen.values() if today in code]
    assert len(set(numbered)) == len(numbered) > 50


def test_promises_keep_to_the_calendar_that_is_shipped() -> None:
    calendar = validate(CalendarSpec, shipped_calendar("vn")).compile()
    first = NOW.date() - timedelta(days=500)
    days = [first + timedelta(days=n) for n in range(900)]
    assert [day for day in days if calendar.is_workday(day) != is_working(day)] == []


def test_some_applicants_file_again_after_a_return(world: World) -> None:
    ended = {
        (one.script.applicant, one.script.procedure.code, one.script.unit.code): one.released_at
        for one in world.dossiers_at(NOW)
        if one.status in ("unresolved", "cancelled")
    }
    again = [
        one
        for one in world.dossiers_at(NOW)
        if one.status not in ("unresolved", "cancelled")
        and (before := ended.get((one.script.applicant, one.script.procedure.code, one.script.unit.code)))
        and one.script.created_at > before
    ]
    assert again


def test_events_of_a_dossier_are_in_order(world: World) -> None:
    for one in world.dossiers_at(NOW + timedelta(days=30)):
        instants = [move.at for move in one.moves]
        assert instants == sorted(instants), one


def test_the_world_goes_on_by_itself(world: World) -> None:
    before = {one.script.dossier_id: one.status for one in world.dossiers_at(NOW)}
    after = {one.script.dossier_id: one.status for one in world.dossiers_at(NOW + timedelta(days=7))}
    assert len(after) > len(before) + 40
    assert sum(after[key] != status for key, status in before.items()) > 40


def test_a_pace_moves_within_a_minute_even_at_night() -> None:
    midnight = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    world = World(7, midnight, pace=4)
    dossiers = [world.dossiers_at(midnight + timedelta(seconds=n)) for n in (0, 60)]
    assert len(dossiers[1]) >= len(dossiers[0]) + 5
    assert sum(one.released_at is not None for one in dossiers[1]) > sum(
        one.released_at is not None for one in dossiers[0]
    )
    end = midnight + timedelta(minutes=5)
    live = [one for one in world.dossiers_at(end) if one.script.created_at > midnight]
    assert any(one.due_at and one.due_at < end and one.released_at is None for one in live), "some become overdue"
    assert World(7, midnight, pace=4).dossiers_at(end) == world.dossiers_at(end)


def test_every_unit_has_procedures_and_codes_are_unique() -> None:
    assert all(procedures_of(unit) for unit in UNITS)
    assert len({item.code for item in PROCEDURES}) == len(PROCEDURES) >= 25
    assert len({unit.code for unit in UNITS}) == len(UNITS) == 14


def test_office_minutes_become_instants() -> None:
    office = OfficeTime(NOW.date(), 30)  # Friday 20/11/2026; Tuesday 24/11 is a day off

    def local(minute: float) -> str:
        return f"{office.instant(minute).astimezone(ZONE):%a %d/%m %H:%M}"

    assert local(0) == "Fri 20/11 07:30"
    assert local(239) == "Fri 20/11 11:29"
    assert local(240) == "Fri 20/11 13:30"
    assert local(450) == "Mon 23/11 07:30"
    assert local(900) == "Wed 25/11 07:30"
    with pytest.raises(IndexError):
        office.instant(-1)


def test_numeric_texts_become_numbers_and_short_lists_change_shape() -> None:
    assert [coerce(value) for value in ("0888", "2.000200", "true", "", "H99.05", 7)] == [
        *(888, 2.0002, True, "", "H99.05", 7),
    ]
    assert listing([], 0) == {"total": 0}
    assert listing([{"a": "1"}], 1) == {"total": 1, "data": {"a": 1}}
    assert listing([{"a": "x"}, {"a": "y"}], 2) == {"total": 2, "data": [{"a": "x"}, {"a": "y"}]}
