"""How a lawful due instant comes about, step by step, in words an official can check with a calendar in hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl

from tthc_monitor.domain.clock_start import rule_of
from tthc_monitor.domain.facts import FACT_DEFAULTS, FACT_SCHEMA
from tthc_monitor.domain.lawful_due import Limits, lawful_due
from tthc_monitor.domain.limit_waits import obligations, supplements
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.worktime import WorkCalendar

StepCode = Literal["event", "clock_start", "limit", "wait", "restart", "workday", "no_due", "due"]

MOST_DAYS: Final = 400
"""Working days told one by one; of a longer limit the first so many."""

_UNITS: Final = {
    "working_day": "ngày làm việc",
    "calendar_day": "ngày",
    "working_hour": "giờ làm việc",
    "month": "tháng",
}
_SUPPLEMENT: Final = "bổ sung hồ sơ"
_CIVIL_CODE: Final = "Bộ luật Dân sự 2015 Điều 147, 148"
_MODELS: Final = {
    "restart": "NĐ 61/2018/NĐ-CP Điều 19.4",
    "pause": "Bộ chỉ số 766, chỉ số 2.1",
    "legacy": "Cách tính của phần mềm một cửa đang dùng",
}


_Stop = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True)
class Step:
    """One step: the instant (UTC; None where there is none), what kind of step, Vietnamese text, and its legal basis."""

    at: dt.datetime | None
    code: StepCode
    text: str
    source: str


def lawful_steps(row: Mapping[str, Any], calendar: WorkCalendar, limits: Limits) -> list[Step]:
    """The steps from reception to the due instant of one dossier.

    Args:
        row: facts of the dossier by name; what is left out is unknown.

    Returns:
        steps in the order of the reckoning. The last is the due instant, equal to :func:`lawful_due`, or ``no_due`` with
        the reason and no instant.
    """
    facts = _frame(row)
    result = lawful_due(facts, calendar, limits)
    number = int(result["limit"].iloc[0])
    limit = limits.limits[number] if number >= 0 else None
    due, started = _instant(result["due_lawful"].iloc[0]), _instant(result["clock_started_at"].iloc[0])
    policy = limits.policy(number)
    zone = ZoneInfo(calendar.zone)
    steps = list(_beginning(facts, limits, started, policy, zone))
    if limit is not None:
        steps.append(Step(None, "limit", _limit_text(limit), limit.legal_basis))
    runs_from, stops = started, list[_Stop]()
    if limit is not None and not limit.abolished and started is not None:
        for step, stop in _waits(facts, calendar, limits, policy, zone, started):
            steps.append(step)
            stops += [stop] if stop else []
            runs_from = step.at if step.code == "restart" else runs_from
    if due is None:
        return [*steps, Step(None, "no_due", _why_none(facts, limit, started), limit.legal_basis if limit else "")]
    if limit is not None and limit.unit in ("working_day", "working_hour", "same_day") and runs_from is not None:
        steps.extend(_workdays(calendar, zone, runs_from, due, stops))
    return [*steps, Step(due, "due", _due_text(due, zone), _due_source(limit))]


def _frame(row: Mapping[str, Any]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, kind in FACT_SCHEMA.items():
        value = row.get(name)
        value = None if value is None or value is pd.NaT or value != value else value  # noqa: PLR0124  (NaN)
        if isinstance(kind, pl.Datetime):
            columns[name] = pd.DatetimeIndex([value], tz="UTC").as_unit("us")
        elif isinstance(kind, pl.String):
            columns[name] = pd.Categorical([value])
        else:
            columns[name] = [FACT_DEFAULTS[name] if value is None else int(value)]
    return pd.DataFrame(columns)


def _instant(value: Any) -> dt.datetime | None:
    return None if value is pd.NaT else value.to_pydatetime().astimezone(dt.UTC)


def _told(at: dt.datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M:%S ngày %d/%m/%Y")


def _beginning(
    facts: pd.DataFrame, limits: Limits, started: dt.datetime | None, policy: ClockPolicy, zone: ZoneInfo
) -> Iterator[Step]:
    received = _instant(facts["received_at"].iloc[0])
    if received is None:
        return
    title, source = "Thời hạn tính từ thời điểm tiếp nhận hồ sơ.", ""
    event, who = received, "Tiếp nhận hồ sơ"
    if limits.clock_starts:
        day = np.array([received.astimezone(zone).date()], dtype="datetime64[D]")
        rule = limits.clock_starts[int(rule_of(limits.clock_starts, day)[0])]
        title, source = rule.title, rule.legal_basis
        competent = _instant(facts["competent_received_at"].iloc[0])
        if rule.instant == "competent_received_at" and competent is not None and competent > received:
            event, who = competent, "Cơ quan có thẩm quyền nhận được hồ sơ"
    yield Step(event, "event", f"{who} lúc {_told(event, zone)}. {title}", source)
    if started is None:
        return
    if started == event:
        yield Step(started, "clock_start", f"Bắt đầu tính thời hạn ngay lúc đó, {_told(started, zone)}.", source)
    else:
        cutoff = {None: "", "last_hour": " hoặc trong giờ làm việc cuối ngày"}.get(
            policy.cutoff, f" hoặc từ {policy.cutoff} trở đi"
        )
        text = f"Nhận ngoài giờ làm việc{cutoff}: bắt đầu tính thời hạn từ {_told(started, zone)}."
        yield Step(started, "clock_start", text, source)


def _limit_text(limit: TimeLimit) -> str:
    if limit.abolished:
        return "Thủ tục hành chính đã bị bãi bỏ: không còn thời hạn giải quyết."
    if limit.unit is None or limit.amount is None:
        text = "Thời hạn giải quyết: trong ngày làm việc"
    else:
        text = f"Thời hạn giải quyết: {_number(limit.amount)} {_UNITS[limit.unit]}"
    if limit.extra_working_days:
        text += f", cộng thêm {_number(limit.extra_working_days)} ngày làm việc"
    return f"{text}."


def _number(value: float) -> str:
    return f"{value:g}".replace(".", ",")


def _waits(
    facts: pd.DataFrame,
    calendar: WorkCalendar,
    limits: Limits,
    policy: ClockPolicy,
    zone: ZoneInfo,
    started: dt.datetime,
) -> Iterator[tuple[Step, _Stop | None]]:
    """Steps of the waits, in order, each with the time in which the clock stood still for it. Whether a wait came in time
    is seen by reckoning without it and what came after.
    """
    found = []
    if "financial_obligation" in policy.pauses:
        found += [
            (*pair, "thực hiện nghĩa vụ tài chính", "theo pháp luật chuyên ngành")
            for pair in _pairs(obligations(facts))
        ]
    if "supplement" in policy.pauses:
        source = _MODELS[policy.clock_model]
        found += [(*pair, _SUPPLEMENT, source) for pair in _pairs(supplements(facts).waits)]
    for begun, ended, what, source in sorted(found, key=lambda wait: wait[0]):
        before = _due_before(facts, calendar, limits, begun)
        if before is None or begun >= before:
            text = f"Yêu cầu {what} lúc {_told(begun, zone)}, sau khi thời hạn đã hết: không làm thay đổi thời hạn."
            if before is not None:
                yield Step(begun, "wait", text, source), None
            continue
        until = "chưa hoàn thành" if ended is None else f"hoàn thành lúc {_told(ended, zone)}"
        stands = policy.clock_model == "pause" or what != _SUPPLEMENT
        text = f"Chờ người nộp {what}: yêu cầu lúc {_told(begun, zone)}, {until}."
        yield Step(begun, "wait", text, source), (begun, ended) if stands and ended is not None else None
        if policy.clock_model == "restart" and what == _SUPPLEMENT and ended is not None:
            again = lawful_due(_frame({"received_at": ended}), calendar, Limits((), policy))["clock_started_at"].iloc[0]
            at = _instant(again)
            if at is not None:
                at = max(at, started)
                yield Step(at, "restart", f"Thời hạn được tính lại từ đầu, từ {_told(at, zone)}.", source), None


def _pairs(waits: Any) -> list[tuple[dt.datetime, dt.datetime | None]]:
    starts, ends = (pd.DatetimeIndex(column).tz_localize("UTC") for column in (waits.start, waits.end))
    return [(start.to_pydatetime(), _instant(end)) for start, end in zip(starts, ends, strict=True)]


def _due_before(facts: pd.DataFrame, calendar: WorkCalendar, limits: Limits, begun: dt.datetime) -> dt.datetime | None:
    """The due instant as it stood when a wait began: reckoned with the waits that began earlier only."""
    row: dict[str, Any] = {name: facts[name].iloc[0] for name in FACT_SCHEMA}
    waits = [pair for pair in _pairs(supplements(facts).waits) if pair[0] < begun]
    row |= {"supplement_requested_at": None, "supplement_completed_at": None, "answer_unknown": 0}
    row |= {"request_unknown": 0, "supplement_count": -1, "earlier_waits": None}
    if waits and waits[-1][1] is None:
        return None
    if waits:
        pairs = ",".join(f"[{start.timestamp()},{end.timestamp()}]" for start, end in waits if end is not None)
        row["earlier_waits"] = f"[{pairs}]"
    obliged = _instant(row["obligation_requested_at"])
    if obliged is not None and obliged >= begun:
        row |= {"obligation_requested_at": None, "obligation_completed_at": None}
    return _instant(lawful_due(_frame(row), calendar, limits)["due_lawful"].iloc[0])


def _workdays(
    calendar: WorkCalendar, zone: ZoneInfo, start: dt.datetime, due: dt.datetime, stops: list[_Stop]
) -> Iterator[Step]:
    """Each day worked from the start to the due instant, with the hours of it that count."""
    segments = calendar.segments
    first, last = (np.datetime64(at.astimezone(dt.UTC).replace(tzinfo=None), "us") for at in (start, due))
    chosen = np.flatnonzero((segments.closes > first) & (segments.opens < last))
    opens = pd.DatetimeIndex(np.maximum(segments.opens[chosen], first)).tz_localize("UTC")
    closes = pd.DatetimeIndex(np.minimum(segments.closes[chosen], last)).tz_localize("UTC")
    days: dict[dt.date, list[_Stop]] = {}
    for opened, closed in zip(opens, closes, strict=True):
        for begin, end in _outside((opened.to_pydatetime(), closed.to_pydatetime()), stops):
            local = begin.astimezone(zone)
            days.setdefault(local.date(), []).append((local, end.astimezone(zone)))
    for day, spans in list(days.items())[:MOST_DAYS]:
        hours = ", ".join(f"{begin:%H:%M}–{end:%H:%M}" for begin, end in spans)
        yield Step(
            spans[0][0].astimezone(dt.UTC), "workday", f"Ngày làm việc {day:%d/%m/%Y}: {hours}.", "Lịch làm việc"
        )


def _outside(span: _Stop, stops: list[_Stop]) -> list[_Stop]:
    """What is left of a span outside the stops."""
    left = [span]
    for begin, end in stops:
        parts = [((opens, min(closes, begin)), (max(opens, end), closes)) for opens, closes in left]
        left = [part for pair in parts for part in dict.fromkeys(pair) if part[0] < part[1]]
    return left


def _due_text(due: dt.datetime, zone: ZoneInfo) -> str:
    local = due.astimezone(zone)
    if local.time() == dt.time(0):
        return f"Hết thời hạn lúc 24:00 ngày {local - dt.timedelta(days=1):%d/%m/%Y}."
    return f"Hết thời hạn lúc {_told(due, zone)}."


def _due_source(limit: TimeLimit | None) -> str:
    basis = limit.legal_basis if limit else ""
    return f"{basis}; {_CIVIL_CODE}" if limit and limit.unit in ("calendar_day", "month") else basis


def _why_none(facts: pd.DataFrame, limit: TimeLimit | None, started: dt.datetime | None) -> str:
    if facts["received_at"].isna().iloc[0]:
        return "Chưa có thời điểm tiếp nhận: chưa tính được thời hạn."
    if limit is None:
        return "Danh mục không có thời hạn của thủ tục này vào ngày tiếp nhận: không tính được thời hạn."
    if limit.abolished:
        return "Thủ tục đã bị bãi bỏ: hồ sơ có thể được dừng giải quyết, không tính quá hạn theo luật."
    if started is None:
        return "Thời điểm tiếp nhận nằm ngoài lịch làm việc: không tính được thời hạn."
    known = supplements(facts)
    unknown = known.requested_before | known.incomplete | (facts["answer_unknown"].to_numpy() == 1)
    if bool(unknown[0]):
        return "Không rõ thời gian chờ bổ sung hồ sơ: không tính được thời hạn."
    if np.isnat(known.waits.end).any() or np.isnat(obligations(facts).end).any():
        return "Đang chờ người nộp: thời hạn không chạy cho đến khi hoàn thành."
    return "Thời hạn vượt ra ngoài lịch làm việc: không tính được."
