"""Topic "proposals": what the figures ask for, as sentences that the office edits before it signs.

Only what figures support is said, with the numbers; a deadline is the office's to set and stays blank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_apologies import Apologies
from tthc_monitor.outputs.report_focus import Focus, is_over
from tthc_monitor.outputs.report_indices import Indices
from tthc_monitor.outputs.report_measures import apologies_of
from tthc_monitor.outputs.report_percents import sums_by
from tthc_monitor.outputs.report_shortenable import Shortenable
from tthc_monitor.outputs.report_steps import Steps
from tthc_monitor.outputs.report_tables import Table, TableColumn, frame_of
from tthc_monitor.outputs.report_units import unit_names
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

MOST: Final = 8
INDICES_SECTION: Final = "XI"
"""Number of the section about indices in the shipped document."""
_NAMED: Final = 3
_WORST: Final = 5
_HEAVY_STEP_PERCENT: Final = 50
_BLANK: Final = "trước ngày ……………"
# Lateness that stands comes before targets, and both before what could be better.
_LATENESS, _TARGETS, _IMPROVEMENTS = range(3)
_CONSULTED: Final = """
SELECT d.consulted_unit_code AS unit_code, count(*) AS number FROM audit.dossiers d
WHERE d.dossier_id = ANY(%(ids)s::bigint[]) AND d.consulted_unit_code IS NOT NULL
  AND d.consulted_due_at < coalesce(d.consulted_answered_at, %(end)s)
GROUP BY 1
"""

FIELDS_PROPOSALS: Final = (
    Field(
        "de_xuat", "đề xuất, kiến nghị từ số liệu của kỳ, việc nặng nhất trước, tối đa 8; thời hạn để trống", many=True
    ),
)
_COLUMNS: Final = (
    TableColumn("subject", "Nội dung"),
    TableColumn("dossiers", "Số hồ sơ liên quan", "count"),
    TableColumn("text", "Đề xuất, kiến nghị"),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One sentence; ``dossiers`` are how many it is about, ``weight`` which kind comes first."""

    weight: int
    subject: str
    dossiers: int
    text: str


