"""The key of applicants' hashes is changed: who is still listed is hashed anew, and repeat filings stay linked."""

from __future__ import annotations

import hmac
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import Engine

from rules.loader import load_packs
from tests.postgres.test_ledger import START, assert_chain_holds, query, record, take
from tthc_monitor.domain.applicant_keys import ApplicantKey, mark_of
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.evaluate import evaluate
from tthc_monitor.installation import Installation, applicant_key
from tthc_monitor.jobs import take_in
from tthc_monitor.settings import Settings, load_settings

FIRST, SECOND = b"khoa thu nhat, dai hon ba muoi hai byte", b"khoa thu hai, cung dai hon ba muoi hai byte"
CHANGE = datetime(2026, 3, 9, 17, 0, tzinfo=UTC)
"""Midnight of 10 March in Viet Nam."""
NUMBERS = {"X": "079000000001", "Y": "079000000001", "Z": "079000000002"}
CONFIG = """
applicant_keys:
  - {file: mot.key}
  - {file: hai.key, id: "2026", from: 2026-03-10}
sources:
  - name: so
    kind: files
    options:
      path: so.csv
      zone: Asia/Ho_Chi_Minh
      statuses: {"Đang xử lý": 4, "Trả lại": 8}
      columns:
        source_key: Mã
        unit_code: Đơn vị
        procedure_code: Thủ tục
        status: Trạng thái
        received_at: {column: Nhận, format: "%d/%m/%Y"}
        finished_at: {column: Xong, format: "%d/%m/%Y"}
        applicant_hash: Số định danh
"""


