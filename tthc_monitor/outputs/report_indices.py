"""Topic "indices": what the office is judged by, whether it reaches its targets, and how much is wanting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report_index_items import IndexItem, Measure, read_indices
from tthc_monitor.outputs.report_measures import MEANINGS, Measured, measure
from tthc_monitor.outputs.report_percents import percents
from tthc_monitor.outputs.report_tables import Table, TableColumn, frame_of
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

NOT_DECLARED: Final = "chưa khai báo chỉ tiêu"

FIELDS_INDICES: Final = (
    Field(
        "chi_so",
        "các chỉ số, chỉ tiêu (report.indices_file)",
        (
            Field("tt", "số thứ tự"),
            Field("bo_chi_so", "bộ chỉ số"),
            Field("tieu_chi", "tiêu chí"),
            Field("gia_tri", "giá trị trong kỳ; điểm thì kèm điểm tối đa"),
            Field("chi_tieu", "chỉ tiêu; “chưa khai báo chỉ tiêu” khi cơ quan chưa đặt"),
            Field("ket_qua", "Đạt, Chưa đạt hoặc không có dữ liệu; trống khi chưa khai báo chỉ tiêu"),
            Field("con_thieu", "thiếu bao nhiêu để đạt; trống khi đạt"),
            Field("can_cu", "căn cứ của chỉ tiêu, của cách tính"),
            Field("co_quan", "cơ quan đánh giá"),
        ),
        many=True,
    ),
    Field("co_chi_tieu", "đúng khi cơ quan đã khai báo chỉ tiêu (report.indices_file), dùng trong {% if %}"),
    Field("so_chi_so_chua_dat", "số chỉ tiêu chưa đạt"),
    Field("so_chi_so_co_so_lieu", "số chỉ tiêu có số liệu: mẫu số của so_chi_so_chua_dat"),
    Field("so_chi_so_khong_so_lieu", "số chỉ tiêu không có dữ liệu"),
)
_COLUMNS: Final = (
    TableColumn("index", "Bộ chỉ số"),
    TableColumn("item", "Tiêu chí"),
    TableColumn("formula", "Cách tính"),
    TableColumn("numerator", "Tử số", "count"),
    TableColumn("denominator", "Mẫu số", "count"),
    TableColumn("percent", "Giá trị", "percent"),
    TableColumn("points", "Điểm", "decimal"),
    TableColumn("max_points", "Điểm tối đa", "decimal"),
    TableColumn("target_percent", "Chỉ tiêu", "percent"),
    TableColumn("result", "Kết quả"),
    TableColumn("missing", "Thiếu để đạt"),
    TableColumn("source", "Căn cứ", paper=False),
    TableColumn("owner", "Cơ quan đánh giá", paper=False),
)


@dataclass(frozen=True)
class Judged:
    """One item and what was measured of it."""

    item: IndexItem
    measured: Measured
    percent: Decimal | None

    @property
    def target(self) -> Decimal | None:
        """In percent; None when the office has not said what it wants."""
        return None if self.item.target is None else Decimal(str(self.item.target))

    @property
    def reached(self) -> bool | None:
        """None without a value, or without a target."""
        return None if self.target is None else self.measured.reaches(self.target)

    @property
    def result(self) -> str:
        """As it is printed; empty without a target."""
        if self.target is None:
            return ""
        if self.reached is None:
            return self.measured.why or wording.NO_DATA
        return "Đạt" if self.reached else "Chưa đạt"

    @property
    def missing(self) -> str:
        """What is wanting to reach the target; empty when it is reached or nothing was measured."""
        if self.target is None or self.reached is not False:
            return ""
        return f"thiếu {wording.number(self.measured.missing(self.target))} {MEANINGS[self.item.measure][1]} để đạt"

    @property
    def value(self) -> str:
        """The percentage, and the points where the index gives them."""
        text = (self.target is None and self.measured.why) or wording.percent(self.percent)
        if self.measured.points is None:
            return text
        most = "" if self.item.max_points is None else f"/{wording.decimal(self.item.max_points)}"
        return f"{text} ({wording.decimal(float(self.measured.points))}{most} điểm)"


@dataclass(frozen=True)
class Indices:
    """The items in the order of the file; ``declared``: the office has told its targets."""

    items: tuple[Judged, ...]
    declared: bool

    @property
    def short(self) -> list[Judged]:
        """Those whose target is not reached."""
        return [one for one in self.items if one.reached is False]

    def tables(self) -> Sequence[Table]:
        """All items."""
        rows = [
            (
                one.item.index,
                one.item.item,
                MEANINGS[one.item.measure][0],
                one.measured.good,
                one.measured.every,
                one.percent,
                one.measured.points,
                one.item.max_points,
                one.target,
                one.result or NOT_DECLARED,
                one.missing,
                one.item.source,
                one.item.owner,
            )
            for one in self.items
        ]
        notes = ("Số thiếu là số hồ sơ (phản ánh, văn bản) cần có thêm, với cùng mẫu số, để đạt chỉ tiêu.",)
        if not self.declared:
            notes = ("Cơ quan chưa khai báo chỉ tiêu; các giá trị để tham khảo, không đánh giá đạt hay chưa đạt.",)
        return (Table("indices", "Chỉ số, chỉ tiêu", "CHỈ SỐ, CHỈ TIÊU", _COLUMNS, frame_of(_COLUMNS, rows), notes),)

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_INDICES`."""
        return {
            "chi_so": [
                {
                    "tt": number,
                    "bo_chi_so": one.item.index,
                    "tieu_chi": one.item.item,
                    "gia_tri": one.value,
                    "chi_tieu": NOT_DECLARED if one.target is None else wording.percent(one.target),
                    "ket_qua": one.result,
                    "con_thieu": one.missing,
                    "can_cu": one.item.source,
                    "co_quan": one.item.owner,
                }
                for number, one in enumerate(self.items, start=1)
            ],
            "co_chi_tieu": self.declared,
            "so_chi_so_chua_dat": len(self.short),
            "so_chi_so_co_so_lieu": sum(1 for one in self.items if one.reached is not None),
            "so_chi_so_khong_so_lieu": sum(1 for one in self.items if one.reached is None) if self.declared else 0,
        }


def read_index_values(reading: Reading) -> Indices:
    """Every item of ``report.indices_file``, each measure taken once.

    Raises:
        ConfigError: the file cannot be used.
    """
    items = read_indices(reading.settings.indices_file, reading.base_dir)
    measured: dict[Measure, Measured] = {}
    for item in items:
        if item.measure not in measured:
            measured[item.measure] = measure(reading, item.measure)
    shares = percents(
        reading.connection,
        [one.good for one in measured.values()],
        [one.every - one.good for one in measured.values()],
    )
    percent = dict(zip(measured, shares, strict=True))
    judged = tuple(Judged(item, measured[item.measure], percent[item.measure]) for item in items)
    return Indices(judged, reading.settings.indices_file is not None)
