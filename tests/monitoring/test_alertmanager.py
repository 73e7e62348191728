"""The example of Alertmanager: accepted, every alert goes to somebody, and inhibitions name alerts that there are."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.monitoring.rules_read import MONITORING, rules

FILE = MONITORING / "alertmanager" / "alertmanager.yml"
SETTINGS: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
NAMES = sorted({rule["alert"] for rule in rules("alerts.yml")})
RECEIVERS = {one["name"]: one for one in SETTINGS["receivers"]}


def amtool(*words: str) -> str:
    done = subprocess.run(["amtool", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def goes_to(**labels: str) -> str:
    told = (f"{name}={value}" for name, value in labels.items())
    return amtool("config", "routes", "test", f"--config.file={FILE}", *told).strip()


def test_the_configuration_and_its_templates_are_accepted() -> None:
    assert "1 templates" in amtool("check-config", str(FILE))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "TthcUnitNewlyOverdue", "unit": "H99.05", "severity": "info"}, "so-xay-dung"),
        ({"alertname": "TthcUnitOverdueLong", "unit": "H99.101", "severity": "warning"}, "xa-mau-mot"),
        ({"alertname": "TthcUnitBacklog", "unit": "H99.77", "severity": "info"}, "van-phong"),
        ({"alertname": "TthcUnitWithoutData", "unit": "H99.05", "severity": "info"}, "khong-gui"),
        ({"alertname": "TthcOnTimeBudgetFast", "severity": "warning"}, "van-phong"),
        ({"alertname": "TthcSourceSilent", "source": "mot-cua", "severity": "warning"}, "quan-tri"),
        ({"alertname": "TthcTargetMissing", "severity": "critical"}, "truc"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["alertname"],
)
def test_alerts_go_to_whom_they_concern(labels: dict[str, str], receiver: str) -> None:
    assert goes_to(**labels) == receiver


def test_only_the_receiver_of_nobody_hears_nothing() -> None:
    silent = [name for name, one in RECEIVERS.items() if not {"email_configs", "webhook_configs"} & set(one)]
    assert silent == ["khong-gui"]
    for one in RECEIVERS.values():
        for mail in one.get("email_configs", ()):
            assert re.fullmatch(r"[\w-]+@example\.vn(, [\w-]+@example\.vn)*", mail["to"])
            assert {"html", "text", "headers"} <= set(mail)
    assert "webhook_configs" in RECEIVERS["truc"]


def matched(matchers: list[str]) -> set[str]:
    """Alerts that matchers of their name take."""
    found = set(NAMES)
    for matcher in matchers:
        name, sign, value = re.fullmatch(r"(\w+) (=~|!~|!=|=) \"?([^\"]*)\"?", matcher).groups()  # type: ignore[union-attr]
        if name == "alertname":
            pattern = value if "~" in sign else re.escape(value)
            found = {one for one in found if bool(re.fullmatch(pattern, one)) != sign.startswith("!")}
    return found


def test_what_silences_what() -> None:
    pairs = {
        (source, target)
        for rule in SETTINGS["inhibit_rules"]
        for source in matched(rule["source_matchers"])
        for target in matched(rule["target_matchers"])
    }
    assert all(source != target for source, target in pairs), "nothing silences itself"
    everything = set(NAMES) - {"TthcTargetMissing", "TthcDatabaseDown"}
    for root in ("TthcTargetMissing", "TthcDatabaseDown"):
        assert {target for source, target in pairs if source == root} == everything
    of_units = {name for name in NAMES if name.startswith("TthcUnit")} - {"TthcUnitWithoutData"}
    assert {target for source, target in pairs if source == "TthcUnitWithoutData"} == of_units
    equal = [rule.get("equal") for rule in SETTINGS["inhibit_rules"]]
    assert equal == [None, ["unit"], None, ["source"], None]


def test_every_name_in_the_configuration_is_an_alert() -> None:
    named = re.findall(r"Tthc\w+", re.sub(r"Tthc\w*\.\*", "", FILE.read_text(encoding="utf-8")))
    assert set(named) <= set(NAMES)
