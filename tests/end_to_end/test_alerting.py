"""From a dossier that becomes late to the mail that says so, and to the alarm when nothing can be said any more.

The service, Prometheus, Alertmanager, the mail server and the webhook are real, and so are the files that are shipped.
"""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.awaited import wait_for
from tests.end_to_end.alerted import MONITORING, Api, Notified, alertmanager, hurried, notified, prometheus
from tests.end_to_end.test_cli import running, said

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
UNIT, NAME = "H99.05", "Sở Xây dựng tỉnh Mẫu"
ADDRESS = "https://giam-sat.example.gov.vn"
LONG = 40
"""Seconds in which anything must have come about, on a busy machine."""


def write_dossiers(folder: Path, *rows: tuple[str, datetime]) -> None:
    """The register as the source hands it out: number, unit, received, due."""
    received = datetime.now(ZONE) - timedelta(days=3)
    lines = [f"{number},{UNIT},{NAME},{received:%Y-%m-%d %H:%M:%S},{due:%Y-%m-%d %H:%M:%S}\n" for number, due in rows]
    new = folder / "moi.csv"
    new.write_text("so,ma,don_vi,nhan,hen\n" + "".join(lines), encoding="utf-8")
    new.replace(folder / "ho-so.csv")


def write_settings(folder: Path, database: str) -> None:
    at_all_hours = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    instant = {"format": "%Y-%m-%d %H:%M:%S"}
    columns = {
        "source_key": "so", "code": "so", "unit_code": "ma", "unit_name": "don_vi",
        "received_at": {"column": "nhan", **instant}, "due_current": {"column": "hen", **instant},
    }  # fmt: skip
    settings = {
        "database": {"url": database},
        "serve": {"port": 0, "public_url": ADDRESS},
        "calendar": {"name": "luon-mo", "zone": str(ZONE), "week": at_all_hours},
        "sources": [
            {
                "name": "so-tay",
                "kind": "files",
                "every": "1s",
                "options": {"path": "ho-so.csv", "zone": str(ZONE), "columns": columns},
            }
        ],
    }
    (folder / "tthc-monitor.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")


@dataclass
class Watched:
    """The service under watch, and those who hear of it."""

    folder: Path
    service: subprocess.Popen[str]
    prometheus: Api
    alertmanager: Api
    notified: Notified


@pytest.fixture
def watched(tmp_path: Path, database_address: str) -> Iterator[Watched]:
    write_settings(tmp_path, database_address)
    write_dossiers(tmp_path, ("H99-0001", datetime.now(ZONE) + timedelta(days=30)))
    with ExitStack() as stack:
        process, lines = stack.enter_context(running("serve", cwd=tmp_path))
        url = said(lines, r'"url": "(http://[^"]+)"', process)
        page = Api(url, tmp_path)
        # Before the first figures there is rightly an alarm about that.
        wait_for(lambda: f'tthc_dossiers_open{{unit="{UNIT}"}} 1.0' in text_of(page), LONG, lambda: lines)
        to = stack.enter_context(notified())
        manager = stack.enter_context(alertmanager(tmp_path / "alertmanager", to))
        scraper = stack.enter_context(prometheus(tmp_path / "prometheus", url, manager.url))
        yield Watched(tmp_path, process, scraper, manager, to)


def text_of(page: Api) -> str:
    with urllib.request.urlopen(f"{page.url}/metrics", timeout=20) as answer:
        return str(answer.read().decode())


def test_a_late_dossier_is_told_by_mail_and_silence_is_told_too(watched: Watched) -> None:
    to = watched.notified
    wait_for(lambda: watched.prometheus.query("unit:tthc_unit_working:max == 1"), LONG)
    assert watched.alertmanager.alerts("TthcUnitNewlyOverdue") == []

    now = datetime.now(ZONE)
    due = max(now - timedelta(minutes=1), now.replace(hour=0, minute=0, second=0, microsecond=0))
    write_dossiers(watched.folder, ("H99-0001", due))

    # -- the unit hears of it, by its name, on both ways
    hook = wait_for(lambda: to.told("/so-xay-dung", "TthcUnitNewlyOverdue", "firing"), LONG, watched.prometheus.rules)[
        0
    ]
    assert hook["labels"]["unit"] == UNIT
    assert hook["annotations"]["unit_name"] == NAME
    assert hook["annotations"]["description"].startswith(f"{NAME} có 1 hồ sơ mới quá hạn")
    assert hook["annotations"]["runbook_url"] == f"{ADDRESS}/runbooks#TthcUnitNewlyOverdue"
    mail = wait_for(lambda: to.mailbox.to("so-xay-dung@example.vn"), LONG)[0]
    assert mail["Subject"] == f"[TTHC] {NAME}"
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and html is not None
    for words in (plain.get_content(), html.get_content()):
        assert f"{NAME} có 1 hồ sơ mới quá hạn" in words
        assert "Đơn vị có hồ sơ mới quá hạn" in words
        assert "{{" not in words and "<no value>" not in words
    assert "<script" not in html.get_content()
    assert not to.mailbox.to("van-phong@example.vn")

    # -- every rule that is shipped is evaluated without an error on the figures of a running service
    rules = watched.prometheus.rules()
    assert len(rules) > 50
    assert [(one["name"], one.get("lastError")) for one in rules if one["health"] != "ok"] == []
    dropped = watched.prometheus.query("scrape_samples_scraped{job='tthc-monitor'} > 40000")
    assert dropped == []

    # -- nobody answers any more: those on duty hear of it, and the unit is told neither that all is well nor anything else
    assert to.told("/truc", "TthcTargetMissing", "firing") == []
    watched.service.send_signal(signal.SIGKILL)
    missing = wait_for(lambda: to.told("/truc", "TthcTargetMissing", "firing"), LONG)[0]
    assert missing["labels"]["severity"] == "critical"
    assert missing["annotations"]["runbook_url"] == f"{ADDRESS}/runbooks#TthcTargetMissing"
    alarm = wait_for(lambda: to.mailbox.to("truc@example.vn"), LONG)[0]
    assert alarm["Subject"] == "[TTHC] KHẨN: Prometheus không đọc được số đo của tthc-monitor"
    (held,) = wait_for(
        lambda: [one for one in watched.alertmanager.alerts("TthcUnitNewlyOverdue") if one["status"]["inhibitedBy"]],
        LONG,
    )
    assert held["status"]["state"] == "suppressed"
    wait_for(lambda: not watched.alertmanager.alerts("TthcUnitNewlyOverdue"), LONG)
    assert to.told("/so-xay-dung", "TthcUnitNewlyOverdue", "resolved") == []
    assert len(to.mailbox.to("so-xay-dung@example.vn")) == 1


def without_patience(node: object) -> object:
    if isinstance(node, dict):
        kept = {key: value for key, value in node.items() if key not in {"for", "keep_firing_for", "interval"}}
        return {key: without_patience(value) for key, value in kept.items()}
    return [without_patience(one) for one in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", ["alerts.yml", "recording.yml"])
def test_what_is_hurried_is_only_patience(name: str) -> None:
    shipped = (MONITORING / "prometheus" / name).read_text(encoding="utf-8")
    ours = yaml.safe_load(hurried(shipped))
    assert without_patience(ours) == without_patience(yaml.safe_load(shipped))
    rules = [rule for group in ours["groups"] for rule in group["rules"]]
    assert {rule["for"] for rule in rules if "for" in rule} <= {"4s"}
    assert {rule["keep_firing_for"] for rule in rules if "keep_firing_for" in rule} <= {"2s", "15s"}
