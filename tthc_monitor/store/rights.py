"""The table of rights: what each table of ours gives to the service, and whose rows a unit's auditor sees of it.

One place for people to read and for :mod:`tthc_monitor.store.roles` to settle. A table that does not stand here is open
to nobody but its owner, and its rows to those auditors only who see everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

MIGRATOR = "tthc_migrator"
"""Owns the schemas and everything in ``tthc``."""
VIEWS = "tthc_views"
"""Owns what is in ``audit``; row-level security holds for it, because it owns none of the tables."""
SERVICE = "tthc_service"
"""What the running service may do."""
AUDITOR = "tthc_auditor"
UNIT_AUDITOR = "tthc_unit_auditor"
GROUPS: Final = (MIGRATOR, VIEWS, SERVICE, AUDITOR, UNIT_AUDITOR)
READERS: Final = (SERVICE, AUDITOR, UNIT_AUDITOR)
"""Who may read what is in ``audit``."""


class Rows(Enum):
    """Which rows of a table a unit's auditor sees; other auditors and the service see all."""

    ALL = "laws, registers, and what concerns every unit"
    DOSSIER = "of its dossiers: those that its units resolve or received"
    UNIT = "that name one of its units"
    NONE = "no unit is told, and another's data may be quoted"


@dataclass(frozen=True)
class Rights:
    """Of one table.

    Attributes:
        service: privileges as in GRANT, columns in brackets.
        rows: what a unit's auditor sees of it through the views.
    """

    service: str
    rows: Rows = Rows.ALL


_APPEND = "SELECT, INSERT"
_CLOSE = "SELECT, INSERT, UPDATE (known_to)"
_QUEUE = "SELECT, INSERT, DELETE"
_STATE = "SELECT, INSERT, UPDATE"
_SCRATCH = "SELECT, INSERT, UPDATE, DELETE"
# A trigger sets version, linked_at, previous_hash and chain_hash.
_LINK = ", ".join(
    (
        *("run_id", "source_id", "seen_at", "first_observation_id", "last_observation_id", "row_count", "rows_hash"),
        *("kind", "asked_at", "unchanged_at", "held_until"),
    )
)

# When these were recorded the server says by itself.
_JUDGED_BY = "engine_version, ruleset_fingerprint, rule_version_ids, calendar_version_id, limit_version_id"
_EVALUATION = f"started_at, reason, person, {_JUDGED_BY}"
_PUBLISHED = (
    "publisher, counted_by, from_at, to_at, zone, month, kind, index_source, file, file_hash, row_count, imported_at, "
    "imported_by"
)
_ISSUED = (
    "frozen_period_id, unit_codes, subtree, units_as, number, issued_at, person, ledger_link, ledger_head, "
    "ruleset_fingerprint, engine_version, calendar_version_id, limit_version_id, units_hash, template_hash, settings_hash, "
    "program_version, previous_digest, digest"
)
_REPLAY = f"seen_at, judged_at, person, last_batch_id, dossiers, {_JUDGED_BY}"

