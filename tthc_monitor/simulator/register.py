"""The made-up province's register of units, and the time limits of its procedures, as an office would import them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import yaml

from tthc_monitor.domain.procedure_catalogue import SourcedLimit
from tthc_monitor.domain.time_limits import TimeLimit
from tthc_monitor.simulator.catalogue import PROCEDURES, UNITS, Procedure
from tthc_monitor.simulator.showcase import other_unit
from tthc_monitor.simulator.stories import Story

PROVINCE: Final = "H99"
MERGED_DISTRICT: Final = "H99.20"
_MERGED_ON: Final = "2025-07-01"
_DECISION: Final = "Nghị quyết mẫu số 01 (dữ liệu mô phỏng)"
_SHARES: Final = {"H99.101": 0.5, "H99.102": 0.3, "H99.103": 0.2}
"""Communes that the district's work went to, with the part that each took over."""


def units_yaml(stories: Sequence[Story]) -> str:
    """Units as they are since the reform of 1 July 2025: the district that was merged away, and the units of stories."""
    communes = [
        {"code": unit.code, "name": unit.name, "kind": "commune" if unit.level == "commune" else "department"}
        | {"parent": PROVINCE}
        | ({"valid_from": _MERGED_ON} if unit.level == "commune" else {})
        for unit in UNITS
    ]
    shown = {story.unit_code: story.unit_name for story in stories}
    others = sorted(
        {other_unit(facts[name]) for story in stories for facts in story.dossiers for name in _OTHERS if name in facts}
    )
    shown |= {code: f"Cơ quan phối hợp minh họa {code[-1]}" for code in others}
    units: list[dict[str, Any]] = [
        {"code": PROVINCE, "name": "Tỉnh Mẫu", "kind": "province"},
        {"code": MERGED_DISTRICT, "name": "UBND huyện Mẫu Cũ", "kind": "district", "parent": PROVINCE}
        | {"valid_to": _MERGED_ON},
        *communes,
        *({"code": code, "name": name, "kind": "other", "parent": PROVINCE} for code, name in shown.items()),
    ]
    successions = [
        {"from": MERGED_DISTRICT, "to": code, "date": _MERGED_ON, "share": share, "document": _DECISION}
        for code, share in _SHARES.items()
    ]
    return yaml.safe_dump({"units": units, "successions": successions}, allow_unicode=True, sort_keys=False)


_OTHERS: Final = ("step_unit_code", "consulted_unit_code", "receiving_unit_code")


def time_limits(procedures: Sequence[Procedure] = PROCEDURES) -> list[SourcedLimit]:
    """The province's own limits, in working days."""
    return [
        SourcedLimit(
            TimeLimit(
                procedure_code=item.code,
                amount=item.days,
                unit="working_day",
                legal_basis="Danh mục thủ tục hành chính của Tỉnh Mẫu (dữ liệu mô phỏng)",
            ),
            f"{item.days} ngày làm việc",
        )
        for item in procedures
    ]