@pytest.fixture
def installation(engine: Engine, tmp_path: Path) -> Installation:
    (tmp_path / "x.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "mot.key").write_bytes(FIRST)
    (tmp_path / "hai.key").write_bytes(SECOND)
    settings = load_settings(tmp_path / "x.yaml")
    return Installation(settings, engine, load_packs(("core", "integrity"), tmp_path), lambda: START, tmp_path)


def at(installation: Installation, now: datetime) -> Installation:
    return replace(installation, now=lambda: now)


def pulled(installation: Installation, now: datetime, *rows: str) -> dict[str, str]:
    """Hashes by key, after a pull of a table with these rows that is judged."""
    head = "Mã,Đơn vị,Thủ tục,Trạng thái,Nhận,Xong,Số định danh"
    lines = [f"{row},{NUMBERS[row[0]]}" for row in rows]
    (installation.data_dir / "so.csv").write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    here = at(installation, now)
    take_in(here, installation.settings.sources[0])
    evaluate(installation.engine, here.grounds(), now=here.now)
    return dict(query(installation.engine, "SELECT source_key, applicant_hash FROM tthc.dossiers"))


def refiled(engine: Engine) -> list[tuple[Any, ...]]:
    return query(
        engine,
        "SELECT d.source_key, n.source_key FROM tthc.flags f JOIN tthc.rule_versions r USING (rule_version_id) "
        "JOIN tthc.dossiers d USING (dossier_id) "
        "JOIN tthc.dossiers n ON n.dossier_id = (f.evidence ->> 'refiled_dossier_id')::bigint "
        "WHERE r.kind = 'refiled' AND f.believed_to IS NULL ORDER BY 1",
    )


def digest(key: bytes, number: str) -> str:
    return hmac.new(key, number.lstrip("0").encode(), "sha256").hexdigest()


BACK = "X,H99.01,1.000001,Trả lại,02/03/2026,06/03/2026"
AGAIN = "Y,H99.01,1.000001,Đang xử lý,10/03/2026,"
OTHER = "Z,H99.01,1.000001,Đang xử lý,02/03/2026,"


def test_who_is_still_listed_is_hashed_anew_and_a_filing_after_the_change_is_linked(
    installation: Installation, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = installation.engine
    before = pulled(installation, CHANGE - timedelta(microseconds=1), BACK, OTHER)
    assert before == {"X": digest(FIRST, NUMBERS["X"]), "Z": digest(FIRST, NUMBERS["Z"])}
    count = query(engine, "SELECT count(*) FROM tthc.observations")[0]
    after = pulled(installation, CHANGE, BACK, OTHER, AGAIN)
    assert after == {key: "2026:" + digest(SECOND, number) for key, number in NUMBERS.items()}
    assert query(engine, "SELECT count(*) FROM tthc.observations")[0] == count + 3, "one observation a dossier"
    assert refiled(engine) == [("X", "Y")]
    # The former key may be destroyed: nobody asks for it any more.
    (installation.data_dir / "mot.key").unlink()
    assert pulled(installation, CHANGE + timedelta(days=1), BACK, OTHER, AGAIN) == after
    assert query(engine, "SELECT count(*) FROM tthc.observations")[0] == count + 3
    assert_chain_holds(engine)
    told = caplog.text + "".join(capfd.readouterr())
    assert not any(key.decode() in told or key.hex() in told for key in (FIRST, SECOND))


def test_what_was_found_before_the_change_stands_when_the_closed_one_is_no_longer_listed(engine: Engine) -> None:
    """By a source that lists dossiers under way only."""
    installation = Installation(
        load_settings_of("{}"), engine, load_packs(("core", "integrity"), Path()), lambda: START, Path()
    )

    def given(now: datetime, mark: str, *keys: str) -> None:
        fields: dict[str, dict[str, Any]] = {
            "X": {"status": 8, "finished_at": START + timedelta(days=1)},
            "Y": {"received_at": START + timedelta(days=2)},
            "Z": {"received_at": START + timedelta(days=2)},
        }
        filed = {"procedure_code": "1.000001", "unit_code": "H99.01", "applicant_hash": f"{mark}nguoi"}
        take(engine, *(record(key, **{**filed, **fields[key]}) for key in keys), at=now)
        evaluate(engine, installation.grounds(), now=lambda: now)

    given(START + timedelta(days=3), "", "X", "Y")
    assert refiled(engine) == [("X", "Y")]
    given(START + timedelta(days=4), "2026:", "Y")
    assert refiled(engine) == [("X", "Y")], "its hash is of the former key, and says nothing against it"
    evaluate(engine, installation.grounds(), now=lambda: START + timedelta(days=5), everything=True)
    assert refiled(engine) == [("X", "Y")]
    given(START + timedelta(days=6), "2026:", "X", "Y")
    assert refiled(engine) == [("X", "Y")]
    # Not the change of the key, but a correction of who filed: that does say something.
    take(engine, record("Y", procedure_code="1.000001", applicant_hash="2026:khac"), at=START + timedelta(days=7))
    evaluate(engine, installation.grounds(), now=lambda: START + timedelta(days=7))
    assert refiled(engine) == []


def load_settings_of(text: str) -> Settings:
    with TemporaryDirectory() as folder:
        (Path(folder) / "x.yaml").write_text(text, encoding="utf-8")
        return load_settings(Path(folder) / "x.yaml")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("applicant_key_file: a\napplicant_keys: [{file: b}]", "keep applicant_keys alone"),
        ("applicant_keys: [{file: a}, {file: b, id: x}]", "a later 'from'"),
        ("applicant_keys: [{file: a, from: 2026-03-02}, {file: b, id: x, from: 2026-03-01}]", "a later 'from'"),
        ("applicant_keys: [{file: a, id: x}, {file: b, id: x, from: 2026-03-01}]", "its own"),
        ("applicant_keys: [{file: a, id: 'Có dấu'}]", "id"),
        ("retention: {details: 700d}", "choose a longer period"),
    ],
)
def test_settings_that_make_no_sense_are_refused(written: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_settings_of(written)


def test_the_key_in_force_is_told_by_the_day_and_a_bad_file_by_name(installation: Installation) -> None:
    settings, micro = installation.settings, timedelta(microseconds=1)
    before, after = applicant_key(settings, CHANGE - micro), applicant_key(settings, CHANGE)
    assert before is not None and (bytes(before), mark_of(before)) == (FIRST, "")
    assert after is not None and (bytes(after), mark_of(after)) == (SECOND, "2026:")
    assert applicant_key(load_settings_of("applicant_keys: [{file: a, from: 2026-03-10}]"), CHANGE - micro) is None
    (installation.data_dir / "hai.key").write_bytes(b"ngan")
    with pytest.raises(ConfigError, match=r"hai\.key holds 4 bytes"):
        applicant_key(settings, CHANGE)
    (installation.data_dir / "hai.key").unlink()
    with pytest.raises(ConfigError, match=r"hai\.key cannot be read"):
        applicant_key(settings, CHANGE)


def test_a_key_never_shows_itself() -> None:
    key = ApplicantKey(SECOND, "2026")
    assert {repr(key), str(key), f"{key!s}", f"{key!r}"} == {"ApplicantKey('2026')"}
