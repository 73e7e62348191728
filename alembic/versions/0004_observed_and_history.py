"""Columns that the rules of all packs need: more of what is observed, and what only history tells.

Dossiers held before get their history from the ledger here; only what no observation tells stays empty.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OBSERVED = {
    "parent_key": "text",
    "postmarked_at": "timestamptz",
    "transferred_at": "timestamptz",
    "result_at": "timestamptz",
    "published_at": "timestamptz",
    "stop_requested_at": "timestamptz",
    "apology_at": "timestamptz",
    "reappointment_count": "smallint",
    "obligation_requested_at": "timestamptz",
    "obligation_completed_at": "timestamptz",
    "step_unit_code": "text",
    "step_started_at": "timestamptz",
    "step_due_at": "timestamptz",
    "consulted_unit_code": "text",
    "consulted_at": "timestamptz",
    "consulted_due_at": "timestamptz",
    "consulted_answered_at": "timestamptz",
    "steps_done": "smallint",
    "first_step_at": "timestamptz",
    "last_step_at": "timestamptz",
}
HISTORY = {
    "asked_at": "timestamptz",
    "underway_seen_at": "timestamptz",
    "open_seen_at": "timestamptz",
    "due_previous": "timestamptz",
    "due_unmoved_at": "timestamptz",
    "due_moved_at": "timestamptz",
    "due_moves": "smallint NOT NULL DEFAULT 0",
    "supplement_unseen_at": "timestamptz",
    "supplement_spells": "smallint NOT NULL DEFAULT 0",
    "earlier_waits": "tstzmultirange NOT NULL DEFAULT '{}'",
    "obligation_seen_at": "timestamptz",
    "obligation_left_at": "timestamptz",
    "vanished_seen_at": "timestamptz",
}
SHOWN = tuple(name for name in HISTORY if name != "asked_at")


def _added(columns: dict[str, str]) -> str:
    return ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in columns.items())


COLUMNS = f"""
ALTER TABLE tthc.observations {_added(OBSERVED)};
ALTER TABLE tthc.dossiers {_added(OBSERVED)}, {_added(HISTORY)};
COMMENT ON COLUMN tthc.dossiers.asked_at IS
    'when the pull began that brought the latest observation: the state held is no older than that';
COMMENT ON COLUMN tthc.dossiers.underway_seen_at IS
    'when we first saw the dossier past registration: with a reception, or in a status other than 1';
COMMENT ON COLUMN tthc.dossiers.open_seen_at IS 'of an ended dossier: the last instant at which we know it was open';
COMMENT ON COLUMN tthc.dossiers.due_previous IS 'the promise before its latest move; while there is none, the one taken away';
COMMENT ON COLUMN tthc.dossiers.due_unmoved_at IS 'the last instant at which we know the promise had not moved yet';
COMMENT ON COLUMN tthc.dossiers.due_moved_at IS 'when we first saw the promise moved';
COMMENT ON COLUMN tthc.dossiers.due_moves IS 'moves of the promise that we saw; one taken away counts as long as it is not put back as it was';
COMMENT ON COLUMN tthc.dossiers.supplement_unseen_at IS
    'the last instant at which we know that the latest spell of status 5 (supplement) had not begun';
COMMENT ON COLUMN tthc.dossiers.supplement_spells IS 'requests for supplements that we saw, by status or by claim';
COMMENT ON COLUMN tthc.dossiers.earlier_waits IS 'answered waits for supplements before the latest request';
COMMENT ON COLUMN tthc.dossiers.obligation_seen_at IS
    'when we first saw the latest spell of status 6 (financial obligation)';
COMMENT ON COLUMN tthc.dossiers.obligation_left_at IS 'when we first saw that spell over';
COMMENT ON COLUMN tthc.dossiers.vanished_seen_at IS
    'when the source, asked for all it has open, no longer listed the dossier for the second time';
ALTER TABLE tthc.sources ADD COLUMN provides text[] NOT NULL DEFAULT '{{}}';
COMMENT ON COLUMN tthc.sources.provides IS 'optional columns that the source fills, as it is configured';
"""

MISSING = """
CREATE TABLE tthc.missing (dossier_id bigint PRIMARY KEY, first_missed_at timestamptz NOT NULL);
COMMENT ON TABLE tthc.missing IS
    'open dossiers that a source which lists all it has open did not list; missed again, a dossier has vanished if nothing else explains it';
CREATE TABLE tthc.pending_dossiers (dossier_id bigint PRIMARY KEY);
COMMENT ON TABLE tthc.pending_dossiers IS
    'dossiers to judge though no observation was added: the source no longer lists them, or lists them again';
CREATE INDEX dossiers_open ON tthc.dossiers (source_id) WHERE end_seen_at IS NULL;
ALTER TABLE tthc.pull_runs ADD COLUMN asked_at timestamptz;
COMMENT ON COLUMN tthc.pull_runs.asked_at IS
    'of a good pull that listed all dossiers the source has open: the instant as of which it did; else null';
