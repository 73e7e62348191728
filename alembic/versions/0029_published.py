"""What others published of a period, and reports that were issued: kept in versions, never changed.

The SQL stands in ``alembic/sql/0029``, in order. Three questions are answered from it without a copy of the dossiers: where
published figures differ from ours (``audit.period_differences`` says of each dossier by which way of counting), what was
issued (``audit.issued_reports``), and which dossiers stand in another column of the form now than when the period was
frozen (``audit.erratum_dossiers``, from what was seen and believed then).
"""

from pathlib import Path

from sqlalchemy import text

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).resolve().parents[1] / "sql" / "0029"

_PERIOD = {
    "from_at": ("Đầu kỳ", "first instant of the period"),
    "to_at": ("Thời điểm ngay sau kỳ", "first instant after the period"),
    "zone": ("Múi giờ của các ngày trong kỳ", "time zone of its days"),
    "month": ("Kỳ, ví dụ 2026-10", "the period, such as 2026-10"),
    "kind": ("Loại kỳ", "kind of period"),
}
_PUBLISHED = {
    **_PERIOD,
    "published_import_id": ("Số của lần nhập", "number of the import"),
    "publisher": ("Nơi công bố", "who published it"),
    "counted_by": (
        "Cách tính của nơi công bố: national_766 (Bộ chỉ số 766) hoặc ii06a (Biểu II.06a)",
        "the way its figures are counted by",
    ),
    "index_source": (
        "Thế hệ cổng, hệ thống; không so sánh số liệu qua hai thế hệ",
        "generation of the portal; figures of two are no series",
    ),
    "version": ("Lần nhập thứ mấy của nơi công bố và kỳ này", "which import of this publisher and period"),
    "in_force": ("Là lần nhập mới nhất", "whether it is the newest import"),
    "file": ("Tên tệp", "name of the file"),
    "file_hash": ("SHA-256 của tệp", "SHA-256 of the file"),
    "row_count": ("Số dòng", "rows"),
    "imported_at": ("Lúc nhập", "when it was imported"),
    "imported_by": ("Người nhập", "who imported it"),
    "recorded_at": ("Lúc ghi, theo đồng hồ máy chủ cơ sở dữ liệu", "when it was recorded, by the clock of the server"),
    "place": ("Vị trí trong tệp", "where it stands in the file"),
    "unit_code": ("Mã đơn vị", "code of the unit"),
    "unit_name": ("Tên đơn vị như đã công bố", "name of the unit as published"),
    "parent_code": ("Mã đơn vị cấp trên, số của nó gồm cả đơn vị này", "the unit whose figures include it"),
    "sector_code": ("Mã lĩnh vực; trống là mọi lĩnh vực", "code of the sector; null: all sectors"),
    "total_received": ("Tổng số hồ sơ đã công bố", "dossiers in all, as published"),
    "total_on_time": ("Đúng hạn đã công bố", "on time, as published"),
    "total_overdue": ("Quá hạn đã công bố", "overdue, as published"),
    "received_online": ("(4) Nhận trong kỳ: trực tuyến", "received online"),
    "received_direct": ("(5) Nhận trong kỳ: trực tiếp, bưu chính", "received otherwise"),
    "carried_over": ("(6) Từ kỳ trước", "carried over"),
    "finished_total": ("(7) Đã giải quyết", "finished"),
    "finished_early": ("(8) Đã giải quyết: trước hạn", "finished early"),
    "finished_on_time": ("(9) Đã giải quyết: đúng hạn", "finished on time"),
    "finished_late": ("(10) Đã giải quyết: quá hạn", "finished late"),
    "pending_total": ("(11) Đang giải quyết", "pending"),
    "pending_in_time": ("(12) Đang giải quyết: trong hạn", "pending in time"),
    "pending_overdue": ("(13) Đang giải quyết: quá hạn", "pending overdue"),
    "ratio_percent": ("Tỷ lệ đúng hạn đã công bố (%)", "share on time, as published"),
    "score": ("Điểm đã công bố", "score, as published"),
    "average_days": ("Số ngày giải quyết trung bình đã công bố", "average days, as published"),
}
_ISSUED = {
    **_PERIOD,
    "issued_report_id": ("Số của lần phát hành", "number of the issue"),
    "unit_codes": ("Các đơn vị được chọn; rỗng là toàn bộ", "units it is about; empty: all"),
    "subtree": ("Gồm cả đơn vị trực thuộc", "whether units below are included"),
    "units_as": ("Đơn vị như khi đó (then) hay như nay (now)", "units as then or as now"),
    "number": ("Số, ký hiệu văn bản", "number of the document"),
    "issued_at": ("Lúc phát hành", "when it was issued"),
    "person": ("Người phát hành", "who issued it"),
    "frozen_at": ("Lúc chốt số liệu", "when its figures were frozen"),
    "ledger_link": ("Mắt xích mới nhất của sổ cái khi đó", "newest link of the ledger then"),
    "ledger_head": ("Mã niêm phong sổ cái khi đó", "head of the ledger then"),
    "ruleset_fingerprint": ("Mã nhận dạng bộ quy tắc", "fingerprint of the rules"),
    "engine_version": ("Phiên bản bộ máy đánh giá", "version of the engine"),
    "calendar_version_id": ("Phiên bản lịch làm việc", "version of the calendar"),
    "limit_version_id": ("Phiên bản thời hạn giải quyết", "version of the time limits"),
    "units_hash": ("SHA-256 danh mục đơn vị", "SHA-256 of the register of units"),
    "template_hash": ("SHA-256 mẫu Word", "SHA-256 of the Word template"),
    "settings_hash": (
        "SHA-256 phần cấu hình về báo cáo, các tệp được nêu trong đó, nguyên nhân và số liệu công bố mới nhất đã nhập",
        "SHA-256 of the report's settings, of the files that they name, and of the newest causes and published figures "
        "that were imported",
    ),
    "program_version": ("Phiên bản chương trình", "version of the program"),
    "previous_digest": ("Mã của lần phát hành trước", "digest of the issue before"),
    "digest": (
        "Mã của lần phát hành: SHA-256 của dòng này, các tệp và lần phát hành trước",
        "SHA-256 over this row, its files and the issue before",
    ),
    "recorded_at": ("Lúc ghi, theo đồng hồ máy chủ cơ sở dữ liệu", "when it was recorded, by the clock of the server"),
    "name": ("Tên tệp", "name of the file"),
    "format": ("Định dạng", "format"),
    "size": ("Số byte", "bytes"),
    "sha256": ("SHA-256 của tệp", "SHA-256 of the file"),
}
VIEWS = {
    "published_imports": (
        ("Mỗi lần nhập số liệu do nơi khác công bố một dòng", "One row per import of figures that others published"),
        _PUBLISHED,
    ),
    "published_figures": (
        (
            "Số liệu do Cổng DVCQG, EMC, hệ thống một cửa công bố, mọi lần nhập; số đang dùng có in_force",
            "Figures that others published, every version; in_force marks those in use",
        ),
        _PUBLISHED,
    ),
    "issued_reports": (
        ("Mỗi báo cáo đã phát hành một dòng: kỳ, phạm vi, ai, lúc nào, từ dữ liệu nào", "One row per issued report"),
        _ISSUED,
    ),
    "issued_files": (
        ("Các tệp của báo cáo đã phát hành, không gồm nội dung", "Files of issued reports, without their content"),
        _ISSUED,
    ),
}
FUNCTIONS = {
    "period_differences": (
        "Hồ sơ của kỳ [from_at, to_at), của các đơn vị đã cho, mà các cách tính cho kết luận khác nhau tại cuối kỳ, kèm mã "
        "lý do như audit.verdict_differences",
        "What audit.verdict_differences says of the dossiers of a period and of some units, at the end of the period",
    ),
    "erratum_dossiers": (
        "Từng hồ sơ nay đứng ở cột khác của Biểu II.06a so với lúc chốt kỳ, kèm nguyên nhân; cộng lại bằng audit.errata",
        "Dossiers that stand in another column of form II.06a now than when the period was frozen, and why; their sums "
        "are those of audit.errata",
    ),
}
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = CAST('audit.' || :view AS regclass) AND attnum > 0 ORDER BY attnum"


def upgrade() -> None:
    for script in sorted(FOLDER.glob("*.sql")):
        # SQLAlchemy takes a colon for a parameter.
        op.execute(script.read_text(encoding="utf-8").replace(":", "\\:"))
    for view, (comment, columns) in VIEWS.items():
        _comment(f"VIEW audit.{view}", comment)
        for column in op.get_bind().scalars(text(_COLUMNS), {"view": view}).all():
            _comment(f"COLUMN audit.{view}.{column}", columns[column])
    for function, comment in FUNCTIONS.items():
        _comment(f"FUNCTION audit.{function}", comment)


def _comment(what: str, told: tuple[str, str]) -> None:
    written = " | ".join(told).replace("'", "''").replace(":", "\\:")
    op.execute(f"COMMENT ON {what} IS '{written}'")


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
