"""Views that answer inspectors: lateness by three due instants, timelines, what was moved, asked again or back-dated.

The SQL stands in ``alembic/sql/0016``, in order; the comments of all columns of schema audit in ``comments.yaml`` there.

``audit.dossiers`` gets ``due_lawful`` only. Verdict and lateness stand beside it, in ``audit.dossier_lateness``: the verdict
is defined by ``audit.verdicts_as_of``, which reads ``audit.dossiers``, so that a verdict in there would be defined by itself;
and metrics, mails and reports, which read it, ask for no lateness and shall not pay for it.

What only history tells is looked up in the ledger dossier by dossier, by its primary key. A question about one dossier, or
one unit, never reads what the ledger holds of others. A window over the whole ledger would be as fast for one dossier named by
its id, but read everything for one named by its number.
"""

from pathlib import Path

import yaml
from sqlalchemy import text

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).resolve().parents[1] / "sql" / "0016"

# A column of the ledger, how a change of it is called, and its value as text.
_LOCAL = "to_char({0}.{1} AT TIME ZONE 'Asia/Ho_Chi_Minh', 'YYYY-MM-DD HH24:MI:SS')"
_PLAIN = "{0}.{1}::text"
_STATUS = (
    "coalesce((SELECT s.status || ' ' || s.name FROM tthc.statuses s WHERE s.status = {0}.status), {0}.source_status)"
)
INSTANTS = {
    "submitted_at": "Nộp hồ sơ",
    "postmarked_at": "Dấu bưu điện",
    "received_at": "Tiếp nhận",
    "competent_received_at": "Cơ quan có thẩm quyền tiếp nhận",
    "transferred_at": "Chuyển xử lý",
    "due_original": "Ngày hẹn trả đầu tiên",
    "due_current": "Ngày hẹn trả",
    "step_started_at": "Bắt đầu bước xử lý",
    "step_due_at": "Hạn của bước xử lý",
    "supplement_requested_at": "Yêu cầu bổ sung",
    "supplement_completed_at": "Hoàn thành bổ sung",
    "obligation_requested_at": "Yêu cầu nghĩa vụ tài chính",
    "obligation_completed_at": "Hoàn thành nghĩa vụ tài chính",
    "consulted_at": "Lấy ý kiến",
    "consulted_due_at": "Hạn trả lời ý kiến",
    "consulted_answered_at": "Trả lời ý kiến",
    "stop_requested_at": "Người nộp đề nghị rút, dừng",
    "apology_at": "Văn bản xin lỗi",
    "result_at": "Ngày văn bản kết quả",
    "finished_at": "Kết thúc xử lý",
    "delivered_at": "Trả kết quả",
    "published_at": "Công bố trả lời",
    "first_step_at": "Bước đầu tiên hoàn thành",
    "last_step_at": "Bước gần nhất hoàn thành",
}
"""Of these the value is the claimed instant; a due instant lies in the future and claims none."""
FUTURE = ("due_original", "due_current", "step_due_at", "consulted_due_at")
OTHERS = {
    "procedure_code": "Thủ tục",
    "sector_code": "Lĩnh vực",
    "receiving_unit_code": "Đơn vị tiếp nhận",
    "unit_code": "Đơn vị giải quyết",
    "channel": "Kênh nộp",
    "step_name": "Bước xử lý",
    "step_unit_code": "Đơn vị của bước",
    "consulted_unit_code": "Đơn vị được lấy ý kiến",
    "supplement_count": "Số lần yêu cầu bổ sung",
    "reappointment_count": "Số lần hẹn lại",
    "steps_done": "Số bước đã xong",
    "source_verdict": "Kết luận của hệ thống nguồn",
}


def _entry(place: int, column: str, title: str, value: str, claimed: str = "NULL::timestamptz") -> str:
    before, now = value.format("(h.p)", column), value.format("h", column)
    return f"({place}, '{column}', '{title}', (h.p).{column} IS DISTINCT FROM h.{column}, {claimed}, {before}, {now})"


