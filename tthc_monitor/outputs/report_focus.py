"""Topic "focus sectors": the sectors that an office watches most, and those that are late beyond what it tolerates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_percents import percents, sums_by
from tthc_monitor.outputs.report_tables import Table, TableColumn, frame_of
from tthc_monitor.outputs.word_fields import Field
from tthc_monitor.report_settings import FocusSector

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tthc_monitor.outputs.report_topics import Reading

_SECTORS: Final = "SELECT sector_code, name FROM audit.sectors ORDER BY 1"
NO_SECTOR: Final = "chưa khai báo lĩnh vực"
LEAST_DOSSIERS: Final = 10
LEAST_LATE: Final = 2
"""Of fewer dossiers, or with fewer late, a percentage says nothing that anybody should have to explain."""
_UNKNOWN_SECTOR: Final = "Chưa rõ lĩnh vực"
_ON_TIME: Final = ["finished_early", "finished_on_time"]
_LATE: Final = ["finished_late", "pending_overdue"]

FIELDS_FOCUS: Final = (
    Field(
        "linh_vuc_trong_tam",
        "lĩnh vực trọng tâm (report.focus_sectors)",
        (
            Field("tt", "số thứ tự"),
            Field("ten", "tên nhóm"),
            Field(
                "gom",
                "các lĩnh vực của nhóm; “chưa khai báo lĩnh vực” khi không có, các số của nhóm khi đó cũng ghi như vậy",
            ),
            Field("tiep_nhan", "tiếp nhận mới trong kỳ"),
            Field("da_giai_quyet", "đã giải quyết"),
            Field("da_co_han", "đã giải quyết có hạn: mẫu số của tỷ lệ đúng hạn"),
            Field("da_qua_han", "đã giải quyết quá hạn"),
            Field("ty_le_dung_han", "tỷ lệ đúng hạn"),
            Field("ty_le_ky_truoc", "tỷ lệ đúng hạn của kỳ trước"),
            Field("dang_qua_han", "đang giải quyết quá hạn"),
        ),
        many=True,
    ),
    Field(
        "nguong_giai_trinh", "ngưỡng tỷ lệ quá hạn đề nghị giải trình, phần trăm (report.explanation_threshold_percent)"
    ),
    Field(
        "linh_vuc_giai_trinh",
        "lĩnh vực có tỷ lệ quá hạn trên ngưỡng, có từ 10 hồ sơ có hạn và từ 02 hồ sơ quá hạn, cao nhất trước",
        (
            Field("tt", "số thứ tự"),
            Field("ten", "tên lĩnh vực"),
            Field("qua_han", "số hồ sơ quá hạn"),
            Field("co_han", "số hồ sơ có hạn, đã và đang giải quyết: mẫu số"),
            Field("ty_le", "tỷ lệ quá hạn"),
        ),
        many=True,
    ),
)
_COLUMNS: Final = (
    TableColumn("group", "Lĩnh vực trọng tâm"),
    TableColumn("sectors", "Gồm các lĩnh vực"),
    TableColumn("received", "Tiếp nhận mới", "count"),
    TableColumn("finished", "Đã giải quyết", "count"),
    TableColumn("finished_known", "Đã giải quyết, có hạn (mẫu số)", "count"),
    TableColumn("finished_late", "Đã giải quyết quá hạn", "count"),
    TableColumn("on_time_percent", "Tỷ lệ đúng hạn", "percent"),
    TableColumn("on_time_percent_before", "Tỷ lệ đúng hạn kỳ trước", "percent"),
    TableColumn("pending_overdue", "Đang giải quyết quá hạn", "count"),
)
_TO_EXPLAIN: Final = (
    TableColumn("sector_code", "Mã lĩnh vực", "code"),
    TableColumn("sector", "Lĩnh vực"),
    TableColumn("late", "Quá hạn (đã và đang giải quyết)", "count"),
    TableColumn("known", "Có hạn, đã và đang giải quyết (mẫu số)", "count"),
    TableColumn("late_percent", "Tỷ lệ quá hạn", "percent"),
)
_GROUP_WORDS: Final = {
    "tiep_nhan": "received",
    "da_giai_quyet": "finished",
    "da_co_han": "finished_known",
    "da_qua_han": "finished_late",
    "ty_le_dung_han": "on_time_percent",
    "ty_le_ky_truoc": "on_time_percent_before",
    "dang_qua_han": "pending_overdue",
}


@dataclass(frozen=True)
class Focus:
    """``groups`` and ``to_explain`` have the columns of their tables; ``unknown`` are codes that name no sector."""

    groups: pd.DataFrame
    to_explain: pd.DataFrame
    threshold: Decimal
    unknown: tuple[str, ...]

    def tables(self) -> Sequence[Table]:
        """The groups, and the sectors over the threshold."""
        notes = [
            "Tỷ lệ đúng hạn = (trước hạn + đúng hạn) / hồ sơ đã giải quyết có hạn. Một lĩnh vực khớp với nhiều nhóm thì "
            "tính trong từng nhóm.",
        ]
        if self.unknown:
            notes.append(f"Mã lĩnh vực đã khai báo mà chưa có trong dữ liệu: {', '.join(self.unknown)}.")
        explained = (
            "Tỷ lệ quá hạn = (đã giải quyết quá hạn + đang giải quyết quá hạn) / hồ sơ có hạn, đã và đang giải quyết. "
            f"Ngưỡng {wording.percent(self.threshold)} do đơn vị thiết lập; chỉ xét lĩnh vực có từ {LEAST_DOSSIERS} hồ sơ có hạn và từ "
            f"{LEAST_LATE:02d} hồ sơ quá hạn."
        )
        return (
            Table("focus-sectors", "Lĩnh vực trọng tâm", "LĨNH VỰC TRỌNG TÂM", _COLUMNS, self.groups, tuple(notes)),
            Table(
                "sectors-to-explain",
                "Lĩnh vực đề nghị giải trình",
                "LĨNH VỰC CÓ TỶ LỆ QUÁ HẠN TRÊN NGƯỠNG, ĐỀ NGHỊ GIẢI TRÌNH",
                _TO_EXPLAIN,
                self.to_explain,
                (explained,),
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_FOCUS`."""
        return {
            "linh_vuc_trong_tam": [
                {
                    "tt": number,
                    "ten": row["group"],
                    "gom": row["sectors"],
                    **{
                        field: NO_SECTOR if row["sectors"] == NO_SECTOR else row[name]
                        for field, name in _GROUP_WORDS.items()
                    },
                }
                for number, row in enumerate(self.groups.to_dict("records"), start=1)
            ],
            "nguong_giai_trinh": self.threshold,
            "linh_vuc_giai_trinh": [
                {
                    "tt": number,
                    "ten": row["sector"],
                    "qua_han": row["late"],
                    "co_han": row["known"],
                    "ty_le": row["late_percent"],
                }
                for number, row in enumerate(self.to_explain.to_dict("records"), start=1)
            ],
        }


