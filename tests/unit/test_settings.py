"""The configuration file: what is filled in, what is refused, and that nothing secret is shown."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.settings import RulesSettings, Settings, load_settings, shipped_calendar


def load(folder: Path, text: str) -> Settings:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def refused(folder: Path, text: str) -> list[str]:
    """The lines of the refusal, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return str(caught.value).replace(f"{folder}/", "").split("\n")


def test_an_empty_mapping_gives_every_default(tmp_path: Path) -> None:
    settings = load(tmp_path, "{}")
    assert settings.zone == "Asia/Ho_Chi_Minh"
    assert (settings.rules.packs[0], len(settings.rules.packs)) == ("core", 8)
    assert (settings.rules.packs, settings.sources, settings.smtp) == (RulesSettings().packs, (), None)
    assert (settings.serve.host, settings.serve.port) == ("127.0.0.1", 9766)
    assert (settings.digest.transport, settings.report.day) == ("none", 1)
    assert settings.base_dir == tmp_path


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
data_dir: data
database: {url: postgresql://a:b@c/d}
sources:
  - {name: mot-cua, kind: files, every: 30s, max_reject_share: 0.5, min_rows: 7, options: {path: x.csv}}
  - {name: hai, kind: opencps}
smtp: {host: mail, sender: a@b.vn, username: u, password_file: p}
digest: {at: "06:45", transport: smtp, recipients: [{address: x@y.vn, units: [H99.01]}]}
report: {day: 28, at: "23:59"}
""",
    )
    first, second = settings.sources
    assert (first.every, first.max_reject_share, first.min_rows) == (timedelta(seconds=30), 0.5, 7)
    assert (second.every, second.options) == (timedelta(minutes=10), {})
    assert settings.source("hai") is second
    assert settings.options_of(first).data == {"path": "x.csv"}
    assert settings.options_of(second).data == {}
    assert settings.options_of(second).line(()) == 6
    assert settings.digest.recipients[0].units == ("H99.01",)


def test_a_source_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    settings = load(tmp_path, "sources: [{name: mot, kind: files}, {name: hai, kind: files}]")
    with pytest.raises(ConfigError, match=r"no source 'ba' in .*x\.yaml; the sources are: mot, hai"):
        settings.source("ba")
    with pytest.raises(ConfigError, match="the sources are: none"):
        load(tmp_path, "{}").source("ba")


# -- environment variables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${THU_A}", "một"),
        ("x${THU_A}y${THU_A}", "xmộtymột"),
        ("${THU_A:-khác}", "một"),
        ("${THU_NONE:-khác}", "khác"),
        ("${THU_NONE:-}", ""),
        ("${THU_EMPTY:-khác}", "khác"),
        ("${THU_EMPTY}", ""),
        ("${THU_NONE:-a:-b}", "a:-b"),
        ("$THU_A {THU_A} $$ ${} ${1A}", "$THU_A {THU_A} $$ ${} ${1A}"),
    ],
)
def test_variables_are_filled_in_as_a_shell_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, value: str
) -> None:
    monkeypatch.setenv("THU_A", "một")
    monkeypatch.setenv("THU_EMPTY", "")
    monkeypatch.delenv("THU_NONE", raising=False)
    assert load(tmp_path, f"report: {{office: '{written}'}}").report.office == value


def test_variables_are_filled_in_everywhere_and_become_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THU_PORT", "8123")
    monkeypatch.setenv("THU_PATH", "/a b/{c}.csv")
    settings = load(
        tmp_path,
        "serve: {port: '${THU_PORT}'}\nsources: [{name: a, kind: files, options: {deep: [{path: '${THU_PATH}'}]}}]\n"
        "calendar: ${THU_NONE:-vn}\n",
    )
    assert settings.serve.port == 8123
    assert settings.options_of(settings.sources[0]).data == {"deep": [{"path": "/a b/{c}.csv"}]}


def test_a_value_is_taken_as_it_is_and_never_read_as_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THU_A", "x}\nserve: {port: 1}\n# ${THU_A}")
    settings = load(tmp_path, "report: {office: '${THU_A}'}")
    assert settings.report.office == "x}\nserve: {port: 1}\n# ${THU_A}"


def test_all_variables_that_are_not_set_are_told_with_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THU_1", raising=False)
    monkeypatch.delenv("THU_2", raising=False)
    assert refused(tmp_path, "data_dir: ${THU_1}\nreport:\n  office: x ${THU_2} ${THU_1}\n") == [
        "x.yaml:1: environment variable THU_1 is not set; set it, or write ${THU_1:-default}",
        "x.yaml:3: environment variable THU_2 is not set; set it, or write ${THU_2:-default}",
        "x.yaml:3: environment variable THU_1 is not set; set it, or write ${THU_1:-default}",
    ]


# -- what is refused ------------------------------------------------------------------------------------------------


def test_every_problem_is_told_at_once_each_at_its_line(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        """\
data_dirr: x
serve:
  port: 65536
  hots: a
sources:
  - name: a
    kind: files
    every: soon
  - kind: files
digest:
  at: 7 o'clock
""",
    )
    assert len(lines) == 6
    assert [line for line in lines if line.startswith("x.yaml:1: unknown key 'data_dirr'")]
    assert [line for line in lines if line.startswith("x.yaml:3: 'serve.port'") and "65535" in line]
    assert [line for line in lines if line.startswith("x.yaml:4: unknown key 'serve.hots'")]
    assert [line for line in lines if line.startswith("x.yaml:8: 'sources.0.every': 'soon' is not a period; write")]
    assert [line for line in lines if line.startswith("x.yaml:9: key 'sources.1.name' is missing; add it")]
    assert [line for line in lines if line.startswith("x.yaml:11: 'digest.at'")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serve: {port: 1}\nserve: {port: 2}", "x.yaml:2: key 'serve' stands already on line 1"),
        ("a: [", "x.yaml:1: not valid YAML"),
        ("- a", "x.yaml:1: the file is not a mapping"),
        ("", "x.yaml:1: the file is not a mapping"),
        ("words", "x.yaml:1: the file is not a mapping"),
        ("serve:\n  port: 1\nbase_dir: /", "x.yaml:3: unknown key 'base_dir'"),
        ("document: {}", "x.yaml:1: unknown key 'document'"),
        ("serve: {port: -1}", "x.yaml:1: 'serve.port'"),
        ("database: {port: 70000}", "x.yaml:1: 'database.port'"),
        ("serve: {port: http}", "x.yaml:1: 'serve.port'"),
        ("report: {day: 29}", "x.yaml:1: 'report.day'"),
        ("report: {day: 0}", "x.yaml:1: 'report.day'"),
        ("report: {at: '24:00'}", "x.yaml:1: 'report.at'"),
        ("report: {at: 6:30}", "x.yaml:1: 'report.at'"),
        ("digest: {at: '7:30'}", "x.yaml:1: 'digest.at'"),
        ("digest: {recipients: [{address: nobody}]}", "x.yaml:1: 'digest.recipients.0.address'"),
        ("digest: {transport: pigeon}", "x.yaml:1: 'digest.transport'"),
        ("digest: {transport: smtp}", "digest.transport is smtp, but there is no smtp part"),
        ("smtp: {host: a, sender: b, password: c, password_file: d}", "either password or password_file"),
        ("smtp: {host: a, sender: b, username: c}", "username needs a password"),
        ("sources: [{name: Ồ, kind: files}]", "x.yaml:1: 'sources.0.name'"),
        ("sources: [{name: a, kind: b}, {name: a, kind: b}]", "source 'a' stands twice; rename one"),
        ("sources: [{name: a, kind: b, max_reject_share: 1.1}]", "x.yaml:1: 'sources.0.max_reject_share'"),
        ("sources: [{name: a, kind: b, min_rows: -1}]", "x.yaml:1: 'sources.0.min_rows'"),
        ("rules: {packs: []}", "x.yaml:1: 'rules.packs'"),
        ("calendar: xx", "calendar 'xx' is not shipped; use vn, a path ending in .yaml, or write it out"),
        ("calendar: nowhere.yaml", "nowhere.yaml does not exist"),
        ("calendar: 5", "x.yaml:1: 'calendar'"),
        ("calendar:\n  zone: UTC\n  week: {}", "x.yaml:1: key 'calendar.name' is missing"),
        ("calendar: {name: a, zone: Asia/Hanoi, week: {mon: [['08:00', '09:00']]}}", "Asia/Hanoi"),
        ("calendar: {name: a, zone: UTC, week: {mon: [[13:00, 14:00]]}}", "write it in quotes"),
        ("calendar: {name: a, zone: UTC, week: {mon: [['09:00', '08:00']]}}", "x.yaml:1: "),
        ("calendar: {name: a, zone: UTC, week: {monday: [['08:00', '09:00']]}}", "x.yaml:1: "),
        (
            "calendar:\n  name: a\n  zone: UTC\n  week: {mon: [['08:00', '09:00']]}\n  days_off:\n    - 20260102\n",
            "x.yaml:6: ",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_wrong_is_refused(tmp_path: Path, text: str, said: str) -> None:
    lines = refused(tmp_path, text)
    assert [line for line in lines if said in line], lines
    assert all(";" in line or ":" in line for line in lines)


@pytest.mark.parametrize("period", ["", "10", "m", "0m", "-1m", "1.5h", "10 minutes", "1w", "P1D", "1h30m", "10M", 600])
def test_what_is_no_period_is_refused_with_examples(tmp_path: Path, period: str | int) -> None:
    (line,) = refused(tmp_path, f"sources:\n  - name: a\n    kind: b\n    every: {period!r}\n")
    assert line.startswith("x.yaml:4: 'sources.0.every': ")
    assert line.endswith("is not a period; write a number and a unit, such as 30s, 10m, 6h or 1d")


@pytest.mark.parametrize(
    ("period", "seconds"), [("30s", 30), ("10m", 600), ("6h", 21_600), ("1d", 86_400), ("5 m", 300)]
)
def test_periods_are_a_number_and_a_unit(tmp_path: Path, period: str, seconds: int) -> None:
    settings = load(tmp_path, f"sources: [{{name: a, kind: b, every: {period}}}]")
    assert settings.sources[0].every == timedelta(seconds=seconds)


@pytest.mark.parametrize("period", ["9999999999d", "99999999999999999999999h"])
def test_a_period_beyond_all_time_is_refused_and_not_a_crash(tmp_path: Path, period: str) -> None:
    assert "is not a period" in refused(tmp_path, f"sources: [{{name: a, kind: b, every: {period}}}]")[0]


@pytest.mark.parametrize("port", [0, 1, 65535])
def test_the_ports_that_there_are(tmp_path: Path, port: int) -> None:
    assert load(tmp_path, f"serve: {{port: {port}}}").serve.port == port


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml does not exist; name the configuration with --config FILE"):
        load_settings(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("office: Hà".encode("latin-1"))
    with pytest.raises(ConfigError, match="make it a readable UTF-8 file"):
        load_settings(tmp_path / "latin.yaml")


# -- calendars ------------------------------------------------------------------------------------------------------


def test_a_calendar_may_be_shipped_in_a_file_or_written_out(tmp_path: Path) -> None:
    own = "name: own\nzone: UTC\nweek: {mon: [['08:00', '09:00']]}\n"
    (tmp_path / "own.yaml").write_text(own, encoding="utf-8")
    from_file = load(tmp_path, "calendar: own.yaml").calendar
    written = load(tmp_path, "calendar: {name: own, zone: UTC, week: {mon: [['08:00', '09:00']]}}").calendar
    assert from_file == written
    assert load(tmp_path, "calendar: vn").calendar.compile().is_workday(date(2026, 1, 10))


def test_a_problem_in_a_calendar_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\nzone: UTC\nweekz: {}\n", encoding="utf-8")
    lines = refused(tmp_path, "calendar: own.yaml")
    assert [line for line in lines if line.startswith("own.yaml:3: unknown key 'weekz'")]


def test_an_unknown_shipped_calendar_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"calendar '\.\./packs/core' is not shipped; use vn"):
        shipped_calendar("../packs/core")


# -- secrets --------------------------------------------------------------------------------------------------------


def test_nothing_secret_is_shown_when_settings_are_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THU_PASSWORD", "bi-mat-3")
    settings = load(
        tmp_path,
        """
database: {url: "postgresql://a:bi-mat-1@c/d"}
smtp: {host: mail, sender: a@b.vn, username: u, password: bi-mat-2}
sources: [{name: a, kind: opencps, options: {username: x, password: "${THU_PASSWORD}"}}]
""",
    )
    for shown in (repr(settings), str(settings), repr(settings.sources[0]), f"{settings.smtp}", f"{settings.document}"):
        assert "bi-mat" not in shown
    assert settings.options_of(settings.sources[0]).data["password"] == "bi-mat-3"


@pytest.mark.parametrize(
    "text",
    [
        "database: {url: [bi-mat]}",
        "database: {url: {password: bi-mat}}",
        "smtp: {host: a, sender: b, username: c, password: [bi-mat]}",
        "smtp: {host: a, sender: b, password: bi-mat, password_file: bi-mat}",
        "smtp: {host: a, password: bi-mat}",
    ],
)
def test_a_refusal_does_not_repeat_a_secret(tmp_path: Path, text: str) -> None:
    assert "bi-mat" not in "\n".join(refused(tmp_path, text))
