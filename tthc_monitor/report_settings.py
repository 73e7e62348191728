"""The part of the configuration about the monthly report: when it is made, and what an office's own paper says."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from tthc_monitor.domain.periods import Reckoning
from tthc_monitor.source_settings import Part

ReportFormat = Literal["xlsx", "docx", "pdf"]
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
