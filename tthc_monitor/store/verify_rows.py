"""Observations read back by ranges, each with its content hash computed from its columns.

The server writes each row as the very text that is hashed (:mod:`tthc_monitor.store.canonical`), so that a row costs two
splits and two hashes, done while the server writes the next. A thread of its own would wait for the interpreter's lock
at every row.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from struct import Struct
from typing import Final

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.store.canonical import DETAILS, FIELD, RECORD, canonical_columns
from tthc_monitor.store.chain import micros
from tthc_monitor.store.copy import copy_out
from tthc_monitor.store.database import raw_cursor

CHUNK: Final = 100_000
"""Observations that are read at a time."""

_FIELD, _GROUP = FIELD.encode(), f"{FIELD}{RECORD}{FIELD}".encode()
_NO_DETAILS = _FIELD * (len(DETAILS) - 1)


@dataclass
class Rows:
    """What a range holds, one entry a row in the order in which the server gave them.

    ``prints``
        what a link hashes of each, with the content hash that is stored.
    ``whence``
        source and instant (microseconds) of each, as the text ``source_id`` U+001F ``seen_at``.
    ``changed``
        what is wrong with the content of an observation, by its number.
    ``erased``
        observations without details, and the dossier of each.
    ``keys``
        a number for the source's key of each, and the dossier, where the key is still there.
    """

    numbers: list[int] = field(default_factory=list)
    prints: list[bytes] = field(default_factory=list)
    whence: list[bytes] = field(default_factory=list)
    changed: dict[int, str] = field(default_factory=dict)
    erased: dict[int, int] = field(default_factory=dict)
    keys: list[int] = field(default_factory=list)
    dossiers: list[int] = field(default_factory=list)


def read_rows(connection: Connection, first: int, last: int, version: int) -> Rows:
    """The observations numbered ``first`` to ``last``, hashed as links of a version hash them."""
    reader = _Reader(version)
    statement = f"{_select(version)} WHERE o.observation_id BETWEEN {int(first)} AND {int(last)}"
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(f"COPY ({statement}) TO STDOUT (FORMAT text, DELIMITER '{FIELD}', NULL '')", reader)
    return reader.rows


@cache
def _select(version: int) -> str:
    def value(name: str) -> str:
        return micros(f"o.{name}") if isinstance(OBSERVED_SCHEMA[name], pl.Datetime) else f"o.{name}"

    def by_name(name: str) -> str:
        # A text that holds what separates here comes out escaped, and is refused.
        text_of = f"translate(o.{name}, '{RECORD}', '{FIELD}')" if OBSERVED_SCHEMA[name] == pl.String() else value(name)
        return f"'{name}=' || ({text_of})"

    fixed, named = canonical_columns(version)
    border = [f"'{RECORD}'"]
    columns = [
        *("o.observation_id", "o.dossier_id", "encode(o.content_hash, 'hex')", "encode(o.details_hash, 'hex')"),
        *("o.source_id", micros("o.seen_at")),
        *border, *(f"o.{name}" for name in DETAILS),
        *border, *map(value, fixed),
        *border, f"concat_ws('{RECORD}', {', '.join(by_name(name) for name in named)})",
    ]  # fmt: skip
    return f"SELECT {', '.join(columns)} FROM tthc.observations o"


class _Reader:
    """What COPY writes to: it takes the rows one by one, as the protocol gives them."""

    def __init__(self, version: int) -> None:
        self.rows = Rows()
        self.write = _taker(self.rows, version)


def _taker(rows: Rows, version: int) -> Callable[[bytes], int]:
    """Takes one row. This is where verification spends its time, so everything it needs is at hand as a local name."""
    field, record, group = _FIELD, RECORD.encode(), _GROUP
    add_number, add_print, add_whence = rows.numbers.append, rows.prints.append, rows.whence.append
    add_key, add_dossier, packed = rows.keys.append, rows.dossiers.append, Struct(">q").pack
    two_steps = version != 1
    last_whence, salt = b"", 0

    def take(line: bytes) -> int:
        nonlocal last_whence, salt
        if b"\\" in line:
            # What was taken in has no control characters, so that only a backslash of the text can be escaped.
            line = line.replace(b"\\\\", b"\\") if b"\\" not in line.replace(b"\\\\", b"") else line + group
        groups = line.split(group)
        if len(groups) != 4:
            return _refuse(rows, line, packed if two_steps else None)
        head, details, fixed, named = groups
        observation, dossier, content, over_details, whence = head.split(field, 4)
        number, dossier_id, stored = int(observation), int(dossier), unhexlify(content)
        if named != b"\n":
            fixed += field + named[:-1].replace(record, field)
        if not over_details:
            hashed = sha256(sha256(details).digest() + fixed) if two_steps else sha256(fixed)
            if hashed.digest() != stored:
                rows.changed[number] = f"observation {number} ({_named(dossier, details)}) was changed"
            if whence != last_whence:
                last_whence, salt = whence, hash(whence.partition(field)[0])
            add_key(hash(details.partition(field)[0]) ^ salt)
            add_dossier(dossier_id)
        else:
            rows.erased[number] = dossier_id
            over_rest = sha256(unhexlify(over_details) + fixed).digest() if two_steps else stored
            if details != _NO_DETAILS or over_rest != stored:
                rows.changed[number] = (
                    f"observation {number} ({_named(dossier, details)}), without details, was changed"
                )
        add_number(number)
        add_print(packed(dossier_id) + stored if two_steps else stored)
        add_whence(whence)
        return len(line)

    return take


def _refuse(rows: Rows, line: bytes, packed: Callable[[int], bytes] | None) -> int:
    """Note an observation whose text holds what no source can give."""
    observation, dossier, content, _, source, rest = line.split(_FIELD, 5)
    number, dossier_id, stored = int(observation), int(dossier), unhexlify(content)
    rows.changed[number] = (
        f"observation {number} (dossier {dossier_id}) was changed: it has control characters, which no pull lets in"
    )
    rows.numbers.append(number)
    rows.prints.append(stored if packed is None else packed(dossier_id) + stored)
    rows.whence.append(source + _FIELD + rest.partition(_FIELD)[0])
    return len(line)


def _named(dossier: bytes, details: bytes) -> str:
    """How people call a dossier: by its code, else by the source's key, else by our number."""
    key, code, *_ = details.decode(errors="replace").split(FIELD)
    return f"dossier {code or key or dossier.decode()}"


