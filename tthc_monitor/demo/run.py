"""One round of the demonstration, and what follows it until it is stopped."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import text

from tthc_monitor import jobs, outbox_digest, outbox_report
from tthc_monitor.demo import staging
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.domain.stopping import Stop
from tthc_monitor.installation import Installation, open_installation, system_clock
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.outputs.metrics import exposition
from tthc_monitor.scheduler import start_scheduler
from tthc_monitor.serving import WebServer, listen
from tthc_monitor.settings import load_settings
from tthc_monitor.simulator.server import SimulatedServer
from tthc_monitor.simulator.world import World
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import as_login, transaction
from tthc_monitor.terminal import Steps, console, steps
from tthc_monitor.web import make_app, scrape_settings

_SEED = 2026
_SECONDS_BETWEEN_EVENTS = 4.0
_SOURCE = "tinh-mau"
_AUDITOR = "kiem_toan"
_APPLICANT_KEY = "applicant.key"
QUERY = (
    "SELECT d.unit_name, count(*) FROM audit.verdicts_now v JOIN audit.dossiers d USING (dossier_id) "
    "WHERE v.verdict = 'open_overdue' GROUP BY 1 ORDER BY 2 DESC"
)


MADE_UP_PAST = (
    "tthc-monitor audit verify tells of links that were linked long after they were seen, for the demo makes up its past when "
    "it first starts"
)


@dataclass(frozen=True)
class Outputs:
    """The files that a demonstration leaves."""

    metrics: Path
    digest: Path
    report: Path


def run_demo(*, once: bool, out: Path | None, data_dir: Path | None, port: int, stop: Stop) -> None:
    """Pull, judge and show; then go on until ``stop`` is set, unless ``once``.

    Args:
        out: folder for the files; by default inside the data folder.
        data_dir: folder to keep; by default a new one that vanishes at the end.
        port: of the web pages; 0 takes a free one.

    Raises:
        ConfigError: a folder or port cannot be used.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(data_dir))
        with steps() as shown:
            with shown.step("starting a simulated one-stop system"):
                world = World(_SEED, _origin(folder), pace=_SECONDS_BETWEEN_EVENTS)
                simulated = stack.enter_context(SimulatedServer(world))
            settings = load_settings(_write_settings(folder, simulated, port))
            if not once:
                # A port in use is told now, not after the work.
                listen(settings.serve.host, settings.serve.port).close()
            with shown.step("starting PostgreSQL"):
                installation = stack.enter_context(
                    open_installation(settings, fast_and_unsafe=data_dir is None, stop=stop)
                )
            outputs = _first_round(installation, shown, _out_folder(out, folder))
        if once:
            _print_once(outputs, settings.document.file if data_dir is not None else None)
        else:
            _go_on(installation, outputs, stop)


def _first_round(installation: Installation, shown: Steps, out: Path) -> Outputs:
    source = installation.settings.source(_SOURCE)
    with shown.step("staging a dossier for every rule") as step:
        told = staging.stories(installation.settings.rules.packs)
        staging.import_catalogues(installation, told)
        played = staging.play(installation, told)
        step.rows(len(told) - len(played.left_out), len(told))
    if played.left_out:
        console.print(
            f"left out, for their stories are not over yet by this computer's clock: {', '.join(played.left_out)}",
            soft_wrap=True,
            highlight=False,
        )
    with shown.step("pulling dossiers over HTTP and judging them") as step:
        jobs.pull_source(installation, source, step.rows)
    outputs = Outputs(out / "metrics.txt", out / "digest.html", out / "report.xlsx")
    with shown.step("writing metrics, digest and report"):
        _write_outputs(installation, outputs)
    return outputs


def _write_outputs(installation: Installation, outputs: Outputs) -> None:
    outputs.metrics.write_bytes(exposition(installation.engine, scrape_settings(installation)))
    mail = outbox_digest.digest_mail(outbox_digest.digest_facts(installation), Audience())
    outputs.digest.write_text(mail.html, encoding="utf-8")
    local = installation.now().astimezone(ZoneInfo(installation.settings.zone))
    period = calendar_month(f"{local:%Y-%m}", installation.settings.zone)
    (written,) = outbox_report.monthly_report(installation, period, outputs.report.parent)
    written.replace(outputs.report)


def _print_once(outputs: Outputs, kept: Path | str | None) -> None:
    for name, path in (("metrics", outputs.metrics), ("digest", outputs.digest), ("report", outputs.report)):
        console.print(f"{name:8} {path}", soft_wrap=True, highlight=False)
    if kept is not None:
        console.print(f"explain  {_explain(kept)}", soft_wrap=True, highlight=False)
        console.print(f"verify   {MADE_UP_PAST}", soft_wrap=True, highlight=False)


