"""A dossier for every rule, staged as a source would tell of it: through connector, ledger, projection and facts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from sqlalchemy import Engine, text

from rules.model import Example, Rule
from tests.unit.test_rule_examples import RULES
from tthc_monitor.demo import run_demo, staging
from tthc_monitor.demo.run import MADE_UP_PAST
from tthc_monitor.domain.facts import facts_frame
from tthc_monitor.domain.stopping import Stop
from tthc_monitor.domain.unit_successors import unit_as_now
from tthc_monitor.installation import Installation, open_installation
from tthc_monitor.settings import load_settings
from tthc_monitor.simulator.catalogue import PROCEDURES
from tthc_monitor.simulator.office_hours import ZONE
from tthc_monitor.simulator.showcase import stage
from tthc_monitor.simulator.stories import Story, local
from tthc_monitor.store import judgements
from tthc_monitor.store.database import transaction
from tthc_monitor.store.units import read_register
from tthc_monitor.verification import verify

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BEFORE = datetime(2026, 10, 18, 9, 0, tzinfo=UTC)
"""Sunday, 18 October 2026: some stories are over, others are not."""

OTHER_UNITS = {"unit_code", "receiving_unit_code", "step_unit_code", "consulted_unit_code"}
"""Units of the examples that the simulated province has too: the register has units of its own in their place."""
OTHERWISE = {
    # The register is looked at between the example's two instants, and still says what it said at the first.
    ("due_moved_after_due", "due_unmoved_at"),
    ("finish_backdated", "open_seen_at"),
    # Serial number 7 alone would be a gap; these rules ask for the day only.
    ("reception_later_than_number", "number_serial"),
    ("number_date_differs", "number_serial"),
}
"""Facts that differ from the example's, each without consequence for what is found."""

Found = dict[tuple[str, str], list[tuple[datetime, datetime | None]]]


@pytest.fixture
def installation(tmp_path: Path, database_address: str) -> Iterator[Installation]:
    (tmp_path / "key").write_text("0123456789abcdef" * 4, encoding="ascii")
    settings = {
        "database": {"url": database_address},
        "data_dir": ".",
        "applicant_key_file": "key",
        "sources": staging.source_settings(),
    }
    path = tmp_path / "tthc-monitor.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    with open_installation(load_settings(path), now=lambda: NOW) as opened:
        yield opened


@pytest.fixture
def told(installation: Installation) -> list[Story]:
    found = staging.stories(installation.settings.rules.packs)
    staging.import_catalogues(installation, found)
    return found


def first_flagged(rule: Rule) -> Example:
    return next(example for example in rule.examples if example.flagged is not None)


def findings(engine: Engine) -> Found:
    """Intervals by source key and rule."""
    query = """
        SELECT d.source_key, f.rule_code, f.starts_at, nullif(f.ends_at, 'infinity') AS ends_at
        FROM audit.flags f JOIN audit.dossiers d USING (dossier_id) WHERE f.believed_to IS NULL
    """
    found: Found = {}
    with transaction(engine) as connection:
        for row in connection.execute(text(query)):
            found.setdefault((row.source_key, row.rule_code), []).append((row.starts_at, row.ends_at))
    return found


def facts(engine: Engine) -> pd.DataFrame:
    """Facts by source key."""
    with transaction(engine) as connection:
        loaded = facts_frame(judgements.load_facts(connection, "SELECT dossier_id FROM tthc.dossiers"))
        rows = connection.execute(text("SELECT dossier_id, source_key FROM audit.dossiers"))
        keys = {row.dossier_id: row.source_key for row in rows}
    return loaded.set_index(loaded["dossier_id"].map(keys))


def observations(engine: Engine) -> int:
    with transaction(engine) as connection:
        number: int = connection.execute(text("SELECT count(*) FROM audit.observations")).scalar_one()
    return number


def test_every_rule_finds_in_its_dossier_what_its_example_says(installation: Installation, told: list[Story]) -> None:
    assert {story.rule for story in told} == {rule.code for rule in RULES} == {rule.code for rule in installation.rules}
    played = staging.play(installation, told)
    assert not played.left_out
    found = findings(installation.engine)
    for rule in RULES:
        flagged = first_flagged(rule).flagged
        assert flagged is not None
        since = local(flagged.since)
        assert found.get((rule.code, rule.code)) == [(since, local(flagged.until))], rule.code
    about_numbers = {"number_gap", "number_date_differs", "reception_later_than_number"}
    assert {key for key, rule in found if rule in about_numbers} <= about_numbers, "others have no number to speak of"

    before = observations(installation.engine)
    assert staging.play(installation, told).scenes == 0, "a folder may be kept"
    assert observations(installation.engine) == before
    assert findings(installation.engine) == found


