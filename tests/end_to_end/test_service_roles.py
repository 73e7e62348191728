"""The service as separate processes: who does what, what their ports show, and what their logs tell."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from tests.end_to_end.program import ENOUGH, run
from tests.end_to_end.test_cli import CSV_SOURCE, GOOD_ROWS, configure, folder, postgres_of, running, said
from tests.postgres.test_ledger import query

__all__ = ["folder"]

ADDRESS = "van-phong@mau.example.vn"


@dataclass
class Service:
    """A running process of the service."""

    process: Any
    lines: list[str]
    url: str

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=20, trust_env=False)

    def told(self, **wanted: object) -> list[dict[str, Any]]:
        """Lines of the log that have these entries; each line must be one of JSON."""
        lines = [json.loads(line) for line in list(self.lines)]
        return [line for line in lines if wanted.items() <= line.items()]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.lines


def serving(stack: ExitStack, folder: Path, *roles: str) -> list[Service]:
    """Processes of these roles, all started at once."""
    started = [stack.enter_context(running("serve", "--role", role, cwd=folder)) for role in roles]
    return [Service(process, lines, said(lines, r'"url": "(http://[^"]+)"', process)) for process, lines in started]


def until(service: Service, **wanted: object) -> dict[str, Any]:
    deadline = time.monotonic() + ENOUGH
    while not (found := service.told(**wanted)):
        assert time.monotonic() < deadline and service.process.poll() is None, service.lines
        time.sleep(0.05)
    return found[0]


@pytest.fixture
def services(folder: Path, database_address: str) -> Iterator[tuple[Service, Service]]:
    configure(
        folder,
        CSV_SOURCE.replace("kind: files", "kind: files\n    max_reject_share: 0.5"),
        "rules: {packs: [core]}",
        f"database: {{url: '{database_address}'}}",
        "serve: {port: 0}",
        "data_dir: .",
        f"digest: {{at: '00:00', transport: directory, recipients: [{{address: {ADDRESS}}}]}}",
        "calendar: ngay-nao-cung-lam.yaml",
    )
    week = "".join(f"  {day}: [['00:00', '24:00']]\n" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    calendar = f"name: x\nzone: Asia/Ho_Chi_Minh\nweek:\n{week}"
    (folder / "ngay-nao-cung-lam.yaml").write_text(calendar, encoding="utf-8")
    (folder / "ho-so.csv").write_text(f"ma,nhan,hen\n{GOOD_ROWS}hỏng,x,y\n", encoding="utf-8")
    with ExitStack() as stack:
        web, worker = serving(stack, folder, "web", "worker")
        yield web, worker


def test_web_shows_and_worker_works(services: tuple[Service, Service], engine: Engine, folder: Path) -> None:
    web, worker = services
    for job in ("pull:thu", "evaluate", "snapshot", "digest", "report", "retention", "verify"):
        until(worker, event="job_ended", job=job)

    # Who does what.
    assert web.told(event="job_ended") == []
    pids = query(engine, "SELECT DISTINCT split_part(claimed_by, ':', 2)::int FROM tthc.job_runs")
    assert pids == [worker.process.pid]
    assert "tthc_dossiers_open{" in web.get("/metrics").text
    assert web.get("/").status_code == 200
    metrics = worker.get("/metrics").text
    assert "process_cpu_seconds_total" in metrics and "python_info{" in metrics
    assert 'tthc_monitor_build_info{version="' in metrics
    assert "tthc_dossiers" not in metrics and "tthc_source" not in metrics
    assert worker.get("/").status_code == 404
    for one in services:
        assert (one.get("/-/healthy").text, one.get("/-/ready").text) == ("ok\n", "ready\n")

    # What the log of the worker tells.
    [pull] = worker.told(event="pull_done")[:1]
    assert pull["source"] == "thu" and isinstance(pull["run_id"], int)
    counts = ("rows_read", "dossiers_new", "dossiers_changed", "rows_rejected")
    assert [pull[name] for name in counts] == [11, 10, 0, 1]
    assert 0 <= pull["seconds"] < ENOUGH
    judged = worker.told(event="evaluated")[0]
    assert {"evaluation_id", "seconds", "opened", "closed"} <= set(judged)
    [checked] = worker.told(event="ledger_intact")
    # At its first start the service checks while it pulls.
    assert checked["observations"] in (0, 10) and checked["seconds"] >= 0
    assert worker.told(event="mail", kind="digest", recipient=1, outcome="sent")
    assert worker.told(event="report_written")
    runs: dict[str, set[str]] = {}
    for line in worker.told():
        if "job" in line:
            assert {"slot", "job_run", "process", "attempt"} <= set(line), line
            runs.setdefault(line["job_run"], set()).add(line["job"])
    assert all(len(names) == 1 for names in runs.values()), "a run is of one job"
    assert pull["job"] == "pull:thu" and pull["process"].split(":")[1] == str(worker.process.pid)
    assert ADDRESS not in "".join(worker.lines) and ADDRESS.partition("@")[0] not in "".join(worker.lines)

    # What people are told of it.
    listed = run("jobs", "list", cwd=folder).good().out
    assert all(name in listed for name in ("pull:thu", "until midnight", "the newest only", "until the next"))
    assert "never" not in listed
    history = run("jobs", "history", "pull:thu", "--limit", "5", cwd=folder).good().out
    assert f":{worker.process.pid}:" in history and "ok" in history
    ran = run("jobs", "run", "verify", cwd=folder).good()
    assert ran.out == "verify: ok\n"
    assert "by hand" in run("jobs", "history", "verify", cwd=folder).good().out
    unknown = run("jobs", "run", "x", cwd=folder)
    assert unknown.code == 2 and "there is no job 'x'" in unknown.err
    (folder / "ho-so.csv").unlink()
    failed = run("jobs", "run", "pull:thu", cwd=folder)
    assert failed.code in (3, 4) and "Traceback" not in failed.err
    assert "failed" in run("jobs", "history", "pull:thu", cwd=folder).good().out

    for one in services:
        one.stop()
        assert one.told(event="stopped")


def test_two_that_start_at_once_share_the_embedded_server(folder: Path) -> None:
    configure(folder, CSV_SOURCE, "rules: {packs: [core]}", "data_dir: data", "serve: {port: 0}")
    (folder / "ho-so.csv").write_text(f"ma,nhan,hen\n{GOOD_ROWS}", encoding="utf-8")
    with ExitStack() as stack:
        pair = serving(stack, folder, "all", "all")
        assert len({one.url for one in pair}) == 2
        deadline = time.monotonic() + ENOUGH
        while not [line for one in pair for line in one.told(event="pull_done", dossiers_new=10)]:
            assert time.monotonic() < deadline, [one.lines for one in pair]
            time.sleep(0.05)
        pair[0].stop()
        assert pair[1].get("/-/ready").status_code == 200, "the server is the other's, too"
        pair[1].stop()
    assert postgres_of(folder) == []
