"""How figures, days and instants read in Vietnamese: ``1.234.567``, ``98,21 %``, ``17 giờ 00 ngày 03/11/2026``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

NO_DATA = "không có dữ liệu"
"""What stands where a share has nothing to be a share of."""

PERIOD_KINDS: Final[Mapping[str, str]] = {
    "calendar_month": "tháng dương lịch",
    "calendar_quarter": "quý dương lịch",
    "calendar_half": "06 tháng dương lịch",
    "calendar_year": "năm dương lịch",
    "nd09_month": "tháng theo NĐ 09/2019",
    "nd09_quarter": "quý theo NĐ 09/2019",
    "nd09_half": "06 tháng theo NĐ 09/2019",
    "nd09_year": "năm theo NĐ 09/2019",
}
"""What kinds of report periods are called."""

NO_NUMBER = "chưa cấp mã"
"""What stands where a dossier has no number yet."""


def number(value: int) -> str:
    """A count with dots between thousands."""
    return f"{value:,}".replace(",", ".")


def decimal(value: float) -> str:
    """A number with a comma, without zeros behind it: ``8``, ``0,5``."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def fixed(value: Decimal | float) -> str:
    """A number with a comma and two decimals: ``19,97``."""
    return f"{value:.2f}".replace(".", ",")


def percent(value: Decimal | float | None) -> str:
    """A percentage (0..100) with two decimals, a comma and a space that no line breaks at; None reads :data:`NO_DATA`."""
    return NO_DATA if value is None else f"{value:.2f}\N{NO-BREAK SPACE}%".replace(".", ",")


def day(value: date) -> str:
    """A day as ``03/11/2026``."""
    return f"{value.day:02d}/{value.month:02d}/{value.year}"


def instant(value: datetime, zone: str) -> str:
    """An instant in the words of official letters: ``17 giờ 00 ngày 03/11/2026``."""
    local = value.astimezone(ZoneInfo(zone))
    return f"{local.hour:02d} giờ {local.minute:02d} ngày {day(local.date())}"


def short_instant(value: datetime, zone: str) -> str:
    """An instant for a table: ``17:00 03/11/2026``."""
    local = value.astimezone(ZoneInfo(zone))
    return f"{local.hour:02d}:{local.minute:02d} {day(local.date())}"


def working_days(count: int) -> str:
    """A lateness in working days; late within one working day reads ``dưới 1 ngày làm việc``."""
    return "dưới 1 ngày làm việc" if count < 1 else f"{number(count)} ngày làm việc"


def unit_label(code: str | None, name: str | None) -> str:
    """How a unit is called: its name, else its code."""
    return name or code or "Chưa rõ đơn vị"
