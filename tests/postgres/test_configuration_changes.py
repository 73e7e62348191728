"""Who changed the configuration: on record once, before work begins by it, and without a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from pydantic import BaseModel, SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from connectors.registry import connector_class
from rules.loader import load_packs
from tests.end_to_end.program import run
from tests.house.files import ROOT
from tests.postgres.test_ledger import query
from tthc_monitor import judging
from tthc_monitor.configuration import author, configuration
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.domain.procedure_catalogue import ProcedureEntry
from tthc_monitor.domain.units import UnitRegister, UnitVersion
from tthc_monitor.evaluate import Order, evaluate
from tthc_monitor.installation import Installation
from tthc_monitor.settings import Settings, load_settings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.frozen import freeze
from tthc_monitor.store.procedures import record_procedures
from tthc_monitor.store.units import save_register

NOW = datetime(2026, 11, 3, 3, tzinfo=UTC)
BEFORE: dict[str, Any] = {
    "rules": {"packs": ["core", "own.yaml"]},
    "digest": {"at": "07:30", "recipients": [{"address": "a.nguyen@example.gov.vn"}]},
    "smtp": {
        "host": "mail.example.gov.vn",
        "username": "giamsat",
        "password": "hoa-mai",
        "sender": "giamsat@example.gov.vn",
    },
    "sources": [
        {"name": "so", "kind": "files", "every": "10m", "options": {"path": "a.csv", "columns": {"source_key": "Mã"}}}
    ],
}
PACK = """
pack: own
rules:
  - {code: soon, kind: due_soon, title: t, severity: info, legal_basis: b, within_working_hours: 24}
"""


@pytest.fixture(autouse=True)
def nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TTHC_PERSON", raising=False)


class Office:
    """An office whose configuration is changed between starts of the program."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.written: dict[str, Any] = json.loads(json.dumps(BEFORE))
        (folder / "own.yaml").write_text(PACK, encoding="utf-8")

    def settings(self) -> Settings:
        path = self.folder / "tthc-monitor.yaml"
        path.write_text(yaml.safe_dump(self.written, allow_unicode=True), encoding="utf-8")
        return load_settings(path)

    def start(self, person: str | None = None) -> list[tuple[Any, ...]]:
        """Start the program; gives what was put on record by it."""
        before = query(self.engine, "SELECT coalesce(max(change_id), 0) FROM audit.configuration_changes")[0]
        settings = self.settings()
        rules = load_packs(settings.rules.packs, settings.base_dir)
        Installation(settings, self.engine, rules, lambda: NOW, self.folder).record_configuration(person)
        return query(
            self.engine,
            "SELECT what, path, old_value, new_value FROM audit.configuration_changes WHERE change_id > :before"
            " ORDER BY what, path",
            before=before,
        )


@pytest.fixture
def office(engine: Engine, tmp_path: Path) -> Office:
    office = Office(engine, tmp_path)
    office.start()
    return office


def test_the_first_start_records_all_of_it_and_the_next_nothing(engine: Engine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path)
    first = {(what, path): (old, new) for what, path, old, new in office.start()}
    assert all(old is None for old, _ in first.values())
    assert first["settings", "sources[so].every"] == (None, "10m")
    assert first["settings", "smtp.password"] == (None, "(secret)")
    assert first["settings", "digest.recipients[a***@example.gov.vn].address"] == (None, "a***@example.gov.vn")
    assert "2026-09-02" in first["calendar", "days_off[2026-09-02]"][1]
    assert first["rules", "soon"][1] == load_packs(("core", "own.yaml"), tmp_path)[-1].fingerprint()
    assert {what for what, _ in first} == {"settings", "calendar", "rules", "program"}
    assert office.start() == []
    assert query(engine, "SELECT count(*) FROM tthc.configuration_changes") == [4]


def test_a_changed_setting_is_one_row_with_both_values_and_who(office: Office) -> None:
    office.written["digest"]["at"] = "08:00"
    assert office.start("Nguyễn Văn A") == [("settings", "digest.at", "07:30", "08:00")]
    told = query(
        office.engine,
        "SELECT person, account, login = session_user, program_version, now() - changed_at < '1 minute'"
        " FROM audit.configuration_changes ORDER BY change_id DESC LIMIT 1",
    )
    assert told == [("Nguyễn Văn A", author().account, True, "0.1.0", True)]
    assert office.start() == []


