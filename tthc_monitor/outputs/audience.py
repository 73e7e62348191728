"""Whom a digest is for: what of all dossiers it is cut to, what it may tell, and the links in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["head", "staff", "inspector"]
"""``inspector`` is told integrity findings too; ``head`` is asked to take note."""


@dataclass(frozen=True, slots=True)
class Audience:
    """What a digest is cut to.

    Attributes:
        units: codes, those below them included; None means all, dossiers of no unit included.
        sectors: sector codes; None means all.
        title: how it is addressed; None: the unit's name, or how many units there are.
    """

    units: frozenset[str] | None = None
    sectors: frozenset[str] | None = None
    role: Role = "staff"
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses that a digest names; None: there is none.

    Attributes:
        acknowledge: page on which the recipient takes note; signed, with an end date.
        unsubscribe: page or mailto address by which one stops getting it.
        web: the service's own page.
        dashboard: the Grafana dashboard of the unit.
    """

    acknowledge: str | None = None
    unsubscribe: str | None = None
    web: str | None = None
    dashboard: str | None = None


NO_LINKS: Final = Links()
"""Of a mail that leads nowhere."""
