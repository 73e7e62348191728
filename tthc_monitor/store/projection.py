"""The projection: the latest observation of each dossier, with what only its history tells, by set operations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.domain.statuses import ENDED, Status
from tthc_monitor.store.spells import completed, requested

_SUPPLEMENT = int(Status.SUPPLEMENT_REQUESTED)
_HAS_ENDED = (
    f"(coalesce(o.status IN ({', '.join(str(int(status)) for status in sorted(ENDED))}), false) "
    "OR coalesce(o.finished_at, o.delivered_at) IS NOT NULL)"
)
_IS_UNDERWAY = f"(o.received_at IS NOT NULL OR o.status <> {int(Status.REGISTERED)})"
_COUNTED = "least({} + 1, 32767)"

# Of an open dossier that is not missing, a pull that would have listed it shows that it was as it had been; unless what
# is held of it was brought by a later pull, or learnt after the instant as of which that one told.
_SEEN_UNCHANGED = """
    greatest(d.asked_at, CASE WHEN d.end_seen_at IS NULL AND d.observation_id <= CAST(:held AS bigint)
                                   AND d.changed_at <= CAST(:unchanged AS timestamptz)
                                   AND NOT EXISTS (SELECT FROM {missing} m WHERE m.dossier_id = d.dossier_id)
                              THEN CAST(:unchanged AS timestamptz) END)"""

# Of what nobody can date only what it leaves as it was is still proved by what was held.
_ASKED_AT = f"""
        asked_at = coalesce(CAST(:asked AS timestamptz),
                            CASE WHEN d.status IS NOT DISTINCT FROM o.status
                                      AND d.due_current IS NOT DISTINCT FROM o.due_current
                                      AND (d.end_seen_at IS NOT NULL) = {_HAS_ENDED} THEN d.asked_at END)"""

# While a promise is taken away, ``due_previous`` is the one taken. A new one in its place completes that move; the same
# one put back undoes it. The first promise of all is no move.
_DUE_MOVES = "(d.due_current IS NOT NULL AND o.due_current IS DISTINCT FROM d.due_current)"
_DUE_REPLACED = "(d.due_current IS NULL AND o.due_current <> d.due_previous)"
_DUE_PUT_BACK = "(d.due_current IS NULL AND o.due_current = d.due_previous)"
_NEVER_MOVED = f"({_DUE_PUT_BACK} AND d.due_moves <= 1)"

_SPELL_BEGINS = f"(o.status = {_SUPPLEMENT} AND d.status IS DISTINCT FROM {_SUPPLEMENT})"
# A later claim with the same completion behind it is a correction of the same request.
_CLAIM_MOVES = (
    "(o.supplement_requested_at > d.supplement_requested_at AND (o.supplement_completed_at = d.supplement_completed_at "
    "AND o.supplement_completed_at >= o.supplement_requested_at) IS NOT TRUE)"
)
# The status may come before the claim, or after it: one request, whichever we see first.
_SPELL_WAS_CLAIMED = (
    "(o.supplement_requested_at = d.supplement_requested_at AND o.supplement_completed_at IS NULL "
    "AND (d.supplement_seen_at >= d.supplement_requested_at) IS NOT TRUE)"
)
_CLAIM_WAS_SEEN = "(d.supplement_seen_at >= o.supplement_requested_at)"
_NEW_REQUEST = (
    f"(({_SPELL_BEGINS} AND {_SPELL_WAS_CLAIMED} IS NOT TRUE) OR ({_CLAIM_MOVES} AND {_CLAIM_WAS_SEEN} IS NOT TRUE))"
)
_ASKED = f"(o.status = {_SUPPLEMENT} OR o.supplement_requested_at IS NOT NULL)"
_REQUESTED, _ANSWERED = requested("supplement"), completed("supplement", Status.SUPPLEMENT_REQUESTED)
_LATEST_REQUEST = (
    f"coalesce(o.supplement_requested_at, CASE WHEN {_SPELL_BEGINS} THEN o.seen_at ELSE d.supplement_seen_at END)"
)


def _seen(what: str, of: Status) -> str:
    """When we first saw the latest spell of a status, and when we first saw it over."""
    status = int(of)
    return f"""
        {what}_seen_at = CASE WHEN o.status = {status} AND d.status IS DISTINCT FROM {status}
                              THEN o.seen_at ELSE d.{what}_seen_at END,
        {what}_left_at = CASE WHEN o.status = {status} THEN NULL
                              WHEN d.status = {status} AND NOT {_HAS_ENDED} THEN o.seen_at
                              ELSE d.{what}_left_at END"""


_FOLD = f"""
    UPDATE {{dossiers}} d SET
        observation_id = o.observation_id, changed_at = o.seen_at, {_ASKED_AT}, vanished_seen_at = NULL,
        status_seen_at = CASE WHEN d.status IS NOT DISTINCT FROM o.status THEN d.status_seen_at ELSE o.seen_at END,
        underway_seen_at = coalesce(d.underway_seen_at, CASE WHEN {_IS_UNDERWAY} THEN o.seen_at END),
        end_seen_at = CASE WHEN {_HAS_ENDED} THEN coalesce(d.end_seen_at, o.seen_at) END,
        open_seen_at = CASE WHEN {_HAS_ENDED}
                            THEN CASE WHEN d.end_seen_at IS NULL THEN {_SEEN_UNCHANGED} ELSE d.open_seen_at END END,
        due_previous = CASE WHEN {_DUE_MOVES} THEN d.due_current WHEN {_NEVER_MOVED} THEN NULL ELSE d.due_previous END,
        due_unmoved_at = CASE WHEN {_DUE_MOVES} THEN {_SEEN_UNCHANGED} WHEN {_NEVER_MOVED} THEN NULL
                              ELSE d.due_unmoved_at END,
        due_moved_at = CASE WHEN {_DUE_MOVES} OR {_DUE_REPLACED} THEN o.seen_at WHEN {_NEVER_MOVED} THEN NULL
                            ELSE d.due_moved_at END,
        due_moves = CASE WHEN {_DUE_MOVES} THEN {_COUNTED.format("d.due_moves")}
                         WHEN {_DUE_PUT_BACK} THEN greatest(d.due_moves - 1, 0) ELSE d.due_moves END,
        {_seen("supplement", Status.SUPPLEMENT_REQUESTED)},
        supplement_unseen_at = CASE WHEN {_SPELL_BEGINS} THEN CASE WHEN d.status IS NOT NULL THEN {_SEEN_UNCHANGED} END
                                    ELSE d.supplement_unseen_at END,
        supplement_spells = CASE WHEN {_NEW_REQUEST} THEN {_COUNTED.format("d.supplement_spells")}
                                 WHEN {_ASKED} THEN greatest(d.supplement_spells, 1) ELSE d.supplement_spells END,
        earlier_waits = CASE
            WHEN ({_NEW_REQUEST} OR {_CLAIM_MOVES}) AND {_LATEST_REQUEST} > {_REQUESTED}
                 AND {_ANSWERED} IS NOT NULL
            THEN d.earlier_waits + tstzmultirange(tstzrange(
                {_REQUESTED}, least({_ANSWERED}, {_LATEST_REQUEST})))
            ELSE d.earlier_waits END,
        {_seen("obligation", Status.FINANCIAL_OBLIGATION)},
        due_first = coalesce(o.due_original, d.due_first, o.due_current),
        {", ".join(f"{name} = o.{name}" for name in OBSERVED_SCHEMA if name != "source_key")},
        content_hash = o.content_hash
    FROM tthc.observations o
    WHERE o.observation_id BETWEEN :first AND :last AND o.seen_at = :seen AND d.dossier_id = o.dossier_id