def label(connection: Connection, number: int) -> str:
    """An observation with its dossier, as people look for it."""
    found = connection.execute(
        text(
            "SELECT coalesce(code, nullif(source_key, ''), dossier_id::text) FROM tthc.observations "
            "WHERE observation_id = :number LIMIT 1"
        ),
        {"number": number},
    ).scalar_one_or_none()
    return f"observation {number}" if found is None else f"observation {number} (dossier {found})"


def count_observations(connection: Connection) -> int:
    """How many there are."""
    counted: int = connection.execute(text("SELECT count(*) FROM tthc.observations")).scalar_one()
    return counted


def strays(connection: Connection, first: int, last: int) -> tuple[int, int | None]:
    """How many observations have a number in a range where none should be, and the first."""
    found = connection.execute(
        text(
            "SELECT count(*), min(observation_id) FROM tthc.observations WHERE observation_id BETWEEN :first AND :last"
        ),
        {"first": first, "last": last},
    ).one()
    return found[0], found[1]


def events_between(connection: Connection, after: int, until: int) -> pl.DataFrame:
    """Events under links numbered from beyond ``after`` to ``until``, by link, dossier and event."""
    query = (
        "SELECT batch_id, dossier_id, event FROM tthc.ledger_events "
        f"WHERE batch_id > {int(after)} AND batch_id <= {int(until)}"
    )
    schema = {"batch_id": pl.Int64(), "dossier_id": pl.Int64(), "event": pl.String()}
    return copy_out(connection, query, schema).sort("batch_id", "dossier_id", "event")


def erased_by(connection: Connection, dossiers: Collection[int]) -> dict[int, int]:
    """The newest link that tells of each dossier that its details were erased."""
    found = connection.execute(
        text(
            "SELECT dossier_id, max(batch_id) FROM tthc.ledger_events "
            "WHERE event = 'erased' AND dossier_id = ANY(:dossiers) GROUP BY 1"
        ),
        {"dossiers": sorted(set(dossiers))},
    )
    return {row[0]: row[1] for row in found}