def test_the_person_is_told_by_the_environment_or_is_the_account(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = "SELECT person FROM audit.configuration_changes ORDER BY change_id DESC LIMIT 1"
    assert query(office.engine, last) == [author().account]
    assert re.fullmatch(r"[^@]+@[^@]+", author().account)
    monkeypatch.setenv("TTHC_PERSON", "Trần Thị B")
    monkeypatch.setenv("USER", "ai-do")
    office.written["report"] = {"day": 5}
    assert office.start() == [("settings", "report.day", "1", "5")]
    assert query(office.engine, last) == ["Trần Thị B"]
    assert "ai-do" not in author().account, "what a shell says of itself proves nothing"


def test_a_changed_secret_is_told_as_changed_and_nothing_more(office: Office) -> None:
    office.written["smtp"]["password"] = "hoa-dao"
    assert office.start() == [("settings", "smtp.password", "(secret)", "(secret, changed)")]
    assert office.start() == []
    office.written["smtp"]["password"] = "hoa-mai"
    assert office.start() == [("settings", "smtp.password", "(secret)", "(secret, changed)")]
    kept = str(query(office.engine, "SELECT t::text FROM tthc.configuration_changes t"))
    assert "hoa-" not in kept


def test_another_recipient_is_seen_although_both_addresses_are_masked(office: Office) -> None:
    office.written["digest"]["recipients"] = [{"address": "an.tran@example.gov.vn"}]
    path = "digest.recipients[a***@example.gov.vn].address"
    assert office.start() == [("settings", path, "a***@example.gov.vn", "a***@example.gov.vn (changed)")]
    office.written["digest"]["recipients"] += [{"address": "a.le@example.gov.vn", "units": ["H99.05"]}]
    added = office.start()
    assert ("settings", f"{path} (2)", None, "a***@example.gov.vn") in added
    kept = str(query(office.engine, "SELECT t::text FROM tthc.configuration_changes t"))
    assert not re.search(r"an\.tran|a\.le|a\.nguyen", kept)


def test_a_rule_pack_of_the_office_is_on_record_by_fingerprint(office: Office) -> None:
    path = office.folder / "own.yaml"
    path.write_text(PACK + "# chú thích\n", encoding="utf-8")
    ((what, item, old, new),) = office.start()
    assert (what, item) == ("rules", "packs[own.yaml]") and old != new and new.startswith("sha256 ")
    path.write_text(PACK.replace("24", "16"), encoding="utf-8")
    assert [row[:2] for row in office.start()] == [("rules", "packs[own.yaml]"), ("rules", "soon")]
    office.written["rules"]["packs"] = ["core"]
    gone = {row[:2]: row[3] for row in office.start()}
    assert gone["rules", "soon"] is None and gone["settings", "rules.packs"] == '["core"]'


def test_a_source_added_or_removed_and_its_order_change_only_what_is_its_own(office: Office) -> None:
    other = {"name": "an", "kind": "files", "options": {"path": "b.csv", "columns": {"source_key": "Mã"}}}
    office.written["sources"].insert(0, other)
    added = office.start()
    assert added and all(path.startswith("sources[an].") and old is None for _, path, old, _ in added)
    office.written["sources"].reverse()
    assert office.start() == []
    office.written["sources"] = [one for one in office.written["sources"] if one["name"] == "so"]
    assert all(path.startswith("sources[an].") and new is None for _, path, _, new in office.start())


def test_a_day_off_of_the_calendar_is_one_row(office: Office) -> None:
    office.written["calendar"] = {"name": "x", "zone": "Asia/Ho_Chi_Minh", "week": {"mon": [["08:00", "12:00"]]}}
    office.start()
    office.written["calendar"]["days_off"] = [{"date": "2026-12-07", "name": "Bão"}]
    ((what, path, old, new),) = office.start()
    assert (what, path, old, json.loads(new)) == (
        "calendar",
        "days_off[2026-12-07]",
        None,
        {"date": "2026-12-07", "name": "Bão"},
    )


def test_the_key_of_applicants_is_told_when_it_is_another(office: Office) -> None:
    key = office.folder / "applicant.key"
    key.write_bytes(b"k" * 32)
    office.written["applicant_key_file"] = "applicant.key"
    assert [row[1] for row in office.start()] == ["applicant_key", "applicant_key_file"]
    key.write_bytes(b"l" * 32)
    assert office.start() == [("settings", "applicant_key", "(secret)", "(secret, changed)")]


def test_each_key_of_applicants_is_told_when_it_is_another(office: Office) -> None:
    first, second = (office.folder / name for name in ("a.key", "b.key"))
    first.write_bytes(b"k" * 32)
    second.write_bytes(b"m" * 32)
    office.written["applicant_keys"] = [{"file": "a.key"}, {"file": "b.key", "id": "2027", "from": "2027-01-01"}]
    assert {"applicant_key[a.key]", "applicant_key[2027]"} <= {row[1] for row in office.start()}
    second.write_bytes(b"n" * 32)
    assert office.start() == [("settings", "applicant_key[2027]", "(secret)", "(secret, changed)")]


def test_whatever_judges_or_pulls_puts_the_configuration_on_record_first(office: Office) -> None:
    office.written["report"] = {"day": 7}
    settings = office.settings()
    installation = Installation(
        settings, office.engine, load_packs(("core",), office.folder), lambda: NOW, office.folder
    )
    judging.refresh(installation)
    latest = (
        "SELECT new_value FROM audit.configuration_changes WHERE path = 'report.day' ORDER BY change_id DESC LIMIT 1"
    )
    assert query(office.engine, latest) == ["7"]


def test_of_processes_that_start_at_once_one_records(office: Office, database_address: str) -> None:
    office.written["report"] = {"day": 9}
    office.written["database"] = {"url": database_address}
    office.settings()
    with ThreadPoolExecutor(2) as pool:
        for ran in pool.map(lambda _: run("evaluate", cwd=office.folder), range(2)):
            ran.good()
    found = query(
        office.engine,
        "SELECT path, new_value FROM audit.configuration_changes WHERE old_value = '1' OR path LIKE 'database%'",
    )
    assert sorted(found) == [("database.port", "0"), ("database.url", "(secret)"), ("report.day", "9")]


def test_the_record_cannot_be_changed_and_its_time_and_login_are_the_servers(office: Office) -> None:
    for statement in (
        "UPDATE tthc.configuration_changes SET person = 'x'",
        "DELETE FROM tthc.configuration_changes",
        "TRUNCATE tthc.configuration_changes",
    ):
        with pytest.raises(DBAPIError) as caught, transaction(office.engine) as connection:
            # Even with the rights of the owner.
            connection.execute(text(f"SET LOCAL ROLE NONE; {statement}"))
        assert isinstance(caught.value.orig, psycopg2.errors.RaiseException)
    with transaction(office.engine) as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.configuration_changes (changed_at, login, person, account, program_version, what,"
                " fingerprint, changes, state) VALUES ('2020-01-01', 'ai', 'x', 'x', '0', 'settings', 'x', '[{}]', '{}')"
            )
        )
    stamped = (
        "SELECT login = session_user, changed_at > '2026-01-01' FROM tthc.configuration_changes WHERE person = 'x'"
    )
    assert query(office.engine, stamped) == [(True, True)]


