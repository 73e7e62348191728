"""Which rules the lists of a digest rest on, whether they are in force, and what they say of hours and days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from rules.loader import parse_pack
from tthc_monitor.outputs import wording

if TYPE_CHECKING:
    from sqlalchemy import Connection

RULES: Final = (
    "apology_missing",
    "due_today",
    "due_soon",
    "due_soon_24h",
    "acknowledged_late",
    "waiting_long",
    "returned",
    "supplement_requested",
)
"""Rules that each make a list of the same name. What is overdue is told by whichever rule gives that verdict."""
OVERDUE: Final = "overdue"
INTEGRITY: Final = "integrity"
HELD_UP_BY: Final = ("consulted_late", "step_at_fault", "step_overdue")
"""Rules that tell where a dossier lies; of several the first."""

# Rules that the packs have now, by the last evaluation that was completed.
_IN_FORCE: Final = """
SELECT r.rule_version_id, r.rule_code, r.kind, r.title, r.verdict, r.definition
FROM audit.rules r WHERE r.rule_version_id = ANY ((
    SELECT e.rule_version_ids FROM audit.evaluations e WHERE e.finished_at IS NOT NULL ORDER BY e.evaluation_id DESC LIMIT 1
)::int[])
"""


@dataclass(frozen=True)
class RulesInForce:
    """The rules by which was judged last.

    Attributes:
        versions: list (or rule) of each version that the digest reads.
        definitions: what the rule of a list says; integrity rules have none here.
        titles: of rule versions.
        any: False: nothing was judged yet.
    """

    versions: Mapping[int, str]
    definitions: Mapping[str, Mapping[str, Any]]
    titles: Mapping[int, str]
    any: bool

    def watches(self, key: str) -> bool:
        """Whether a rule in force makes this list."""
        return key in self.versions.values()

    def of(self, *keys: str) -> list[int]:
        """Versions of the rules that make these lists."""
        return [version for version, key in self.versions.items() if key in keys]

    def hours(self, key: str, parameter: str) -> str:
        """Working hours that a rule sets, in words: ``08 giờ``, ``1,5 giờ``."""
        hours = float(self.definitions[key][parameter])
        return f"{int(hours):02d} giờ" if hours.is_integer() else f"{wording.decimal(hours)} giờ"

    def days(self, key: str, parameter: str) -> str:
        """Working days that a rule sets, in words: ``15 ngày``."""
        return f"{int(self.definitions[key][parameter]):02d} ngày"


def read_rules(connection: Connection) -> RulesInForce:
    """The rules by which was judged last, as far as a digest rests on them."""
    versions: dict[int, str] = {}
    definitions: dict[str, Mapping[str, Any]] = {}
    titles: dict[int, str] = {}
    rows = connection.exec_driver_sql(_IN_FORCE).all()
    for version, code, kind, title, verdict, definition in rows:
        key = _list_of(code, kind, verdict)
        if key is not None:
            versions[version], definitions[key], titles[version] = key, definition, title
    return RulesInForce(versions, definitions, titles, bool(rows))


def _list_of(code: str, kind: str, verdict: str | None) -> str | None:
    if verdict == "open_overdue":
        return OVERDUE
    if code in RULES or code in HELD_UP_BY:
        return code
    return INTEGRITY if kind in _integrity_kinds() else None


@cache
def _integrity_kinds() -> frozenset[str]:
    """Kinds of the pack shipped: an office's own rule of the same kind tells the same, whatever its code."""
    pack = files("rules").joinpath("packs", f"{INTEGRITY}.yaml").read_text(encoding="utf-8")
    return frozenset(rule.kind for rule in parse_pack(pack, INTEGRITY))
