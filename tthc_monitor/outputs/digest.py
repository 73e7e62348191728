"""The daily digest: what an official must act on this morning, worst first, in one mail.

It names codes, procedures, steps, dates and counts; never a person. Every figure comes from the audit views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import css_inline
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.digest_facts import DigestFacts
from tthc_monitor.outputs.letters import Attachment
from tthc_monitor.outputs.sealed import LedgerHead

MAX_ROWS: Final = 20
"""How many dossiers a list of the digest shows before it says how many there are besides."""

STALE_AFTER: Final = timedelta(hours=24)
"""A source without a good pull for longer than this is named at the head of the digest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One dossier in a list: what it is, when it counts from, and how urgent that is."""

    code: str
    procedure: str
    detail: str
    when: str
    badge: str


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the digest, the worst first, cut at the wanted number of rows."""

    key: str
    title: str
    total: int
    rows: tuple[Row, ...]

    @property
    def more(self) -> int:
        """How many dossiers are not shown."""
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class UnitRow:
    """Counts of one unit."""

    name: str
    open: int
    overdue: int
    due_today: int
    due_soon: int
    slow_reception: int
    cannot_tell: int


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest for one recipient, as figures; :func:`render_digest` makes the mail of it.

    Attributes:
        heading: whom it is about.
        counts: dossiers by list (``overdue``, ``due_today``, ``due_soon``, ``slow_reception``, ...), and ``open``,
            ``cannot_tell``, ``new_overdue`` (overdue since the last working day), ``petitions_overdue``.
        warnings: what keeps the figures from being complete, in Vietnamese.
    """

    heading: str
    now: datetime
    zone: str
    since: date
    counts: dict[str, int]
    sections: tuple[Section, ...]
    units: tuple[UnitRow, ...]
    warnings: tuple[str, ...]
    ledger_head: LedgerHead | None

    @property
    def local_date(self) -> date:
        """The day of the digest, in its zone."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True, slots=True)
class DigestMail:
    """A digest ready to send: one subject line, the HTML and plain text of the body, and the local day it is for.

    Attributes:
        thread: stable name of what it is about, for mail programs that show mails of a month together.
        counts: figures by name, for programs.
        empty: whether nothing needs action.
    """

    subject: str
    html: str
    text: str
    local_date: date
    attachments: tuple[Attachment, ...] = ()
    thread: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    empty: bool = False


# key of the list, title, which end is the worst, label before the instant
_SECTIONS: Final = (
    ("overdue", "Quá hạn đang xử lý", "due_at", True, "Hẹn trả"),
    ("due_today", "Đến hạn hôm nay", "due_at", True, "Hẹn trả"),
    ("due_soon", "Sắp đến hạn, sau hôm nay", "due_at", True, "Hẹn trả"),
    ("slow_reception", "Chậm tiếp nhận (quá 08 giờ làm việc)", "since", True, "Nộp lúc"),
    ("supplement_requested", "Đang chờ công dân bổ sung hồ sơ", "since", True, "Yêu cầu lúc"),
    ("returned", "Trả lại, từ chối, dừng xử lý gần đây", "since", False, "Lúc"),
)


def build_digest(
    facts: DigestFacts, units: Sequence[str] | None = None, *, title: str | None = None, max_rows: int = MAX_ROWS
) -> Digest:
    """Cut the facts to one recipient's units.

    Args:
        facts: of all units.
        units: unit codes; None means all, dossiers of no unit included.
        title: how the recipient is addressed; by default the unit's name, or how many units there are.
        max_rows: dossiers shown per list.
    """
    table, attention = facts.units, facts.attention
    warnings = _stale_sources(facts)
    if units is not None:
        missing = sorted(set(units) - set(table["unit_code"]))
        if missing:
            warnings += (f"Chưa có dữ liệu của đơn vị {', '.join(missing)}; đề nghị kiểm tra mã đơn vị.",)
        table = table[table["unit_code"].isin(list(units))]
        attention = attention[attention["unit_code"].isin(list(units))]
    counts = {key: int((attention["list"] == key).sum()) for key, *_ in _SECTIONS}
    counts |= {name: int(table[name].sum()) for name in ("open", "cannot_tell", "petitions_overdue")}
    overdue = attention[attention["list"] == "overdue"]
    counts["new_overdue"] = int((overdue["since"] >= facts.since).sum())
    rows = _unit_rows(table, attention)
    heading = title or _heading(units, rows)
    return Digest(
        heading,
        facts.now,
        facts.zone,
        facts.since.date(),
        counts,
        _sections(facts, attention, len(rows) > 1, max_rows),
        rows if len(rows) > 1 else (),
        warnings,
        facts.ledger_head,
    )


