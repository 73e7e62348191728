"""The mail that a superior gets: what stands still below him, unit by unit, the worst first. No persons are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.digest import DigestMail
from tthc_monitor.outputs.escalation import Case, Escalation, UnitCases
from tthc_monitor.outputs.transfer import LARGEST, encoded_size

_MOST_UNITS: Final = 20
_MOST_CASES: Final = 40
_SILENT: Final = 5
_CLIPPED: Final = 160


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is room for of one unit."""

    unit: UnitCases
    cases: Sequence[Case]

    @property
    def more(self) -> int:
        """Dossiers that are not shown."""
        return len(self.unit.cases) - len(self.cases)


def render_escalation(escalation: Escalation) -> DigestMail:
    """The mail of an escalation, never longer than :data:`~tthc_monitor.outputs.transfer.LARGEST`: it says how many dossiers there are besides."""
    most = _MOST_CASES
    while True:
        mail = _render(escalation, most)
        if encoded_size(mail.html, mail.text) <= LARGEST or most == 1:
            return mail
        most //= 2


def _render(escalation: Escalation, most: int) -> DigestMail:
    units = escalation.units[: min(_MOST_UNITS, most)]
    each, over = divmod(most, max(len(units), 1))
    shown = [Shown(unit, unit.cases[: each + (number < over)]) for number, unit in enumerate(units)]
    hidden = escalation.units[len(units) :]
    values = {
        "escalation": escalation,
        "shown": shown,
        "hidden_units": len(hidden),
        "hidden_cases": sum(len(unit.cases) for unit in hidden),
        "silent": escalation.silent[:_SILENT],
        "silent_more": max(len(escalation.silent) - _SILENT, 0),
        "heading": escalation.units[0].name if len(escalation.units) == 1 else f"{len(escalation.units)} đơn vị",
        "thresholds": " hoặc ".join(str(days) for days in escalation.thresholds),
    }
    environment = _environment()
    subject = " ".join(environment.get_template("escalation-subject.txt").render(values).split())
    html = css_inline.inline(
        environment.get_template("escalation.html").render(values, subject=subject),
        keep_at_rules=True,
        load_remote_stylesheets=False,
    )
    text = environment.get_template("escalation.txt").render(values)
    counts = {"dossiers": escalation.total, "new": escalation.new, "units": len(escalation.units)}
    return DigestMail(subject, html, text, escalation.local_date, thread="escalation", counts=counts)


def _clip(value: str) -> str:
    return value if len(value) <= _CLIPPED else f"{value[: _CLIPPED - 1]}…"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tthc_monitor.outputs", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters |= {
        "number": wording.number,
        "day": wording.day,
        "instant": wording.instant,
        "working_days": wording.working_days,
        "clip": _clip,
    }
    return environment
