"""Stories of the illustration register ("Sổ minh họa"): a rule's worked example as it is read here.

A story gives facts (:data:`tthc_monitor.domain.facts.FACT_SCHEMA`) of a dossier and of those beside it, times as local
texts. What a source claims is taken over as a claim; what only history tells becomes looks at the source, each at its
instant (:mod:`tthc_monitor.simulator.showcase`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tthc_monitor.domain.records import INSTANT_COLUMNS
from tthc_monitor.simulator.office_hours import ZONE

UNIT_OF_PACK: Final = "H99.9{:02d}"
OTHER_UNIT: Final = "H99.99{}"
_PACKS: Final = {
    "core": "quy tắc chung",
    "lateness": "tiến độ giải quyết",
    "returned": "trả lại, yêu cầu bổ sung",
    "duties": "xin lỗi, hẹn lại",
    "petitions": "phản ánh, kiến nghị",
    "interagency": "phối hợp, liên thông",
    "integrity": "dấu hiệu cần kiểm tra",
    "national": "Bộ chỉ số quốc gia",
}
_SEEN: Final = ("first_seen_at", "underway_seen_at", "open_seen_at", "end_seen_at", "due_unmoved_at", "due_moved_at")


@dataclass(frozen=True)
class Story:
    """One rule and the example that it flags.

    ``dossiers`` holds the facts of the flagged dossier first, then those beside it; ``pack_number`` and ``number`` are the
    places of the pack, and of the rule among all, from one. ``groups`` names the grouping of a rule about groups.
    """

    rule: str
    title: str
    pack: str
    pack_number: int
    number: int
    dossiers: Sequence[Mapping[str, Any]]
    groups: str | None = None

    @property
    def unit_code(self) -> str:
        """The invented unit that resolves the dossiers of this pack."""
        return UNIT_OF_PACK.format(self.pack_number)

    @property
    def unit_name(self) -> str:
        """Its name."""
        return f"Đơn vị minh họa: {_PACKS.get(self.pack, self.pack)}"

    @property
    def procedure_code(self) -> str:
        """The invented procedure of this rule."""
        return f"9.{self.number:06d}"

    @property
    def procedure_name(self) -> str:
        """Its name."""
        return f"Ví dụ: {self.title}"

    def members(self) -> list[Member]:
        """The dossiers of the story, the flagged one first."""
        known = [instant for facts in self.dossiers for instant in _claims(facts).values()]
        return [
            Member(self, place, facts, _claims(facts) or {"received_at": min(known)}, _waits(facts))
            for place, facts in enumerate(self.dossiers)
        ]


@dataclass(frozen=True)
class Member:
    """One dossier of a story; ``claims`` are the instants that the source tells, ``waits`` those for the applicant."""

    story: Story
    place: int
    facts: Mapping[str, Any]
    claims: Mapping[str, datetime]
    waits: Sequence[tuple[datetime, datetime | None]]

    @property
    def source_key(self) -> str:
        """The rule's code; those beside the flagged dossier have their place after it."""
        return self.story.rule if self.place == 0 else f"{self.story.rule}/{self.place + 1}"

    @property
    def kind(self) -> str:
        """``dossier`` or ``petition``."""
        return str(self.facts.get("kind", "dossier"))

    @property
    def code(self) -> str:
        """Mã hồ sơ. Without a number in the story it is a name, of which rules about numbers say nothing."""
        if "number_day" not in self.facts:
            return f"VD-{self.source_key.replace('_', '-').replace('/', '-')}"
        serial = self.facts["number_serial"] if self.story.groups == "number_day" else 1
        day = datetime.fromisoformat(self.facts["number_day"])
        return f"{self.story.unit_code}.{self.story.number:02d}-{day:%y%m%d}-{serial:04d}"

    @property
    def ended_at(self) -> datetime | None:
        """The end that the source claims."""
        return self.claims.get("ended_at")

    @property
    def end_shown_at(self) -> datetime | None:
        """From when the source shows that it has ended; None while it goes on."""
        return self.seen("end_seen_at") or self.ended_at

    @property
    def request_unknown(self) -> bool:
        """Whether nothing claims when the supplement was asked for."""
        return bool(self.facts.get("request_unknown"))

    @property
    def shown_from(self) -> datetime:
        """When the source lists the dossier for the first time."""
        told = self.seen("first_seen_at") or self.seen("underway_seen_at")
        if told is not None:
            return told
        return self.claims["supplement_requested_at"] if self.request_unknown else min(self.claims.values())

    def seen(self, fact: str) -> datetime | None:
        """An instant at which we looked."""
        return local(self.facts.get(fact))

    def looks(self) -> Iterable[datetime]:
        """The instants at which this story needs us to look."""
        yield self.shown_from
        yield from (seen for name in _SEEN if (seen := self.seen(name)) is not None)
        if self.seen("vanished_seen_at") is not None:
            yield self.seen("vanished_seen_at") or self.shown_from
        yield from (instant for wait in self.waits[:-1] for instant in wait if instant is not None)

    @property
    def complete_at(self) -> datetime:
        """From when the source tells the whole story."""
        shown = [instant for name, instant in self.claims.items() if not _is_promise(name)]
        return max([*shown, *self.looks()], default=self.shown_from)


def local(text: Any) -> datetime | None:
    """A local text of a story as an instant (UTC)."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def _is_promise(name: str) -> bool:
    return name.startswith("due_") or name.endswith("_due_at")


def _claims(facts: Mapping[str, Any]) -> dict[str, datetime]:
    claimed = {name: local(facts.get(name)) for name in (*INSTANT_COLUMNS, "ended_at")}
    return {name: instant for name, instant in claimed.items() if instant is not None}


def _waits(facts: Mapping[str, Any]) -> list[tuple[datetime, datetime | None]]:
    earlier = [
        (datetime.fromtimestamp(asked, UTC), datetime.fromtimestamp(answered, UTC))
        for asked, answered in json.loads(facts.get("earlier_waits") or "[]")
    ]
    asked = local(facts.get("supplement_requested_at"))
    return [*earlier] if asked is None else [*earlier, (asked, local(facts.get("supplement_completed_at")))]