def render_digest(digest: Digest) -> DigestMail:
    """The mail of a digest. The HTML carries its style inline, for mail programs that drop style sheets."""
    environment = _environment()
    values = {"digest": digest}
    subject = " ".join(environment.get_template("digest-subject.txt").render(values).split())
    html = css_inline.inline(
        environment.get_template("digest.html").render(values, subject=subject),
        keep_at_rules=True,
        load_remote_stylesheets=False,
    )
    text = environment.get_template("digest.txt").render(values)
    return DigestMail(subject, html, text, digest.local_date, thread=digest.heading, counts=digest.counts)


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


def _stale_sources(facts: DigestFacts) -> tuple[str, ...]:
    if not facts.sources:
        return ("Chưa lấy dữ liệu từ nguồn nào.",)
    lines = []
    for name, last in facts.sources:
        if last is None:
            lines.append(f"Nguồn “{name}” chưa lấy được dữ liệu lần nào.")
        elif facts.now - last > STALE_AFTER:
            when = wording.instant(last, facts.zone)
            lines.append(f"Nguồn “{name}” chưa lấy được dữ liệu mới từ {when}; số liệu dưới đây có thể đã cũ.")
    return tuple(lines)


def _heading(units: Sequence[str] | None, rows: Sequence[UnitRow]) -> str:
    if units is None:
        return "Toàn bộ đơn vị"
    if len(rows) == 1:
        return rows[0].name
    return f"{len(rows)} đơn vị" if rows else ", ".join(units)


def _unit_rows(table: pd.DataFrame, attention: pd.DataFrame) -> tuple[UnitRow, ...]:
    found = attention.groupby(["unit_code", "list"]).size()
    counted: dict[tuple[Any, ...], int] = {key: int(size) for key, size in found.items() if isinstance(key, tuple)}
    rows = []
    for code, name, opened, unknown in table[["unit_code", "unit_name", "open", "cannot_tell"]].itertuples(index=False):
        keys = ("overdue", "due_today", "due_soon", "slow_reception")
        overdue, today, soon, slow = (counted.get((code, key), 0) for key in keys)
        label = wording.unit_label(code, name if isinstance(name, str) else None)
        rows.append(UnitRow(label, int(opened), overdue, today, soon, slow, int(unknown)))
    return tuple(sorted(rows, key=lambda row: (-row.overdue, -row.due_today, -row.slow_reception, -row.open, row.name)))


def _sections(facts: DigestFacts, attention: pd.DataFrame, named: bool, max_rows: int) -> tuple[Section, ...]:
    sections = []
    today = set(attention.loc[attention["list"] == "due_today", "dossier_id"])
    for key, title, order, ascending, label in _SECTIONS:
        rows = attention[attention["list"] == key]
        if key == "due_soon":
            rows = rows[~rows["dossier_id"].isin(today)]
        first = rows.sort_values([order, "code"], ascending=[ascending, True]).head(max_rows)
        shown = tuple(_row(facts, key, order, label, record, named) for record in first.to_dict("records"))
        sections.append(Section(key, title, len(rows), shown))
    return tuple(sections)


def _row(facts: DigestFacts, key: str, column: str, label: str, record: dict[Any, Any], named: bool) -> Row:
    parts = [record["step"]]
    if named:
        parts.append(wording.unit_label(record["unit_code"], record["unit_name"]))
    detail = " · ".join(part for part in parts if isinstance(part, str) and part)
    badge = ""
    if key == "overdue":
        badge = f"Trễ {wording.working_days(record['days_late'])}"
    elif key == "returned":
        badge = record["status"] or ""
    procedure = record["procedure"] if isinstance(record["procedure"], str) else "Chưa rõ thủ tục"
    when = f"{label} {wording.short_instant(record[column].to_pydatetime(), facts.zone)}"
    return Row(record["code"], procedure, detail, when, badge)
