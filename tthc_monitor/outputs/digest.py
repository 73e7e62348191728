"""The daily digest: what an official must act on this morning, worst first, in one mail.

It names codes, procedures, steps, dates and counts; never a person. Every figure comes from the audit views.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.audience import Audience, Links
from tthc_monitor.outputs.digest_attachment import Attachment, workbook_of
from tthc_monitor.outputs.digest_cut import Cut, UnitRow, cut_to
from tthc_monitor.outputs.digest_facts import DigestFacts
from tthc_monitor.outputs.digest_rules import OVERDUE
from tthc_monitor.outputs.digest_sections import Row, Section, sections_of
from tthc_monitor.outputs.digest_words import (
    Counter,
    counters_of,
    lead_of,
    notes_of,
    standing_of,
    subject_of,
    warnings_of,
)
from tthc_monitor.outputs.sealed import LedgerHead
from tthc_monitor.outputs.transfer import LARGEST, encoded_size

__all__ = ["MAX_ROWS", "Attachment", "Digest", "DigestMail", "Row", "Section", "build_digest", "render_digest"]

MAX_ROWS: Final = 20
"""How many dossiers a list of the digest of one unit shows before it says how many there are besides."""

MAX_UNITS: Final = 12
"""How many of several units the table shows, the worst first; the attachment has all."""

FEW_ROWS: Final = 5
"""How many it shows of several units, whose mail is read in a minute too; and of less urgent lists while others can be cut."""

_NO_WORK: Final = frozenset({"returned"})
"""Lists that tell of what is over."""
_BAR: Final = 52
"""Pixels of the highest bar."""
_EVERYBODY: Final = Audience()


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the trend: its label, how many dossiers were overdue at its close, and pixels."""

    label: str
    value: int
    height: int


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest for one recipient, as figures; :func:`render_digest` makes the mail of it.

    Attributes:
        heading: whom it is about.
        counts: figures by name (``overdue``, ``apology_missing``, ``due_today``, ``acknowledged_late``, ...); one that no
            rule in force counts is missing.
        counters: the four figures at the head.
        lead: the sentence that says what there is to do; ``standing`` what is being worked on.
        units: the worst units of several; ``units_left`` sums up the others.
        trend: the last working days and this moment; empty where nothing was overdue.
        warnings: what keeps the figures from being complete, in Vietnamese; ``notes`` how to read them.
        thread: the same for every day's digest of one scope.
        empty: nothing needs action, and nothing keeps the figures from being complete.
    """

    heading: str
    now: datetime
    zone: str
    since: date
    counts: Mapping[str, int]
    counters: tuple[Counter, ...]
    lead: str
    standing: str
    sections: tuple[Section, ...]
    units: tuple[UnitRow, ...]
    units_left: UnitRow | None
    trend: tuple[Bar, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    links: Links
    attachments: tuple[Attachment, ...]
    ledger_head: LedgerHead | None
    thread: str
    empty: bool

    @property
    def local_date(self) -> date:
        """The day of the digest, in its zone."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def short(self) -> bool:
        """Whether there is nothing to list."""
        return self.empty and not self.sections


@dataclass(frozen=True, slots=True)
class DigestMail:
    """A digest ready to send.

    Attributes:
        local_date: the day it is for.
        empty: nothing needs action; sent only to who wants to be told that too.
        thread: stable id of what it is about, for mail programs that put mails of one kind together.
        counts: its figures by name.
    """

    subject: str
    html: str
    text: str
    local_date: date
    attachments: tuple[Attachment, ...] = ()
    empty: bool = False
    thread: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


def build_digest(
    facts: DigestFacts, audience: Audience = _EVERYBODY, *, links: Links | None = None, max_rows: int | None = None
) -> Digest:
    """Cut the facts to one audience.

    Args:
        facts: of all units.
        links: addresses that it names; none by default.
        max_rows: dossiers shown per list, by default more of one unit than of several; the attachment has all.
    """
    cut = cut_to(facts, audience)
    several = len(cut.units) > 1
    sections = sections_of(facts, cut, max_rows if max_rows is not None else FEW_ROWS if several else MAX_ROWS)
    warnings = warnings_of(facts, audience, cut)
    empty = facts.rules.any and not warnings and all(one.key in _NO_WORK for one in sections)
    return Digest(
        heading=_heading(facts, audience, cut),
        now=facts.now,
        zone=facts.zone,
        since=cut.moments.since.date(),
        counts=cut.counts,
        counters=counters_of(facts, cut),
        lead=lead_of(facts, audience, cut),
        standing=standing_of(cut.counts),
        sections=sections,
        units=cut.units[:MAX_UNITS] if several else (),
        units_left=_summed(cut.units[MAX_UNITS:]) if several else None,
        trend=_trend(facts, cut),
        warnings=warnings,
        notes=notes_of(facts, audience, cut, shown=bool(sections) or not empty),
        links=links or Links(),
        attachments=workbook_of(facts, cut),
        ledger_head=facts.ledger_head,
        thread=_thread(audience),
        empty=empty,
    )