def test_the_facts_that_came_in_are_those_of_the_examples(installation: Installation, told: list[Story]) -> None:
    staging.play(installation, told)
    came = facts(installation.engine)
    different = set()
    for member in (member for story in told for member in story.members()):
        for name, value in member.facts.items():
            if name in OTHER_UNITS or name == "due_lawful":  # a unit of the register; derived, and judged above
                continue
            got: Any = came.loc[member.source_key, name]
            wanted: Any = value
            if isinstance(got, pd.Timestamp) or pd.isna(got):
                wanted = pd.Timestamp(value, tz="UTC") if name == "number_day" else local(value)
                got = None if pd.isna(got) else got
            if got != wanted:
                different.add((member.source_key, name))
    assert different == OTHERWISE


def test_stories_that_are_not_over_are_left_out_and_said(installation: Installation, told: list[Story]) -> None:
    early = replace(installation, now=lambda: BEFORE)
    played = staging.play(early, told)
    assert {"bulk_closing", "vanished", "petition_handled_late"} <= set(played.left_out)
    keys = {story.rule for story in told} - set(played.left_out)
    assert {"overdue", "due_moved_after_due", "finish_backdated"} <= keys
    found = findings(installation.engine)
    assert all((key, key) in found for key in keys)
    assert not any(key in played.left_out for key, _ in found)
    with transaction(installation.engine) as connection:
        assert connection.scalar(text("SELECT max(seen_at) FROM audit.observations")) <= BEFORE


def test_before_all_stories_there_is_an_empty_register_to_pull(installation: Installation, told: list[Story]) -> None:
    long_ago = replace(installation, now=lambda: datetime(2026, 1, 5, tzinfo=UTC))
    played = staging.play(long_ago, told)
    assert played.scenes == 0
    assert len(played.left_out) == len(told)
    for source in long_ago.settings.sources:
        pages = list(long_ago.connector(source).fetch(None))
        assert sum(long_ago.connector(source).normalise(page).rows_read for page in pages) == 0


def test_the_register_of_units_knows_a_district_that_was_merged_away(
    installation: Installation, told: list[Story]
) -> None:
    with transaction(installation.engine) as connection:
        register = read_register(connection)
        names = {story.unit_code: story.unit_name for story in told}
    assert unit_as_now(register, "H99.20", NOW.date()).successor_code == "H99.101", "it has the largest share"
    assert {code: register.versions_of(code)[-1].name for code in names} == names


def test_scenes_come_in_order_and_say_the_same_each_time(told: list[Story]) -> None:
    staged = stage(told, NOW)
    instants = [scene.at for scene in staged.scenes]
    assert instants == sorted(set(instants))
    assert max(instants) <= NOW
    assert stage(told, NOW) == staged
    first = staged.scenes[-1].dossiers[0]
    assert datetime.fromisoformat(first["received_at"]).utcoffset() == datetime.now(ZONE).utcoffset()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL may enter though it does not run as root."""
    made = Path(tempfile.mkdtemp(prefix="tthc-tests-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_the_demo_shows_a_dossier_for_every_rule_whose_story_is_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_demo(once=True, out=folder / "out", data_dir=folder, port=0, stop=Stop())
    assert MADE_UP_PAST in capsys.readouterr().err
    with open_installation(load_settings(folder / "tthc-monitor.yaml")) as installation:
        verdict = verify(installation.engine)
        assert verdict.sound
        assert [told for told in verdict.notices if "after their source was seen" in told], "as the summary says"
        found = findings(installation.engine)
        told = staging.stories(installation.settings.rules.packs)
        assert {story.rule for story in told} == {rule.code for rule in RULES}
        over = {story.rule for story in told} - set(stage(told, installation.now()).left_out)
        assert {rule for key, rule in found if key == rule} == over
        about_numbers = {"number_gap", "number_date_differs", "reception_later_than_number"}
        ordinary = {key for key, rule in found if rule in about_numbers} - about_numbers
        assert not ordinary, "ordinary dossiers have sound numbers"
        with transaction(installation.engine) as connection:
            limits = connection.scalar(text("SELECT count(*) FROM audit.time_limits"))
            assert limits >= len(PROCEDURES)
    digest = (folder / "out" / "digest.html").read_text("utf-8")
    assert "chưa lấy được dữ liệu mới" not in digest, "every source was asked just now"