def read_focus(reading: Reading) -> Focus:
    """The figures of each group of ``report.focus_sectors``, and the sectors over ``explanation_threshold_percent``."""
    names = sector_names(reading.connection)
    wanted = reading.settings.focus_sectors
    members = [_members(group, names) for group in wanted]
    rows = [_sums(reading.figures, codes) for codes in members]
    earlier = [_sums(reading.series.figures_before, codes) for codes in members]
    shares = percents(
        reading.connection,
        [int(row[_ON_TIME].sum()) for row in (*rows, *earlier)],
        [int(row["finished_late"]) for row in (*rows, *earlier)],
    )
    groups = [
        (group.name, NO_SECTOR, *[None] * 7)
        if not codes
        else (
            group.name,
            "; ".join(dict.fromkeys(names[code] or code for code in codes)),
            int(row["received_online"] + row["received_direct"]),
            int(row[[*_ON_TIME, "finished_late", "finished_unknown"]].sum()),
            int(row[[*_ON_TIME, "finished_late"]].sum()),
            int(row["finished_late"]),
            share,
            before,
            int(row["pending_overdue"]),
        )
        for group, codes, row, share, before in zip(
            wanted, members, rows, shares[: len(rows)], shares[len(rows) :], strict=True
        )
    ]
    return Focus(
        frame_of(_COLUMNS, groups),
        _to_explain(reading, names),
        Decimal(str(reading.settings.explanation_threshold_percent)),
        tuple(sorted({code for group in wanted for code in group.sectors} - names.keys())),
    )


def is_over(late: int, known: int, threshold: Decimal) -> bool:
    """Whether so many late of so many with a due date are beyond a threshold in percent, and enough to ask for reasons."""
    return late >= LEAST_LATE and known >= LEAST_DOSSIERS and 100 * late > threshold * known


def sector_names(connection: Connection) -> dict[str, str | None]:
    """All sectors that there are; None where no source tells a name."""
    rows = read_frame(connection, _SECTORS, {})
    return {
        str(code): name if isinstance(name, str) else None for code, name in rows.itertuples(index=False, name=None)
    }


def _members(group: FocusSector, names: Mapping[str, str | None]) -> list[str]:
    return [code for code, name in names.items() if code in group.sectors or _matches(group, (name or "").casefold())]


def _matches(group: FocusSector, name: str) -> bool:
    for word in group.without:
        name = name.replace(word.casefold(), "")
    return any(word.casefold() in name for word in group.match)


def _sums(figures: pd.DataFrame, codes: Sequence[str]) -> pd.Series:
    return sums_by(figures[figures["sector_code"].isin(codes)], "sector_code").sum()


def _to_explain(reading: Reading, names: Mapping[str, str | None]) -> pd.DataFrame:
    sums = sums_by(reading.figures, "sector_code")
    late, known = sums[_LATE].sum(axis=1), sums[[*_ON_TIME, *_LATE, "pending_in_time"]].sum(axis=1)
    shares = percents(reading.connection, late.tolist(), (known - late).tolist())
    threshold = Decimal(str(reading.settings.explanation_threshold_percent))
    rows = [
        (str(code), names.get(str(code)) or str(code) or _UNKNOWN_SECTOR, int(late[code]), int(known[code]), share)
        for code, share in zip(sums.index, shares, strict=True)
        if share is not None and is_over(int(late[code]), int(known[code]), threshold)
    ]
    rows.sort(key=lambda row: (-row[4], row[0]))
    return frame_of(_TO_EXPLAIN, rows)