def render_digest(digest: Digest) -> DigestMail:
    """The mail of a digest. The HTML carries its style inline, for mail programs that drop style sheets; where both parts
    together, encoded as they are sent, are too long for them, the lists are shorter.
    """
    subject = subject_of(digest.heading, wording.day(digest.local_date), digest.counters, nothing=digest.empty)
    for shown in _shorter(digest):
        html, text = _bodies(shown, subject)
        if encoded_size(html, text) <= LARGEST:
            break
    return DigestMail(
        subject, html, text, digest.local_date, digest.attachments, digest.empty, digest.thread, digest.counts
    )


def _shorter(digest: Digest) -> Iterator[Digest]:
    """The digest, and the same with ever fewer rows, down to none: first of what is less urgent, the units last."""
    yield digest
    longest = max((len(one.rows) for one in digest.sections), default=0)
    urgent = other = longest
    units = len(digest.units)
    while urgent or units:
        if other > FEW_ROWS:
            other = other * 2 // 3
        else:
            urgent = urgent * 2 // 3
            other = min(other, urgent)
            units = units if urgent else units * 2 // 3
        left = [*digest.units[units:], *([digest.units_left] if digest.units_left else [])]
        yield replace(
            digest,
            sections=tuple(
                replace(one, rows=one.rows[: urgent if one.tone == "red" else other]) for one in digest.sections
            ),
            units=digest.units[:units],
            units_left=_summed(left, digest.units_left),
        )


def _bodies(digest: Digest, subject: str) -> tuple[str, str]:
    environment = _environment()
    html = css_inline.inline(
        environment.get_template("digest.html").render(digest=digest, subject=subject),
        keep_at_rules=True,
        minify_css=True,
        load_remote_stylesheets=False,
    )
    return html, environment.get_template("digest.txt").render(digest=digest)


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
    environment.filters |= {"number": wording.number, "day": wording.day, "instant": wording.instant}
    return environment


def _heading(facts: DigestFacts, audience: Audience, cut: Cut) -> str:
    if audience.title:
        return audience.title
    if audience.units is None:
        heading = "Toàn bộ đơn vị"
    elif len(cut.units) == 1:
        heading = cut.units[0].name
    else:
        named = [facts.described.get(code, code) for code in sorted(audience.units)]
        heading = f"{len(cut.units)} đơn vị" if cut.units else ", ".join(named[:3]) or "Chưa gán đơn vị"
    if audience.sectors is None:
        return heading
    names = [facts.sectors.get(code, code) for code in sorted(audience.sectors)]
    return f"{heading}, lĩnh vực {', '.join(names[:3])}{'…' if len(names) > 3 else ''}"


def _thread(audience: Audience) -> str:
    def told(codes: frozenset[str] | None) -> str:
        return "*" if codes is None else "\x1f".join(sorted(codes))

    return sha256(f"{told(audience.units)}\x1e{told(audience.sectors)}".encode()).hexdigest()[:24]


def _trend(facts: DigestFacts, cut: Cut) -> tuple[Bar, ...]:
    if OVERDUE not in cut.counts:
        return ()
    points = [(f"{day:%d/%m}", cut.at(OVERDUE, day)) for day in cut.moments.days]
    points.append(("nay", cut.counts[OVERDUE]))
    highest = max(value for _, value in points)
    return tuple(Bar(label, value, -(-value * _BAR // highest)) for label, value in points) if highest else ()


def _summed(units: tuple[UnitRow, ...] | list[UnitRow], of: UnitRow | None = None) -> UnitRow | None:
    """One row for many. ``of``: the row among them that stands for many already."""
    if not units:
        return None

    def total(name: str) -> int | None:
        found = [getattr(unit, name) for unit in units]
        return None if any(value is None for value in found) else sum(found)

    count = len(units) - 1 + int(of.code) if of is not None else len(units)
    figures = [total(name) for name in ("overdue", "apology_missing", "due_today", "acknowledged_late")]
    known = (total(name) or 0 for name in ("open", "cannot_tell", "apology_unknown"))
    label = f"{wording.number(count)} đơn vị khác"
    return UnitRow(str(count), label, *known, *figures)