TABLES: Final[Mapping[str, Rights]] = {
    # The ledger, and what is believed of it.
    "observations": Rights(_APPEND, Rows.DOSSIER),
    "observation_batches": Rights(f"SELECT, INSERT ({_LINK})"),
    "ledger_events": Rights(_APPEND, Rows.DOSSIER),
    "flags": Rights("SELECT, INSERT, UPDATE (believed_to)", Rows.DOSSIER),
    "erasures": Rights("SELECT"),
    "erased": Rights("SELECT", Rows.NONE),
    "replays": Rights(f"SELECT, INSERT ({_REPLAY})"),
    "replayed_flags": Rights(_APPEND, Rows.DOSSIER),
    "ledger_checks": Rights(_APPEND),
    "frozen_periods": Rights(_APPEND),
    "frozen_figures": Rights(_APPEND, Rows.UNIT),
    "published_imports": Rights(f"SELECT, INSERT ({_PUBLISHED})"),
    "published_figures": Rights(_APPEND, Rows.UNIT),
    "issued_reports": Rights(f"SELECT, INSERT ({_ISSUED})"),
    "issued_files": Rights(_APPEND, Rows.NONE),
    "configuration_changes": Rights(_APPEND, Rows.NONE),
    # What people said of causes.
    "cause_imports": Rights(_APPEND),
    "assigned_causes": Rights(_APPEND, Rows.DOSSIER),
    # Versions: added, and closed once where they have an end.
    "calendar_versions": Rights(_APPEND),
    "calendar_variants": Rights(_APPEND),
    "calendar_units": Rights(_APPEND),
    "calendar_segments": Rights(_APPEND),
    "calendar_days": Rights(_APPEND),
    "compiled_calendars": Rights(_APPEND),
    "rule_versions": Rights(_APPEND),
    "limit_versions": Rights(_APPEND),
    "time_limits": Rights(_CLOSE),
    "procedure_catalogue": Rights(_CLOSE),
    "unit_imports": Rights(_APPEND),
    "unit_versions": Rights(_CLOSE),
    "unit_successions": Rights(_CLOSE),
    "evaluations": Rights(
        f"SELECT, INSERT ({_EVALUATION}), UPDATE (finished_at, dossiers_judged, flags_opened, flags_closed)"
    ),
    # What can be worked out again from the above.
    "dossiers": Rights(_STATE, Rows.DOSSIER),
    "lawful_dues": Rights(_SCRATCH, Rows.DOSSIER),
    "missing": Rights(_SCRATCH, Rows.DOSSIER),
    "pending_dossiers": Rights(_QUEUE, Rows.DOSSIER),
    "pending_evaluations": Rights(_QUEUE),
    "unit_successions_now": Rights(_QUEUE),
    # Names as sources tell them, pulls and what came with them.
    "sources": Rights(_STATE),
    "units": Rights(_STATE),
    "sectors": Rights(_STATE),
    "procedures": Rights(_STATE),
    "pull_runs": Rights(_STATE),
    "rejects": Rights(_QUEUE, Rows.NONE),
    "unknown_codes": Rights(_QUEUE, Rows.NONE),
    "inbox": Rights(_QUEUE, Rows.NONE),
    # The service's own work.
    "job_runs": Rights(_SCRATCH),
    "deliveries": Rights(_SCRATCH, Rows.NONE),
    "acknowledgements": Rights(_QUEUE, Rows.NONE),
    "digest_optouts": Rights("SELECT, INSERT, UPDATE (taken_back_at), DELETE", Rows.NONE),
    "open_findings": Rights(_QUEUE, Rows.NONE),
    "metric_snapshot": Rights(_SCRATCH, Rows.NONE),
    "metric_snapshot_taken": Rights(_STATE),
    "metric_totals": Rights(_STATE, Rows.NONE),
    "procedure_totals": Rights(_STATE, Rows.NONE),
    # What only migrations and administrators write.
    "statuses": Rights("SELECT"),
    "alembic_version": Rights("SELECT"),
    "auditor_units": Rights("", Rows.NONE),
}

FILLED_BY_PART: Final = frozenset({"observations"})
"""Tables into whose parts the service may COPY: parts have no row-level security, which would forbid it."""

SEQUENCES: Final[Mapping[str, str]] = {
    "observation_ids": "USAGE, UPDATE",  # a batch takes its numbers in one go
    "dossier_ids": "USAGE",
    "flag_ids": "USAGE",
}
"""Sequences that the service draws from; those of identity columns need no right."""

FUNCTIONS: Final = frozenset(
    {
        *("make_group_lookup", "renew_statistics", "lock_for_import", "make_observations_month", "observations_loaded"),
        *("make_number_lookup", "erase_details", "may_be_erased"),
        *("link_hash", "microseconds"),  # the chain's trigger calls them for whoever adds a link
    }
)
"""Functions in ``tthc`` that the service may call; the first run with the owner's rights."""

ADVISORY: Final = (
    "pg_advisory_xact_lock(bigint)",
    "pg_advisory_xact_lock(integer, integer)",
    "pg_try_advisory_lock(integer, integer)",
    "pg_advisory_unlock(integer, integer)",
)
"""Functions of PostgreSQL's that the service and upgrades need, and migration 0003 took from everybody."""