"""
_BEGIN = f"""
    INSERT INTO {{dossiers}}
        (dossier_id, source_id, observation_id, first_seen_at, changed_at, asked_at, status_seen_at, underway_seen_at,
         end_seen_at, due_first, supplement_seen_at, supplement_spells, obligation_seen_at,
         {", ".join(OBSERVED_SCHEMA)}, content_hash)
    SELECT o.dossier_id, o.source_id, o.observation_id, o.seen_at, o.seen_at, :asked, o.seen_at,
           CASE WHEN {_IS_UNDERWAY} THEN o.seen_at END,
           CASE WHEN {_HAS_ENDED} THEN o.seen_at END, coalesce(o.due_original, o.due_current),
           CASE WHEN o.status = {_SUPPLEMENT} THEN o.seen_at END, CASE WHEN {_ASKED} THEN 1 ELSE 0 END,
           CASE WHEN o.status = {int(Status.FINANCIAL_OBLIGATION)} THEN o.seen_at END,
           {", ".join(f"o.{name}" for name in OBSERVED_SCHEMA)}, o.content_hash
    FROM tthc.observations o
    WHERE o.observation_id BETWEEN :first AND :last AND o.seen_at = :seen
"""


def make_number_lookup(connection: Connection) -> None:
    """Make the index that finds a dossier by its number, where it is not there yet: after a first load, in bulk."""
    if connection.scalar(text("SELECT to_regclass('tthc.dossiers_code')")) is None:
        connection.execute(text("SELECT tthc.make_number_lookup()"))


@dataclass(frozen=True)
class Asked:
    """When the source was asked for what is folded.

    ``at``
        the instant as of which the pull tells the source's state; None: nobody can tell.
    ``unchanged_at``
        the same of the source's newest earlier pull that listed every open dossier; None when there was none.
    ``held_until``
        the last observation of the source by the end of that pull.
    """

    at: datetime | None
    unchanged_at: datetime | None = None
    held_until: int | None = None


@dataclass(frozen=True)
class Part:
    """A part of the ledger under one link: its first and last observation, and when they were seen."""

    first: int
    last: int
    seen_at: datetime


@dataclass(frozen=True)
class Tables:
    """Where a projection is: the live one, or one that is rebuilt beside it."""

    dossiers: str = "tthc.dossiers"
    missing: str = "tthc.missing"


LIVE = Tables()


def fold(
    connection: Connection, part: Part, asked: Asked, *, new: int = 1, changed: int = 1, into: Tables = LIVE
) -> None:
    """Fold one link's observations into a projection.

    Args:
        new: how many of its dossiers the projection does not have; any number but 0 when nobody counted.
        changed: how many it has; likewise.
    """
    names = {"dossiers": into.dossiers, "missing": into.missing}
    values = {"first": part.first, "last": part.last, "seen": part.seen_at, "asked": asked.at}
    if changed:
        fold = text(_FOLD.format(**names))
        connection.execute(fold, {**values, "unchanged": asked.unchanged_at, "held": asked.held_until})
    if new:
        # With nothing but new dossiers there is none to look up.
        known = f"NOT EXISTS (SELECT FROM {into.dossiers} d WHERE d.dossier_id = o.dossier_id)"
        connection.execute(text(f"{_BEGIN.format(**names)} AND {known if changed else 'true'}"), values)