# -- secrets of the reference configuration ----------------------------------------------------------------------------


REFERENCE = ROOT / "examples" / "tthc-monitor.yaml"
PLANTED = "Tuyệt mật {}: \"hoa\" & '/'"


def planted(part: Any, model: Any, secrets: list[str]) -> Any:
    """The settings with every secret written out that the models know of."""
    if isinstance(part, list):
        return [planted(one, model, secrets) for one in part]
    if not isinstance(part, dict):
        return part
    found = {}
    for name, value in part.items():
        if (name.endswith("_env") and name != "token_env") or (name == "token_env" and "kind" in part):
            secrets.append(PLANTED.format(len(secrets)))
            found[name.removesuffix("_env")] = secrets[-1]
        else:
            found[name] = planted(value, model, secrets)
    return found


def secret_values(part: Any) -> Iterator[str]:
    if isinstance(part, SecretStr):
        yield part.get_secret_value()
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from secret_values(getattr(part, name))
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from secret_values(value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from secret_values(value)


def test_no_secret_of_the_reference_configuration_is_ever_kept(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "tuyet-mat-thu")
    secrets: list[str] = []
    written = planted(yaml.safe_load(REFERENCE.read_text(encoding="utf-8")), None, secrets)
    written["database"] = {"url": "postgresql://tthc:tuyet-mat-db@db.example.gov.vn/tthc"}
    http = written["sources"][0]["options"]
    http |= {"proxy": "http://proxy.example.gov.vn:3128", "proxy_username": "u", "proxy_password": "tuyet-mat-proxy"}
    rest = next(one for one in written["sources"] if one["kind"] == "rest")["options"]
    rest |= {"headers": {"X-Don-Vi": "tuyet-mat-dau"}, "params": {"apikey": "tuyet-mat-hoi", "loai": f"x{secrets[0]}"}}
    path = tmp_path / "tthc-monitor.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    settings = load_settings(path)
    options = [connector_class(one.kind).Options.model_validate(one.options) for one in settings.sources]
    typed = set(secret_values([settings, *options]))
    assert set(secrets) < typed and len(secrets) >= 4
    assert len(typed) >= len(secrets) + 3, "password of the mail server, address of the database, proxy"

    installation = Installation(settings, engine, load_packs(("core",), tmp_path), lambda: NOW, tmp_path)
    installation.record_configuration()
    kept = str(query(engine, "SELECT t::text FROM tthc.configuration_changes t"))
    decoded = json.dumps(query(engine, "SELECT state FROM tthc.configuration_changes"), ensure_ascii=False)
    views = str(query(engine, "SELECT old_value, new_value, path FROM audit.configuration_changes"))
    for secret in (*typed, "tuyet-mat"):
        for form in (secret, json.dumps(secret, ensure_ascii=False)[1:-1], secret.replace("\\", "\\\\")):
            assert form not in kept and form not in decoded and form not in views, secret
    assert not re.search(r"vanphong@|lanhdao@|giamsat@", kept)
    assert "motcua.example.gov.vn" in kept and "SELECT id, ma_ho_so" in kept, "what is no secret is told"


def test_options_that_are_wrong_are_on_record_too_without_their_secrets(office: Office) -> None:
    office.written["sources"][0] |= {"kind": "khong-co", "options": {"auth": {"password": "tuyet-mat"}, "x": 1}}
    assert ("settings", "sources[so].options.auth.password", None, "(secret)") in office.start()


def test_it_is_flat_and_names_every_part(office: Office) -> None:
    found = configuration(office.settings(), ())
    assert set(found["settings"]) >= {
        "serve.port",
        "time_limits.policy.clock_model",
        "sources[so].options.columns.source_key",
    }


# -- views ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["configuration_changes", "changes_by_people"])
def test_every_column_says_what_it_is_in_both_languages(engine: Engine, view: str) -> None:
    comments = query(
        engine,
        "SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a"
        " WHERE a.attrelid = to_regclass(:view) AND a.attnum > 0",
        view=f"audit.{view}",
    )
    assert len(comments) >= 7
    for name, comment in [
        *comments,
        (view, query(engine, "SELECT obj_description(to_regclass(:v))", v=f"audit.{view}")[0]),
    ]:
        assert comment is not None and len(comment.split(" | ")) == 2, name


def test_one_list_tells_everything_that_people_changed_and_where_to_look(office: Office) -> None:
    engine = office.engine
    with transaction(engine) as connection:
        unit = UnitVersion("H99.01", "Sở Mẫu", "department")
        save_register(
            connection,
            UnitRegister((), ()),
            UnitRegister((unit,), ()),
            file="don-vi.yaml",
            content=b"x",
            by="người đơn vị",
            now=NOW,
        )
        record_procedures(connection, [ProcedureEntry("1.000001", "Thủ tục mẫu")], NOW, "người thủ tục")
        connection.execute(
            text(
                "INSERT INTO tthc.time_limits (origin, procedure_code, amount, unit, extra_working_days, abolished,"
                " legal_basis, fingerprint, known_from, imported_by) VALUES ('office', '1.000001', 5, 'working_day', 0,"
                " false, 'QĐ', 'x', :now, 'người thời hạn')"
            ),
            {"now": NOW},
        )
    settings = office.settings()
    installation = Installation(settings, engine, load_packs(("core",), office.folder), lambda: NOW, office.folder)
    evaluate(engine, installation.grounds(), now=lambda: NOW, order=Order("người lệnh", "vì sao"))
    with transaction(engine) as connection:
        freeze(connection, calendar_month("2026-10", "Asia/Ho_Chi_Minh"), "người chốt", NOW)
    rows = query(engine, "SELECT person, what, change, look_in, look_for FROM audit.changes_by_people")
    told = {row[1]: row for row in rows}
    assert {what: row[0] for what, row in told.items()} == {
        "configuration": author().account, "units": "người đơn vị", "procedures": "người thủ tục",
        "time_limits": "người thời hạn", "recompute": "người lệnh", "frozen_period": "người chốt",
    }  # fmt: skip
    assert told["recompute"][2].startswith("vì sao") and told["units"][2] == "don-vi.yaml"
    for row in rows:
        assert query(engine, f"SELECT count(*) FROM audit.{row[3]} WHERE {row[4]}")[0] >= 1, row
