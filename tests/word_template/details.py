"""What stands in the annex of details: the tables of topics that the letter has no room for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.word_template import (
    own_sections,
    topic_apologies,
    topic_causes,
    topic_focus,
    topic_integrity,
    topic_petitions,
    topic_progress,
    topic_reconciliation,
    topic_returns,
    topic_shortenable,
    topic_trend,
)
from tests.word_template.markup import paragraph, when
from tests.word_template.order import annex_number


@dataclass(frozen=True, slots=True)
class Detail:
    """Tables of the annex.

    ``holds`` is the condition of the template under which there is any of them: the annex has them, and the letter refers
    to them, only then.
    """

    holds: str
    tables: Callable[[], str]


DETAILS: tuple[tuple[Detail, ...], ...] = (
    (Detail("xu_huong", topic_trend.details), Detail("diem_766_don_vi", topic_progress.details)),
    (),
    (
        Detail("so_linh_vuc_qua_han > 5 or so_thu_tuc_qua_han > 5", own_sections.procedures),
        Detail("linh_vuc_giai_trinh", topic_focus.details),
    ),
    (Detail("tra_ve_don_vi or tra_ve_thu_tuc", topic_returns.details),),
    (Detail("nguyen_nhan_don_vi or khau_cham_don_vi or khau_cham_buoc", topic_causes.details),),
    (Detail("xin_loi_don_vi", topic_apologies.details),),
    (Detail("dau_hieu_don_vi", topic_integrity.details),),
    (Detail("doi_soat_don_vi or doi_soat_ly_do", topic_reconciliation.details),),
    (Detail("pakn_don_vi", topic_petitions.details),),
    (Detail("so_thoi_han_rut_ngan > 5 or buoc_xu_ly", topic_shortenable.details),),
)
"""By sections of the letter, in their order; sections that are not here have no details."""


def details() -> str:
    """The tables of all sections."""
    return "".join(when(one.holds, one.tables()) for section in DETAILS for one in section)


def reference(section: int) -> str:
    """The sentence that ends a section (the first is 0) which has details."""
    conditions = " or ".join(one.holds for one in DETAILS[section]) if section < len(DETAILS) else ""
    if not conditions:
        return ""
    return when(conditions, paragraph("NoiDung", f"Số liệu chi tiết tại Phụ lục {annex_number('details')}."))