def _entries() -> str:
    first = "(-1, 'first_seen', 'Lần đầu thấy hồ sơ', h.p IS NULL, NULL::timestamptz, NULL::text, h.source_status)"
    status = (
        "(0, 'status', 'Trạng thái', ((h.p).status, (h.p).source_status) IS DISTINCT FROM (h.status, h.source_status), "
        f"NULL::timestamptz, {_STATUS.format('(h.p)')}, {_STATUS.format('h')})"
    )
    instants = [
        _entry(place, column, title, _LOCAL, "NULL::timestamptz" if column in FUTURE else f"h.{column}")
        for place, (column, title) in enumerate(INSTANTS.items(), start=1)
    ]
    others = [
        _entry(place, column, title, _PLAIN)
        for place, (column, title) in enumerate(OTHERS.items(), start=len(INSTANTS) + 1)
    ]
    return ",\n            ".join([first, status, *instants, *others])


ABSENCES = {
    "missed": "Không có trong danh sách của nguồn",
    "left_out": "Nằm ngoài phạm vi lấy dữ liệu mới",
    "listed": "Có lại trong danh sách của nguồn",
    "vanished": "Không còn trong hệ thống nguồn",
    "back": "Xuất hiện trở lại",
    "erased": "Đã xóa thông tin chi tiết theo thời hạn lưu trữ",
}
"""What no observation tells: events of the ledger."""


def _absences() -> str:
    first = len(INSTANTS) + len(OTHERS) + 1
    return ", ".join(f"({place}, '{event}', '{name}')" for place, (event, name) in enumerate(ABSENCES.items(), first))


TIMELINE = f"""
CREATE VIEW audit.timeline AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, t.observation_id, t.seen_before, t.seen_at, t.claimed_at,
       t.event, t.event_name, t.from_value, t.to_value, t.at_first_sight, t.place
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT h.observation_id, h.seen_before, h.seen_at, e.claimed_at, e.event, e.event_name, e.from_value, e.to_value,
           h.p IS NULL AS at_first_sight, e.place
    FROM (
        SELECT o.*, lag(o) OVER history AS p, lag(o.seen_at) OVER history AS seen_before
        FROM tthc.observations o WHERE o.dossier_id = d.dossier_id
        WINDOW history AS (ORDER BY o.observation_id)
    ) h
    CROSS JOIN LATERAL (
        VALUES
            {_entries()}
    ) AS e (place, event, event_name, changed, claimed_at, from_value, to_value)
    WHERE e.changed
    UNION ALL
    SELECT (SELECT max(o.observation_id) FROM tthc.observations o WHERE o.dossier_id = d.dossier_id AND o.seen_at <= b.seen_at),
           NULL, b.seen_at, NULL, e.event, n.event_name, NULL, NULL, false, n.place
    FROM tthc.ledger_events e
    JOIN tthc.observation_batches b USING (batch_id)
    JOIN (VALUES {_absences()}) n (place, event, event_name) USING (event)
    WHERE e.dossier_id = d.dossier_id
) t;
COMMENT ON VIEW audit.timeline IS
    'Mọi việc đã thấy của một hồ sơ, theo thứ tự thấy (observation_id, place): thời điểm nguồn ghi bên cạnh thời điểm thấy, từ '
    'gì thành gì; lọc theo dossier_id hoặc code | Everything that we saw happen to a dossier: claimed beside seen, from what to what';
"""

COLUMNS = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
  AND col_description(c.oid, a.attnum) IS NULL
"""


def comment_columns() -> None:
    """Give every column of schema audit that has none its comment: that of the view's own column, else of the name."""
    known = yaml.safe_load((FOLDER / "comments.yaml").read_text(encoding="utf-8"))
    for view, column in op.get_bind().execute(text(COLUMNS)).all():
        comment = known.get(f"{view}.{column}", known.get(column))
        if comment is not None:
            op.execute(text(f"COMMENT ON COLUMN audit.{view}.{column} IS {_literal(comment)}".replace(":", "\\:")))


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def upgrade() -> None:
    for script in sorted(FOLDER.glob("*.sql")):
        op.execute(script.read_text(encoding="utf-8"))
    op.execute(TIMELINE)
    comment_columns()


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