@dataclass(frozen=True)
class Proposals:
    """The worst first."""

    items: tuple[Proposal, ...]

    def tables(self) -> Sequence[Table]:
        """The sentences, with what each is about."""
        rows = [(one.subject, one.dossiers, one.text) for one in self.items]
        notes = ("Lập tự động từ số liệu của kỳ; cơ quan xem lại và điền thời hạn.",)
        return (
            Table("proposals", "Đề xuất, kiến nghị", "ĐỀ XUẤT, KIẾN NGHỊ", _COLUMNS, frame_of(_COLUMNS, rows), notes),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_PROPOSALS`."""
        return {"de_xuat": [one.text for one in self.items]}


def propose(reading: Reading, focus: Focus, shortenable: Shortenable, steps: Steps, indices: Indices) -> Proposals:
    """What follows from the figures of the period and the findings of the other topics."""
    consulted = _late_answers(reading)
    codes = {*reading.figures["unit_code"], *consulted.index}
    names = unit_names(reading.connection, reading.scope, sorted(codes))
    found = [
        *_overdue(reading, names),
        *_units_to_explain(reading, focus, names),
        *_sectors_to_explain(focus),
        *_missing_letters(apologies_of(reading), names),
        *_consulted(consulted, names),
        *_no_due_date(reading),
        *_targets(indices),
        *_shorter(shortenable),
        *_heavy_steps(steps),
    ]
    found.sort(key=lambda one: (one.weight, -one.dossiers))
    return Proposals(tuple(found[:MOST]))


def _overdue(reading: Reading, names: Mapping[str, str]) -> Iterator[Proposal]:
    by_unit = sums_by(reading.figures, "unit_code")["pending_overdue"]
    total = int(by_unit.sum())
    if total:
        yield Proposal(
            _LATENESS,
            "Hồ sơ đang giải quyết quá hạn",
            total,
            f"Đề nghị các cơ quan, đơn vị xử lý dứt điểm {wording.number(total)} hồ sơ đang giải quyết quá hạn "
            f"({_most(by_unit, names)}) {_BLANK}.",
        )


def _units_to_explain(reading: Reading, focus: Focus, names: Mapping[str, str]) -> Iterator[Proposal]:
    sums = sums_by(reading.figures, "unit_code")
    late = sums["finished_late"] + sums["pending_overdue"]
    known = late + sums["finished_early"] + sums["finished_on_time"] + sums["pending_in_time"]
    over = [code for code in sums.index if is_over(int(late[code]), int(known[code]), focus.threshold)]
    if over:
        named = late[over]
        yield Proposal(
            _LATENESS,
            "Đơn vị có tỷ lệ quá hạn cao",
            int(named.sum()),
            f"Đề nghị {wording.number(len(over))} đơn vị có trên {wording.percent(focus.threshold)} hồ sơ quá hạn "
            f"({_most(named, names, _WORST)}) rà soát, báo cáo nguyên nhân {_BLANK}.",
        )


def _sectors_to_explain(focus: Focus) -> Iterator[Proposal]:
    rows = focus.to_explain
    if len(rows):
        first = "; ".join(
            f"{row['sector']}: {wording.percent(row['late_percent'])}" for row in rows.head(_WORST).to_dict("records")
        )
        yield Proposal(
            _LATENESS,
            "Lĩnh vực có tỷ lệ quá hạn cao",
            int(rows["late"].sum()),
            f"Đề nghị các cơ quan quản lý {wording.number(len(rows))} lĩnh vực có tỷ lệ quá hạn trên "
            f"{wording.percent(focus.threshold)} ({_and_more(first, len(rows), _WORST)}) rà soát, báo cáo nguyên nhân {_BLANK}.",
        )


def _missing_letters(apologies: Apologies | None, names: Mapping[str, str]) -> Iterator[Proposal]:
    missing = 0 if apologies is None else apologies.total.get("missing", 0)
    if apologies is not None and missing:
        by_unit = apologies.units.set_index("unit_code")["missing"]
        yield Proposal(
            _LATENESS,
            "Thiếu văn bản xin lỗi",
            missing,
            f"Đề nghị gửi văn bản xin lỗi tổ chức, cá nhân: {wording.number(missing)} hồ sơ quá hạn chưa có văn bản xin lỗi (trong "
            f"{wording.number(apologies.total['owed'])} hồ sơ xác định được), {_most(by_unit, names)}; hoàn thành {_BLANK}.",
        )


def _late_answers(reading: Reading) -> pd.Series:
    """Of how many delayed dossiers a body answered late, or has not, when it was consulted."""
    values = {"ids": reading.delayed["dossier_id"].tolist(), "end": reading.end}
    return read_frame(reading.connection, _CONSULTED, values).set_index("unit_code")["number"]


def _consulted(by_unit: pd.Series, names: Mapping[str, str]) -> Iterator[Proposal]:
    if len(by_unit):
        total = int(by_unit.sum())
        yield Proposal(
            _LATENESS,
            "Trả lời ý kiến chậm",
            total,
            f"Đề nghị cơ quan được lấy ý kiến ({_most(by_unit, names)}) trả lời đúng thời hạn; {wording.number(total)} hồ sơ quá "
            "hạn có ý kiến trả lời chậm hoặc chưa trả lời.",
        )


def _no_due_date(reading: Reading) -> Iterator[Proposal]:
    total = int(reading.figures[["finished_unknown", "pending_unknown"]].to_numpy().sum())
    if total:
        yield Proposal(
            _LATENESS,
            "Chưa xác định hạn",
            total,
            f"Đề nghị cập nhật ngày hẹn trả, thời điểm kết thúc của {wording.number(total)} hồ sơ chưa xác định được hạn trên hệ "
            f"thống thông tin giải quyết TTHC {_BLANK}.",
        )


def _targets(indices: Indices) -> Iterator[Proposal]:
    short = [(one, one.target) for one in indices.short if one.target is not None]
    if short:
        yield Proposal(
            _TARGETS,
            "Chỉ tiêu chưa đạt",
            max(one.measured.missing(target) for one, target in short),
            f"Đề nghị các cơ quan, đơn vị có giải pháp thực hiện {wording.number(len(short))} chỉ tiêu chưa đạt nêu tại Mục "
            f"{INDICES_SECTION}.",
        )


def _shorter(shortenable: Shortenable) -> Iterator[Proposal]:
    rows = shortenable.rows
    if len(rows):
        first = "; ".join(
            f"{row['procedure']} từ {wording.decimal(row['allowed_days'])} xuống {wording.decimal(row['proposed_days'])} ngày làm việc"
            for row in rows.head(_NAMED).to_dict("records")
        )
        gain = wording.number(round(float(rows["yearly_gain_days"].sum())))
        yield Proposal(
            _IMPROVEMENTS,
            "Rút ngắn thời hạn",
            int(rows["yearly"].sum()),
            f"Đề nghị xem xét rút ngắn thời hạn giải quyết {wording.number(len(rows))} thủ tục ({_and_more(first, len(rows))}); mỗi "
            f"năm giảm khoảng {gain} ngày làm việc.",
        )


def _heavy_steps(steps: Steps) -> Iterator[Proposal]:
    rows = steps.rows[[share >= _HEAVY_STEP_PERCENT for share in steps.rows["share_percent"]]]
    if len(rows):
        told = "; ".join(
            f"bước “{row['step']}” của thủ tục {row['procedure']} chiếm {wording.percent(row['share_percent'])}"
            for row in rows.head(_NAMED).to_dict("records")
        )
        yield Proposal(
            _IMPROVEMENTS,
            "Bước chiếm nhiều thời gian",
            int(rows["dossiers_ended"].sum()),
            f"Đề nghị rà soát quy trình nội bộ, các bước chiếm phần lớn thời gian xử lý: {told}.",
        )


def _most(counts: pd.Series, names: Mapping[str, str], most: int = _NAMED) -> str:
    """The units with the most: ``nhiều nhất là Sở A: 12 hồ sơ; Sở B: 3 hồ sơ``."""
    ranked = sorted(
        ((code, int(count)) for code, count in counts.items() if count), key=lambda pair: (-pair[1], pair[0])
    )
    told = "; ".join(
        f"{wording.unit_label(str(code), names.get(str(code)))}: {wording.number(count)} hồ sơ"
        for code, count in ranked[:most]
    )
    return told if len(ranked) <= most else f"nhiều nhất là {told}"


def _and_more(told: str, number: int, most: int = _NAMED) -> str:
    return told if number <= most else f"{told}; …"