def _explain(configuration: Path | str) -> str:
    """The command as it can be typed here: with its path where the program is not among the shell's."""
    program = "tthc-monitor" if shutil.which("tthc-monitor") else os.path.relpath(sys.argv[0])
    return f"{program} --config {configuration} rules explain overdue"


def _go_on(installation: Installation, outputs: Outputs, stop: Stop) -> None:
    with as_login(installation.engine) as connection:
        auditor = create_auditor(connection, installation.engine.url, _AUDITOR)
    serve = installation.settings.serve
    app = make_app(installation.engine, scrape_settings(installation))
    with WebServer(app, serve.host, serve.port) as web:
        scheduler = start_scheduler(installation)
        try:
            _print_summary(installation, outputs, web.url, auditor.render_as_string(hide_password=False))
            _watch(installation, stop)
        finally:
            console.print("stopping …")
            scheduler.shutdown(wait=True)


def _print_summary(installation: Installation, outputs: Outputs, url: str, auditor: str) -> None:
    with transaction(installation.engine) as connection:
        rows = connection.execute(text("SELECT verdict, count(*) AS number FROM audit.verdicts_now GROUP BY 1"))
        counts: dict[str, int] = {row.verdict: row.number for row in rows}
    lines = [
        f"[bold]{sum(counts.values())} dossiers of the made-up “Tỉnh Mẫu” judged[/bold]: "
        + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())),
        "",
        f"[bold]pages[/bold]     {url}/",
        f"[bold]metrics[/bold]   {url}/metrics",
        f"[bold]digest[/bold]    {outputs.digest}",
        f"[bold]report[/bold]    {outputs.report}",
        f"[bold]auditor[/bold]   {auditor}",
        "          try it in any PostgreSQL client:",
        f"          [italic]{QUERY};[/italic]",
        f"[bold]settings[/bold]  {installation.settings.document.file}",
        "[bold]explain[/bold]   one dossier for every rule, by the rule's code (tthc-monitor rules list):",
        f"          [italic]{_explain(installation.settings.document.file)}[/italic]",
        f"[bold]verify[/bold]    {MADE_UP_PAST}",
        "",
        "It goes on pulling every 10 seconds. Stop it with Ctrl-C.",
    ]
    console.print()
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    console.print()


def _watch(installation: Installation, stop: Stop) -> None:
    """Tell of each pull that brought news, until asked to stop."""
    last = _newest_run(installation)
    while not stop.wait(1.0):
        newest = _newest_run(installation)
        if newest is not None and newest != last and (newest[1] or newest[2]):
            at = installation.now().astimezone(ZoneInfo(installation.settings.zone))
            console.print(f"{at:%H:%M:%S}  pulled: {newest[1]} new, {newest[2]} changed", highlight=False)
        last = newest


def _newest_run(installation: Installation) -> tuple[int, int, int] | None:
    with transaction(installation.engine) as connection:
        row = connection.execute(
            text(
                "SELECT run_id, dossiers_new, dossiers_changed FROM audit.pull_runs "
                "WHERE outcome = 'ok' ORDER BY run_id DESC LIMIT 1"
            )
        ).one_or_none()
    return None if row is None else (row.run_id, row.dossiers_new, row.dossiers_changed)


def _origin(folder: Path) -> datetime:
    """The instant the made-up province is built around: the same one each time for a folder that is kept."""
    kept = folder / "made-up-since"
    if not kept.exists():
        kept.write_text(system_clock().isoformat(), encoding="utf-8")
    return datetime.fromisoformat(kept.read_text(encoding="utf-8"))


def _write_settings(folder: Path, simulated: SimulatedServer, port: int) -> Path:
    path, key = folder / "tthc-monitor.yaml", folder / _APPLICANT_KEY
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32), encoding="ascii")
    source = {
        "name": _SOURCE,
        "kind": "opencps",
        "every": "10s",
        "options": {
            "url": simulated.url,
            "group_id": simulated.group_id,
            "username": simulated.username,
            "password": simulated.password,
        },
    }
    settings = {
        "data_dir": ".",
        "calendar": "vn",
        "serve": {"port": port},
        "applicant_key_file": _APPLICANT_KEY,
        "sources": [source, *staging.source_settings()],
        "report": {"office": "Văn phòng Ủy ban nhân dân Tỉnh Mẫu (dữ liệu mô phỏng)"},
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _out_folder(out: Path | None, folder: Path) -> Path:
    target = out or folder / "out"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {target} cannot be made: {error.strerror}; choose another folder") from None
    return target.resolve()


@contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    """The data folder: the one asked for, to stay, or a new one that goes."""
    if data_dir is not None:
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"--data-dir {data_dir} cannot be made: {error.strerror}; choose another folder"
            ) from None
        yield data_dir.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="tthc-demo-"))
    folder.chmod(0o711)  # PostgreSQL, which does not run as root, must get through; the files tell their own modes
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
