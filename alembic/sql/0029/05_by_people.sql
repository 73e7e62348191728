-- Other migrations have added to this view: it is extended as it stands.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW audit.changes_by_people AS '
        || rtrim(pg_get_viewdef('audit.changes_by_people'::regclass), '; ' || chr(10))
        || $view$
    UNION ALL
    SELECT i.imported_at, i.imported_by, 'published_figures', i.publisher || ' ' || i.month || ': ' || i.file,
           i.row_count::bigint, 'published_imports', 'published_import_id = ' || i.published_import_id
    FROM tthc.published_imports i
    UNION ALL
    SELECT r.issued_at, r.person, 'issued_report', concat_ws(' ', nullif(r.number, ''), p.month),
           (SELECT count(*) FROM tthc.issued_files f WHERE f.issued_report_id = r.issued_report_id), 'issued_reports',
           'issued_report_id = ' || r.issued_report_id
    FROM tthc.issued_reports r JOIN tthc.frozen_periods p USING (frozen_period_id)$view$;
END $$;
