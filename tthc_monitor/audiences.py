"""Whom the settings mean: which units and sectors a recipient is told of, and on which days he is at work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from tthc_monitor.domain.calendar_variants import Calendars
from tthc_monitor.domain.unit_trees import with_units_below
from tthc_monitor.domain.units import UnitRegister
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.recipient_settings import Recipient


def audience_of(recipient: Recipient, register: UnitRegister, day: date) -> Audience:
    """What a recipient's digest of a day is cut to.

    Codes that the register does not know are kept, so that the digest can warn of those that no source names either.

    Args:
        register: whose versions tell what lay below a unit on that day.
    """
    sectors = frozenset(recipient.sectors) or None
    if not recipient.units:
        return Audience(None, sectors, recipient.role)
    if not recipient.subtree:
        return Audience(frozenset(recipient.units), sectors, recipient.role)
    units = with_units_below(register, recipient.units, day)
    title = None
    if len(recipient.units) == 1 and len(units) > 1:
        (code,) = recipient.units
        versions = [one for one in register.versions_of(code) if one.first <= day]
        title = f"{versions[-1].name if versions else code} và các đơn vị trực thuộc"
    return Audience(units, sectors, recipient.role, title)


def works_on(recipient: Recipient, calendars: Calendars, day: date) -> bool:
    """Whether a recipient is at work on a day: one of the units that he is named for is, or, named for none, the office.

    Units below his own do not count: when only a branch works on Saturday, the head of the house rests.

    Raises:
        CalendarError: the day lies outside the horizon.
    """
    return any(calendar.is_workday(day) for calendar in calendars_of([recipient], calendars))


def calendars_of(recipients: Iterable[Recipient], calendars: Calendars) -> tuple[WorkCalendar, ...]:
    """The calendars by which recipients work, each once."""
    codes = {code: None for recipient in recipients for code in recipient.units or (None,)}
    return tuple(dict.fromkeys(calendars.of_unit(code) for code in codes))
