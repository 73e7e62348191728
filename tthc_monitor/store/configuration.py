"""The record of configurations: what was other than before, by whom; append-only."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, text

from tthc_monitor.domain.disclosure import HIDDEN, Disclosed
from tthc_monitor.store.database import storable

Aspect = Literal["settings", "calendar", "rules", "program"]
State = dict[str, Any]
"""By path: what is shown, as text; or, with what is not shown, ``{shown, salt, digest}``."""

_LOCK: Final = 7_411_017


@dataclass(frozen=True)
class Author:
    """Who is on record for a change: a person as told, and the account and host that ran the program."""

    person: str
    account: str


@dataclass(frozen=True)
class Change:
    """One setting that is other than before; ``old`` None: it was not there, ``new`` None: it is gone."""

    path: str
    old: str | None
    new: str | None


def record_configuration(
    connection: Connection, found: Mapping[Aspect, Mapping[str, Disclosed]], author: Author, program_version: str
) -> int:
    """Put on record what differs from the configuration recorded last. Of several processes that start at once, one does.

    Returns:
        the number of changed settings; 0 when nothing was recorded.
    """
    last = {aspect: _last(connection, aspect) for aspect in found}
    if not any(_changes(last[aspect], items) for aspect, items in found.items()):
        return 0
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    # Another process may have recorded the same meanwhile.
    return sum(_record(connection, aspect, items, author, program_version) for aspect, items in found.items())


def _record(
    connection: Connection, aspect: Aspect, items: Mapping[str, Disclosed], author: Author, program_version: str
) -> int:
    last = _last(connection, aspect)
    changes = _changes(last, items)
    if not changes:
        return 0
    changed = {change.path for change in changes}
    state = {path: (_kept(item) if path in changed else last[path]) for path, item in sorted(items.items())}
    shown = {path: item.shown for path, item in sorted(items.items())}
    connection.execute(
        text(
            "INSERT INTO tthc.configuration_changes"
            " (person, account, program_version, what, fingerprint, changes, state)"
            " VALUES (:person, :account, :version, :what, :fingerprint, CAST(:changes AS jsonb), CAST(:state AS jsonb))"
        ),
        {
            "person": storable(author.person),
            "account": storable(author.account),
            "version": program_version,
            "what": aspect,
            "fingerprint": hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).hexdigest(),
            "changes": _json([asdict(change) for change in changes]),
            "state": _json(state),
        },
    )
    return len(changes)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\\u0000", "\\ufffd")


def _last(connection: Connection, aspect: Aspect) -> State:
    found = connection.scalar(
        text("SELECT state FROM tthc.configuration_changes WHERE what = :what ORDER BY change_id DESC LIMIT 1"),
        {"what": aspect},
    )
    return found or {}


def _changes(last: State, items: Mapping[str, Disclosed]) -> list[Change]:
    changes = []
    for path in sorted(last.keys() | items.keys()):
        before, item = last.get(path), items.get(path)
        old = before["shown"] if isinstance(before, dict) else before
        new = None if item is None else item.shown
        if old != new:
            changes.append(Change(path, old, new))
        elif item is not None and not _same(before, item):
            changes.append(Change(path, old, "(secret, changed)" if new == HIDDEN else f"{new} (changed)"))
    return changes


def _same(before: Any, item: Disclosed) -> bool:
    """Whether a value that is shown alike is the same as before."""
    if not isinstance(before, dict):
        return item.hidden is None
    if item.hidden is None:
        return False
    return secrets.compare_digest(before["digest"], _digest(item.hidden, before["salt"]))


def _kept(item: Disclosed) -> Any:
    if item.hidden is None:
        return item.shown
    salt = secrets.token_hex(16)
    return {"shown": item.shown, "salt": salt, "digest": _digest(item.hidden, salt)}


def _digest(value: str, salt: str) -> str:
    """Tells whether a value is the same, and is slow to guess with."""
    return hashlib.scrypt(value.encode(), salt=bytes.fromhex(salt), n=2**12, r=8, p=1).hex()