"""

DOSSIERS = f"""
CREATE OR REPLACE VIEW audit.dossiers AS
SELECT d.dossier_id, s.name AS source, d.source_key, d.code, d.kind,
       d.procedure_code, p.name AS procedure_name,
       coalesce(d.sector_code, p.sector_code) AS sector_code, se.name AS sector_name,
       d.unit_code, u.name AS unit_name, d.receiving_unit_code, d.channel,
       d.status, st.name AS status_name, d.source_status, d.step_code, d.step_name,
       d.submitted_at, d.received_at, d.competent_received_at,
       d.due_first AS due_original, d.due_current,
       d.finished_at, d.delivered_at, coalesce(d.finished_at, d.delivered_at, d.end_seen_at) AS ended_at,
       d.supplement_requested_at, d.supplement_completed_at, d.supplement_count, d.source_verdict,
       d.first_seen_at, d.changed_at, d.status_seen_at, d.end_seen_at, d.observation_id,
       {", ".join(f"d.{name}" for name in OBSERVED)},
       {", ".join(f"d.{name}" for name in SHOWN)}
FROM tthc.dossiers d
JOIN tthc.sources s USING (source_id)
LEFT JOIN tthc.statuses st ON st.status = d.status
LEFT JOIN tthc.units u ON u.unit_code = d.unit_code
LEFT JOIN tthc.procedures p ON p.procedure_code = d.procedure_code
LEFT JOIN tthc.sectors se ON se.sector_code = coalesce(d.sector_code, p.sector_code);
"""
OBSERVATIONS = f"""
CREATE OR REPLACE VIEW audit.observations AS
SELECT o.observation_id, o.dossier_id, s.name AS source, o.seen_at, o.code, o.status, o.source_status, o.unit_code,
       o.procedure_code, o.received_at, o.due_original, o.due_current, o.finished_at, o.delivered_at,
       o.supplement_requested_at, o.supplement_completed_at, o.supplement_count, o.step_code, o.step_name,
       encode(o.content_hash, 'hex') AS content_hash,
       {", ".join(f"o.{name}" for name in OBSERVED)}
FROM tthc.observations o JOIN tthc.sources s USING (source_id);
"""

BACKFILL = """
CREATE TEMP TABLE told ON COMMIT DROP AS
WITH seen AS (
    SELECT o.dossier_id, o.observation_id, o.seen_at, o.status, o.received_at, o.due_current, o.supplement_requested_at,
           (o.status IN (3, 7, 8, 9, 10)) IS TRUE OR coalesce(o.finished_at, o.delivered_at) IS NOT NULL AS has_ended,
           lag(o.status) OVER history AS status_before, lag(o.due_current) OVER history AS due_before,
           lag(o.observation_id) OVER history AS before,
           max(o.observation_id) FILTER (WHERE o.due_current IS NOT NULL) OVER (PARTITION BY o.dossier_id) AS promised
    FROM tthc.observations o WINDOW history AS (PARTITION BY o.dossier_id ORDER BY o.observation_id)
), promise AS (
    SELECT dossier_id, observation_id, seen_at, due_current,
           lag(due_current) OVER (PARTITION BY dossier_id ORDER BY observation_id) AS due_before
    FROM seen WHERE due_current IS NOT NULL
), moved AS (
    SELECT dossier_id, observation_id, seen_at, due_before FROM promise WHERE due_current <> due_before
    UNION ALL -- taken away, and not given again
    SELECT dossier_id, observation_id, seen_at, due_before FROM seen WHERE due_current IS NULL AND before = promised
), move AS (
    SELECT DISTINCT ON (dossier_id) dossier_id, due_before, seen_at, count(*) OVER (PARTITION BY dossier_id)
    FROM moved ORDER BY dossier_id, observation_id DESC
)
SELECT s.dossier_id, m.due_before AS due_previous, m.seen_at AS due_moved_at,
       least(coalesce(m.count, 0), 32767)::smallint AS due_moves,
       min(s.seen_at) FILTER (WHERE s.received_at IS NOT NULL OR s.status <> 1) AS underway_seen_at,
       greatest(
           least(count(*) FILTER (WHERE s.status = 5 AND s.status_before IS DISTINCT FROM 5), 32767),
           CASE WHEN bool_or(s.supplement_requested_at IS NOT NULL) THEN 1 ELSE 0 END
       )::smallint AS supplement_spells,
       max(s.seen_at) FILTER (WHERE s.status = 6 AND s.status_before IS DISTINCT FROM 6) AS obligation_seen_at,
       max(s.seen_at) FILTER (WHERE s.status IS DISTINCT FROM 6 AND s.status_before = 6 AND NOT s.has_ended)
           AS obligation_left_at
FROM seen s LEFT JOIN move m USING (dossier_id)
GROUP BY s.dossier_id, m.due_before, m.seen_at, m.count;
UPDATE tthc.dossiers d SET
    underway_seen_at = t.underway_seen_at, supplement_spells = t.supplement_spells, due_previous = t.due_previous,
    due_moved_at = t.due_moved_at, due_moves = t.due_moves, obligation_seen_at = t.obligation_seen_at,
    obligation_left_at = CASE WHEN t.obligation_left_at > t.obligation_seen_at THEN t.obligation_left_at END
FROM told t WHERE t.dossier_id = d.dossier_id;
"""
"""Of what pulls made before, nobody kept as of when they tell the state, nor which wait a request replaced: those
columns stay empty until something new is seen. Doubtful cases are left out, never made up.
"""

SCRIPTS: tuple[str, ...] = (COLUMNS, MISSING, DOSSIERS, OBSERVATIONS, BACKFILL)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
