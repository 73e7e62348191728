"""Migrations stand in one line, numbered: what is newest is told by the names of the files alone."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.house.files import ROOT
from tthc_monitor.store import migrate


def test_the_newest_number_is_what_alembic_migrates_to() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic"))
    scripts = ScriptDirectory.from_config(config)
    assert migrate.head() == scripts.get_current_head()


def test_every_migration_follows_the_one_numbered_before_it() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic"))
    line = [(script.revision, script.down_revision) for script in ScriptDirectory.from_config(config).walk_revisions()]
    numbers = sorted(path.name.partition("_")[0] for path in (ROOT / "alembic" / "versions").glob("*.py"))
    assert [revision for revision, _ in reversed(line)] == numbers
    assert [before for _, before in reversed(line)] == [None, *numbers[:-1]]
