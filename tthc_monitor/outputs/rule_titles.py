"""What rules are called in Vietnamese, for those by which dossiers are not judged: officials read titles, not codes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from rules.loader import load_packs, shipped_packs
from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The newest version of a rule that the store has ever seen; of the others the program knows the title it ships.
_TOLD: Final = (
    "SELECT DISTINCT ON (rule_code) rule_code, title FROM audit.rules ORDER BY rule_code, rule_version_id DESC"
)


def titles_not_applied(connection: Connection, codes: Iterable[str], applied: pd.Series) -> tuple[str, ...]:
    """Titles of those of these rules (by code, or by kind) that are not among ``applied``, in order, each once.

    A rule that neither the store nor the program knows is named by its code, for there is nothing else to call it.
    """
    missing = [code for code in codes if code not in set(applied)]
    if not missing:
        return ()
    told = read_frame(connection, _TOLD, {}).set_index("rule_code")["title"].to_dict()
    titles = _shipped_titles()
    return tuple(dict.fromkeys(str(told.get(code) or titles.get(code) or code) for code in missing))


@cache
def _shipped_titles() -> dict[str, str]:
    """By code; by kind too, the first rule of each."""
    rules = load_packs(shipped_packs(), Path())
    return {rule.kind: rule.title for rule in reversed(rules)} | {rule.code: rule.title for rule in rules}
