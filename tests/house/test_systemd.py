"""The units of systemd: systemd itself reads them, their commands exist, and they agree with the program and each other."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.house.cli_tree import problem_with
from tests.house.files import ROOT
from tthc_monitor import scheduler
from tthc_monitor.settings import load_settings

FOLDER = ROOT / "examples" / "systemd"
UNITS = sorted(path.name for path in FOLDER.iterdir())
SERVICES = [name for name in UNITS if name.endswith(".service")]
LASTING = ["tthc-monitor-web.service", "tthc-monitor-worker@.service", "tthc-monitor.service"]
PROGRAM = "/opt/tthc-monitor/bin/tthc-monitor"
HANDBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def lines(name: str) -> list[tuple[str, str]]:
    """Keys and values of a unit, in order; comments left out."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [(key, value) for key, value in re.findall(r"^(\w+)=(.*)$", text, flags=re.MULTILINE)]


def values(name: str, key: str) -> list[str]:
    return [value for found, value in lines(name) if found == key]


def examined(folder: Path, *arguments: str) -> tuple[int, str]:
    """What systemd says to the units in a folder; nothing is started, and no manager need run."""
    done = subprocess.run(
        ["systemd-analyze", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """The units, with a program that is there instead of ours, which systemd would look for."""
    for name in UNITS:
        text = (FOLDER / name).read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_there_is_one_for_each_way_to_run_it() -> None:
    assert ["tthc-monitor-backup.service", "tthc-monitor-backup.timer", *LASTING] == UNITS
    assert all(f"`{name}`" in HANDBOOK for name in UNITS), "docs/operations.md must name each"


def test_systemd_finds_nothing_wrong_with_them(installed: Path) -> None:
    assert examined(installed, "verify", "--man=no", *(f"./{name}" for name in UNITS)) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("ProtectSystem=strict", "ProtectSytem=strict", "Unknown key"),
        ("Restart=on-failure", "Restart=on-fail", "Failed to parse"),
        ("TimeoutStopSec=75", "TimeoutStopSec=long", "Failed to parse"),
        ("SystemCallFilter=@system-service", "SystemCallFilter=@no-such", "(?i)unknown|failed"),
        ("ExecStart=/bin/true", "ExecStart=/bin/no-such", "not executable"),
    ],
)
def test_systemd_notices_what_would_be_wrong(installed: Path, old: str, new: str, told: str) -> None:
    path = installed / "tthc-monitor.service"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert re.search(told, examined(installed, "verify", "--man=no", f"./{path.name}")[1])


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_calls_its_exposure_small(installed: Path, name: str) -> None:
    """Of ten; what remains is that it speaks to networks, starts programs and reads the machine's files."""
    code, told = examined(installed, "security", "--offline=true", "--threshold=20", "--no-pager", f"./{name}")
    assert code == 0, told
    loose = re.sub(r"(?m)^(ProtectSystem|CapabilityBoundingSet|SystemCallFilter|NoNewPrivileges)=.*$", "", told)
    assert loose
    path = installed / name
    path.write_text(re.sub(r"(?m)^(Protect|System|Capab|Restrict|NoNew).*$", "", path.read_text("utf-8")), "utf-8")
    assert examined(installed, "security", "--offline=true", "--threshold=20", "--no-pager", f"./{name}")[0] != 0


def test_all_are_held_to_the_same() -> None:
    held = [
        [
            line
            for line in lines(name)
            if re.match("Protect|Private|Restrict[A-Z](?!tart)|SystemCall|NoNew|Cap", line[0])
        ]
        for name in SERVICES
    ]
    assert len(held[0]) > 15
    assert all(one == held[0] for one in held)


@pytest.mark.parametrize("name", SERVICES)
def test_every_command_exists(name: str) -> None:
    for key in ("ExecStartPre", "ExecStart"):
        for value in values(name, key):
            words = shlex.split(value.replace("%%", "%").replace("$$", "$"))
            if words[0] == "/bin/sh":
                words = shlex.split(words[2].removeprefix("exec "))
            assert words[0] == PROGRAM, value
            assert problem_with(words[1:]) is None, value
    assert values(name, "ExecStart")


def test_the_service_is_given_the_time_that_it_takes_to_end() -> None:
    for name in LASTING:
        (seconds,) = values(name, "TimeoutStopSec")
        assert int(seconds) >= scheduler._PATIENCE_SECONDS + 20
        # A signal to all would end the embedded PostgreSQL below its jobs.
        assert values(name, "KillMode") == ["mixed"]
        # Exit code 2 is that of ConfigError; docs/exit-codes.md.
        assert (values(name, "Restart"), values(name, "RestartPreventExitStatus")) == (["on-failure"], ["2"])


def test_passwords_come_from_files_that_the_service_need_not_be_able_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration of docs/operations.md, as the service would read it: credentials and variables of the units."""
    for name in SERVICES:
        assert not re.search("password|secret", " ".join(values(name, "Environment")), re.IGNORECASE)
        assert "/etc/tthc-monitor/environment" in values(name, "EnvironmentFile")[0]
    (config,) = re.findall(r"```yaml\n(# /etc/tthc-monitor/tthc-monitor\.yaml\n.*?)```", HANDBOOK, flags=re.DOTALL)
    named = set(re.findall(r"\$\{CREDENTIALS_DIRECTORY(?::-[^}]*)?\}/([a-z-]+)", config))
    loaded = {value.partition(":")[0] for value in values("tthc-monitor.service", "LoadCredential")}
    assert named == loaded
    for variable in set(re.findall(r"\$\{(\w+)\}", config)) - {"CREDENTIALS_DIRECTORY"}:
        assert f"\n{variable}=" in HANDBOOK, f"the handbook must say what {variable} is"
        monkeypatch.setenv(variable, "postgresql://a@b/c")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("TTHC_PORT", "9767")
    file = tmp_path / "x.yaml"
    file.write_text(config, encoding="utf-8")
    settings = load_settings(file)
    assert settings.smtp is not None and settings.smtp.password_file == f"{tmp_path}/smtp-password"
    assert settings.serve.port == 9767, "each worker takes a port of its own"
    state = yaml.safe_load(config)["data_dir"]
    assert all(values(name, "StateDirectory") == [state.removeprefix("/var/lib/")] for name in SERVICES)


def test_backups_are_made_at_night_and_old_ones_go_after_new_ones() -> None:
    name = "tthc-monitor-backup.service"
    (start,), (after,) = values(name, "ExecStart"), values(name, "ExecStartPost")
    folder = "/var/backups/tthc-monitor"
    assert f"{folder}/tthc-$$(date " in start and after.startswith(f"/usr/bin/find {folder} ")
    assert values(name, "ReadWritePaths") == [folder]
    (when,) = values("tthc-monitor-backup.timer", "OnCalendar")
    assert examined(FOLDER, "calendar", when)[0] == 0
