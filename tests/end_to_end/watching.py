"""The running demo and a real Prometheus that scrapes it, for tests of what is made of its metrics."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.awaited import free_port, wait_for
from tests.end_to_end.program import PROGRAM, environment

JOB = "tthc-monitor"


@dataclass(frozen=True)
class RunningDemo:
    """The demonstration while it runs."""

    url: str
    auditor: str
    settings: Path


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus of the test's own."""

    url: str

    def ask(self, path: str, **parameters: object) -> Any:
        """The ``data`` of an answer of its API; a query that it refuses fails the test with its words."""
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def now(self, expression: str) -> list[Any]:
        """Series of an expression at present."""
        return list(self.ask("query", query=expression)["result"])

    def lately(self, expression: str, seconds: int = 20) -> list[Any]:
        """Series of an expression over the last seconds, as a panel asks for them."""
        end = time.time()
        return list(self.ask("query_range", query=expression, start=end - seconds, end=end, step=2)["result"])


@contextmanager
def running_demo(folder: Path) -> Iterator[RunningDemo]:
    """Start ``tthc-monitor demo`` in a folder of its own, wait until its pages answer, and stop it at the end."""
    output = folder / "said"
    command = [str(PROGRAM), "demo", "--data-dir", str(folder / "demo"), "--port", "0"]
    with output.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        text = wait_for(lambda: _told(process, output), 120)
        yield RunningDemo(_after("pages", text).rstrip("/"), _after("auditor", text), Path(_after("settings", text)))
    finally:
        _stop(process)


@contextmanager
def prometheus(folder: Path, targets: Sequence[str], rule_files: Sequence[Path] = ()) -> Iterator[Prometheus]:
    """A Prometheus that scrapes these addresses (``127.0.0.1:9766``) every second."""
    job = {"job_name": JOB, "scrape_interval": "1s", "static_configs": [{"targets": list(targets)}]}
    settings = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rule_files],
        "scrape_configs": [job],
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={address}", "--log.level=warn"]
    output = folder / "said"
    with output.open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    started = Prometheus(f"http://{address}")

    def ready() -> bool:
        assert process.poll() is None, output.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(f"{started.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def scraped_twice() -> bool:
        # Growth is between two scrapes.
        return bool(started.now(f'min(count_over_time(up{{job="{JOB}"}}[1m])) >= 2'))

    try:
        wait_for(ready, 60)
        wait_for(scraped_twice, 60)
        yield started
    finally:
        _stop(process)


def _told(process: subprocess.Popen[bytes], output: Path) -> str | None:
    text = output.read_text(encoding="utf-8", errors="replace")
    assert process.poll() is None, text
    return text if "Ctrl-C" in text else None


def _after(word: str, text: str) -> str:
    found = re.search(rf"^{word}\s+(\S+)", text, flags=re.MULTILINE)
    assert found, text
    return found[1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
