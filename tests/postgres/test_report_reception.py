"""What came online and was not answered in time stands with what came online; where nothing watches it, no number does."""

from __future__ import annotations

from sqlalchemy import Engine, text

from tests.postgres.seed import CALENDAR, NOW, Dossier, at, seed
from tests.postgres.test_report import OCTOBER
from tthc_monitor.outputs.report import build_report
from tthc_monitor.outputs.report_reception import Reception
from tthc_monitor.report_settings import ReportSettings


def sent(code: str, unit: str, day: str, channel: str = "online") -> Dossier:
    """Submitted, and received by nobody."""
    return Dossier(code, unit, "1.000001", None, None, status=1, channel=channel, submitted=at(day))


TOLD = [
    sent("1", "H99.01", "2026-10-05"),
    sent("2", "H99.01", "2026-10-06"),
    sent("3", "H99.02", "2026-10-07"),
    # Its eight hours end in November; of September; handed in at the desk.
    sent("4", "H99.02", "2026-10-30"),
    sent("5", "H99.02", "2026-09-07"),
    sent("6", "H99.02", "2026-10-08", channel="direct"),
]


def october(engine: Engine, units: list[str] | None = None) -> Reception:
    with engine.connect() as connection:
        report = build_report(connection, OCTOBER, NOW, CALENDAR, settings=ReportSettings(), units=units)
    [found] = [topic for topic in report.topics if isinstance(topic, Reception)]
    return found


def test_late_receptions_are_a_part_of_what_was_submitted_online(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, TOLD)
    found = october(engine)
    words = found.words()
    assert (words["cham_tiep_nhan"], words["nop_truc_tuyen"], str(words["ty_le_cham_tiep_nhan"])) == (3, 4, "75.00")
    assert words["gio_tiep_nhan"] == "8"
    rows = found.tables()[0].rows
    assert rows[["unit_code", "submitted_online", "acknowledged_late"]].to_numpy().tolist() == [
        ["H99.01", 2, 2],
        ["H99.02", 2, 1],
    ]
    assert words["nguon_so_lieu"] == ["mau"] and words["trich_xuat_luc"] == "08 giờ 00 ngày 03/11/2026"
    own = october(engine, ["H99.02"]).words()
    assert (own["cham_tiep_nhan"], own["nop_truc_tuyen"]) == (1, 2)


def test_without_the_rule_it_is_not_watched(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, TOLD)
        others = "ARRAY(SELECT rule_version_id FROM tthc.rule_versions WHERE rule_code <> 'acknowledged_late')"
        connection.execute(text(f"UPDATE tthc.evaluations SET rule_version_ids = {others}"))
    found = october(engine)
    words = found.words()
    assert not words["theo_doi_cham_tiep_nhan"]
    assert {words["cham_tiep_nhan"], words["ty_le_cham_tiep_nhan"]} == {"không theo dõi"}
    assert found.tables()[0].rows.empty and found.tables()[0].empty.startswith("Không theo dõi")
