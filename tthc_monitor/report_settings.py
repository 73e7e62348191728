"""The part of the configuration about the monthly report: when it is made, and what an office's own paper says."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from tthc_monitor.domain.periods import Reckoning
from tthc_monitor.source_settings import Part

ReportFormat = Literal["docx", "xlsx", "pdf", "csv", "json"]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
OptionalLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]

_ON_BEHALF: Final = ("TM.", "KT.", "TL.", "TUQ.")


class SignerSettings(Part):
    """Who signs, as it is printed.

    ``on_behalf``
        the lines above the title, from the top: ``TM. ỦY BAN NHÂN DÂN``, ``TL. CHỦ TỊCH``, ``KT. GIÁM ĐỐC``, ``TUQ. …``.
    ``title``
        the signer's own, ``Q. GIÁM ĐỐC`` for one who acts.
    ``name``
        without academic titles; empty leaves it to whoever signs.
    """

    on_behalf: tuple[Line, ...] = ()
    title: OptionalLine = ""
    name: OptionalLine = ""

    @field_validator("on_behalf")
    @classmethod
    def _known_powers(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            if not line.upper().startswith(_ON_BEHALF):
                raise ValueError(f"'{line}' names no power to sign; begin it with {', '.join(_ON_BEHALF)}")
        return lines


class FocusSector(Part):
    """A group of sectors that the report looks at by itself.

    ``sectors``
        codes of sectors.
    ``match``
        words: every sector whose name has one of them, in capitals or not, belongs to the group.
    ``without``
        words that do not count: a sector that has a word of ``match`` only within one of these does not belong to it.
    """

    name: Line
    sectors: tuple[Line, ...] = ()
    match: tuple[Line, ...] = ()
    without: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _finds_something(self) -> FocusSector:
        if not (self.sectors or self.match):
            raise ValueError(
                f"'{self.name}' names no sector; give codes in 'sectors', or words of their names in 'match'"
            )
        return self


FOCUS_SECTORS: Final = (
    FocusSector(name="Đầu tư", match=("đầu tư",)),
    FocusSector(
        name="Xây dựng",
        match=(
            "xây dựng",
            "kiến trúc",
            "quy hoạch đô thị",
            "quy hoạch nông thôn",
            "kinh doanh bất động sản",
            "nhà ở",
            "công sở",
            "hạ tầng kỹ thuật",
        ),
        without=("vật liệu xây dựng",),
    ),
    FocusSector(
        name="Chính sách xã hội",
        match=(
            "bảo trợ xã hội",
            "trợ giúp xã hội",
            "bảo hiểm xã hội",
            "người có công",
            "giảm nghèo",
            "chính sách xã hội",
        ),
    ),
)
"""The sectors that provinces are asked about most."""


class ReportSettings(Part):
    """The monthly report: made on ``day`` of each month at ``at``, into ``directory``, in each of ``formats``.

    ``kind``
        which month it is of: the calendar month that ended last, or with ``nd09`` the one that ended last on a 14th (NĐ 09/2019);
        ``day`` should lie after that.
    The rest is for the document, by NĐ 30/2020/NĐ-CP; what is empty stays blank on paper.

    ``superior``, ``office``, ``abbreviation``, ``place``
        the office above, the office that reports, its letters in the symbol (``BC-TTPVHCC``), where it sits.
    ``addressees``
        after "Kính gửi".
    ``bases``
        grounds in italics before the text, each without its ";".
    ``recipients``
        of "Nơi nhận", between "Như trên" and "Lưu: VT"; ``filed`` are the units that keep a copy with the registry.
    ``template``
        a Word file of the office's own (docs/mau-bao-cao.md); without it the shipped one.
    ``causes_file``
        the office's own list of causes of delay (``tthc-monitor causes file``); without it the shipped one.
    ``focus_sectors``
        groups of sectors that are looked at by themselves.
    ``explanation_threshold_percent``
        a unit or a sector with more of its dossiers late than this is asked to explain itself, when it has ten with a due date
        and two of them late at least. A practice of provinces, no rule of law.
    ``heads_file``
        who is the head of which unit, from when until when (CSV); read for each report, kept nowhere else.
    ``shortenable_below``, ``shortenable_at_least``
        a limit could be shorter when nine of ten dossiers use less than this part of it, of at least so many dossiers.
    ``indices_file``
        the indices that the office is judged by, with targets (YAML); without it measures are shown and nothing is judged.
    """

    day: Annotated[int, Field(ge=1, le=28)] = 1
    at: ClockTime = "06:00"
    kind: Reckoning = "calendar"
    directory: str = "reports"
    formats: Annotated[tuple[ReportFormat, ...], Field(min_length=1)] = ("xlsx", "docx")
    office: OptionalLine = "Văn phòng Ủy ban nhân dân tỉnh"
    superior: OptionalLine = ""
    abbreviation: OptionalLine = ""
    place: OptionalLine = ""
    addressees: tuple[Line, ...] = ()
    bases: tuple[Line, ...] = ()
    signer: SignerSettings = SignerSettings()
    recipients: tuple[Line, ...] = ()
    filed: OptionalLine = ""
    template: str | None = None
    causes_file: str | None = None
    focus_sectors: tuple[FocusSector, ...] = FOCUS_SECTORS
    explanation_threshold_percent: Annotated[float, Field(ge=0, le=100)] = 5
    heads_file: str | None = None
    shortenable_below: Annotated[float, Field(gt=0, le=1)] = 0.5
    shortenable_at_least: Annotated[int, Field(ge=1)] = 30
    indices_file: str | None = None
