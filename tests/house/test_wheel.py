"""The wheel is whole: what a checkout has at hand by accident must be inside it.

The wheel is installed into a fresh environment outside the checkout. Its dependencies are not fetched again: a ``.pth``
file puts this environment's packages on the path behind it. Python does not read the ``.pth`` files of a folder that was
added so, which means that the editable install of the checkout cannot be seen from there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house.files import ROOT, relative, repository_files

PACKAGES = ("tthc_monitor", "connectors", "rules")


def run(command: list[str | Path], folder: Path) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TTHC_", "COV_"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-5000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def outside() -> Iterator[Path]:
    """A folder outside the checkout that the database's user may enter when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="tthc-wheel-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def wheel(outside: Path) -> Path:
    """The wheel, built as `make wheel` builds it."""
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", outside / "dist", ROOT], outside)
    (built,) = (outside / "dist").glob("*.whl")
    return built


def test_the_wheel_has_everything_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = next(name for name in names if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
    wanted = {
        name for path in repository_files() if (name := relative(path)).startswith(tuple(f"{p}/" for p in PACKAGES))
    }
    migrations = {
        f"tthc_monitor/_{name}" for path in repository_files() if (name := relative(path)).startswith("alembic/")
    }
    inside = {name for name in names if not name.startswith(f"{info}/")}
    assert wanted <= inside, sorted(wanted - inside)
    assert migrations <= inside, sorted(migrations - inside)
    assert inside <= wanted | migrations, sorted(inside - wanted - migrations)
    assert {f"{info}/licenses/LICENSE", f"{info}/entry_points.txt"} <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    for kind in (
        "rules/packs/",
        "rules/calendars/",
        "tthc_monitor/outputs/templates/",
        "tthc_monitor/monitoring/grafana/dashboards/",
        "tthc_monitor/monitoring/grafana/provisioning/datasources/",
        "tthc_monitor/monitoring/runbooks.md",
        "tthc_monitor/monitoring/prometheus/alerts.yml",
        "tthc_monitor/monitoring/alertmanager/templates/tthc.tmpl",
        "tthc_monitor/_alembic/versions/",
    ):
        assert any(name.startswith(kind) for name in names), kind


def test_installed_outside_the_checkout_it_migrates_and_shows_itself(wheel: Path, outside: Path) -> None:
    home = outside / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python, program = home / "bin" / "python", home / "bin" / "tthc-monitor"
    run([sys.executable, "-m", "pip", "--python", python, "install", "-qq", "--no-deps", "--no-index", wheel], outside)
    packages = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], outside).strip())
    theirs = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (packages / "dependencies.pth").write_text("\n".join(theirs) + "\n", encoding="utf-8")

    where = run(
        [
            python,
            "-c",
            "import tthc_monitor, connectors, rules; print(*(m.__file__ for m in (tthc_monitor, connectors, rules)))",
        ],
        outside,
    )
    assert str(ROOT) not in where
    assert where.count(str(packages)) == len(PACKAGES)

    (outside / "tthc-monitor.yaml").write_text("data_dir: data\n", encoding="utf-8")
    assert "database at migration " in run([program, "db", "upgrade"], outside)
    files = outside / "shown"
    run([program, "demo", "--once", "--out", files, "--data-dir", outside / "demo"], outside)
    for name in ("metrics.txt", "digest.html", "report.xlsx"):
        assert (files / name).stat().st_size > 0, name
