"""What keeps the ledger from being changed, as the server's catalogue has it: triggers, partitions, rights, functions."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, text

_TRIGGERS: Final = {
    "observations": {
        ("append_only", "refuse_change", "DELETE or TRUNCATE"),
        ("only_erasure", "only_erasure", "UPDATE"),
    },
    "observation_batches": {
        ("append_only", "refuse_change", "UPDATE or DELETE or TRUNCATE"),
        ("add_link", "add_link", "INSERT"),
    },
    "ledger_events": {("append_only", "refuse_change", "UPDATE or DELETE or TRUNCATE")},
}
"""By table: triggers that must be there, the function of each, and what it is called for. Months have those of the whole."""

_FUNCTIONS: Final = {
    "refuse_change": "86f03632f6870aed6c631fd78fa657227e2a95ae249e744751a9608fdc661c81",
    "only_erasure": "47c2b0ad7d281892cb42e7206c34412e736b158b51ae56ff6636e5e24259c050",
    "add_link": "f2bea1e25e16ae0ecd5ca42941d351b16ec5184643f8c87787fda6ddc9f7f7ca",
    "link_hash": "dfb963b18b9cc9c38f3d76b25832d491143a2d3d37a37c929c21c512002ed668",
    "microseconds": "352deae1c905d7b15f1acc0117d6b567a9a510c191bbf7e13ce0223dd5e3038a",
    "erase_details": "6f004385adb75e75d41f3824f3ddb97f54cc1651a0cf477af29ba7a9190b0d9b",
    "may_be_erased": "cd0112a05a800c053be1e8f540fd5ed8034819e3a87ce8fbd182c94dc992ac8c",
    "make_observations_month": "74443648294d46f2355d56ac7c5827f71615bc0fe5e3abf417900badb0ba33e4",
    "keep_beliefs": "e06858325d8a8ba7091ef076798aaa9c8c73f33df431c68305399469fa068931",
    "finish_once": "869bf6b6a3180094ed7d6aad6d7ed0714dc56b167a072b0e7781447babfd99fa",
    "with_its_replay": "6a3cebd29693751ff948ce736a846252ae2a2dd07edb817ee9b28f837f4edd98",
}
"""SHA-256 of the functions' text, as the newest migration that touches each has it."""

_AS_OWNER: Final = (
    *("make_group_lookup", "make_observations_month", "observations_loaded", "renew_statistics", "lock_for_import"),
    *("make_number_lookup", "erase_details"),
)
"""Functions that run with the owner's rights; no other does."""

_CALLED_FOR: Final = ((4, "INSERT"), (16, "UPDATE"), (8, "DELETE"), (32, "TRUNCATE"))
_BEFORE: Final = 2
_ALLOWED_TO_CHANGE: Final = ("tthc_migrator",)
"""Roles besides a table's owner that may hold rights to change the ledger's tables."""

_PARTS = """
    SELECT c.oid, c.relname, c.relname AS whole FROM pg_class c
    WHERE c.oid IN ('tthc.observations'::regclass, 'tthc.observation_batches'::regclass, 'tthc.ledger_events'::regclass)
    UNION ALL
    SELECT c.oid, c.relname, 'observations' FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'tthc.observations'::regclass
"""


def weak_guards(connection: Connection) -> Iterator[str]:
    """What is missing of the guards or stands beside them, in words; nothing when all is as the migrations made it."""
    parts = {row.oid: (row.relname, row.whole) for row in connection.execute(text(f"{_PARTS} ORDER BY 2"))}
    yield from _detached(connection)
    yield from _triggers(connection, parts)
    yield from _functions(connection)
    for table, rule in _rules(connection, list(parts)):
        yield f"table tthc.{table} has the rule {rule}, which no migration made"
    for table, role, right in surplus_rights(connection, list(parts)):
        yield f"role {role} may {right} table tthc.{table}"


def surplus_rights(connection: Connection, tables: list[int]) -> list[tuple[str, str, str]]:
    """Rights to change the ledger that somebody besides the owner and the migrator holds: table, role, right."""
    rows = connection.execute(
        text(
            "SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), a.privilege_type FROM pg_class c "
            "CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
            "WHERE c.oid = ANY(:tables) AND a.grantee <> c.relowner AND r.rolname <> ALL(:allowed) IS NOT FALSE "
            "AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER') ORDER BY 1, 2, 3"
        ),
        {"tables": tables, "allowed": list(_ALLOWED_TO_CHANGE)},
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _detached(connection: Connection) -> Iterator[str]:
    found = connection.execute(
        text(
            r"SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'tthc'::regnamespace AND c.relkind IN ('r', 'f') "
            r"AND NOT c.relispartition AND c.relname ~ '^observations_(before|y\d+m\d+)$' ORDER BY 1"
        )
    )
    for name in found.scalars():
        yield f"table tthc.{name} stands beside the ledger and is no part of it any more"


def _triggers(connection: Connection, parts: dict[int, tuple[str, str]]) -> Iterator[str]:
    rows = connection.execute(
        text(
            "SELECT t.tgrelid, t.tgname, p.proname, p.pronamespace = 'tthc'::regnamespace "
            "AND t.tgqual IS NULL AND t.tgattr::text = '' AS ours, t.tgtype::int, t.tgenabled "
            "FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE NOT t.tgisinternal AND t.tgrelid = ANY(:parts) ORDER BY 1, 2"
        ),
        {"parts": list(parts)},
    ).all()
    for oid, (name, whole) in parts.items():
        there = set()
        for row in rows:
            if row.tgrelid != oid:
                continue
            called = " or ".join(word for bit, word in _CALLED_FOR if row.tgtype & bit)
            trigger = (row.tgname, row.proname if row.ours and row.tgtype & _BEFORE else None, called)
            if trigger not in _TRIGGERS[whole]:
                yield f"table tthc.{name} has the trigger {row.tgname}, which no migration made"
                continue
            there.add(trigger)
            if row.tgenabled not in ("O", "A"):
                yield f"trigger {row.tgname} of table tthc.{name} is disabled"
        for missing, _, called in sorted(_TRIGGERS[whole] - there):
            yield f"trigger {missing} of table tthc.{name}, called before {called}, is missing"


def _functions(connection: Connection) -> Iterator[str]:
    rows = connection.execute(
        text(
            "SELECT proname, prosrc, array_to_string(proconfig, ';') = 'search_path=pg_catalog, pg_temp' "
            "AND prosecdef = (proname = ANY(:as_owner)) FROM pg_proc WHERE pronamespace = 'tthc'::regnamespace"
        ),
        {"as_owner": list(_AS_OWNER)},
    ).all()
    found = {name: sha256(body.encode()).hexdigest() for name, body, _ in rows}
    for name, expected in _FUNCTIONS.items():
        if found.get(name) != expected:
            yield f"function tthc.{name} is not the one that the migrations made"
    for name, _, as_made in rows:
        if as_made is not True:
            yield f"function tthc.{name} runs with other rights, or another search path, than the migrations gave it"


def _rules(connection: Connection, tables: list[int]) -> list[tuple[str, str]]:
    rows = connection.execute(
        text(
            "SELECT c.relname, r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class "
            "WHERE c.oid = ANY(:tables) ORDER BY 1, 2"
        ),
        {"tables": tables},
    )
    return [(row[0], row[1]) for row in rows]
