"""Alert and recording rules: valid, each tried in both cases, readable, and only about what is exported."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.rules_read import (
    CASES,
    MONITORING,
    PROMETHEUS,
    expressions,
    grouping_labels,
    metric_names,
    rules,
    selected_labels,
)
from tthc_monitor.outputs.metric_table import METRICS

ALERTS = rules("alerts.yml")
RECORDED = rules("recording.yml")
NAMES = sorted({alert["alert"] for alert in ALERTS})
OF_UNITS = [name for name in NAMES if name.startswith("TthcUnit")]
LABELS = {spec.name: set(spec.labels) for spec in METRICS}
OF_THE_SCRAPE = {"job", "instance"}
VIETNAMESE = re.compile("[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)


def promtool(*words: str | Path) -> str:
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cases(kind: str) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in CASES]
    return [case for document in documents for test in document["tests"] for case in test.get(kind, ())]


def test_prometheus_accepts_rules_and_configuration() -> None:
    promtool("check", "rules", PROMETHEUS / "alerts.yml", PROMETHEUS / "recording.yml")
    assert "2 rule files found" in promtool("check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.partition(".")[0])
def test_rules_say_what_they_should(path: Path) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_is_tried_firing_and_silent(name: str) -> None:
    tried = [case["exp_alerts"] for case in cases("alert_rule_test") if case["alertname"] == name]
    assert any(tried), f"{name} has no case in which it fires"
    assert not all(tried), f"{name} has no case in which it is silent"
    for expected in (one for alerts in tried for one in alerts):
        assert {"summary", "description", "runbook_url"} <= set(expected["exp_annotations"]), name


def test_every_recorded_series_is_tried() -> None:
    tried = " ".join(case["expr"] for case in cases("promql_expr_test"))
    used = " ".join(text for alert in ALERTS for text in expressions(alert))
    recorded = {rule["record"] for rule in RECORDED}
    inner = " ".join(rule["expr"] for rule in RECORDED)
    assert not [name for name in sorted(recorded) if name not in tried and name not in used and name not in inner]
    assert {name for name in metric_names(used + tried + inner) if ":" in name} <= recorded


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
def test_every_alert_can_be_read_and_acted_upon(alert: dict[str, Any]) -> None:
    name, notes = alert["alert"], alert["annotations"]
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(alert["labels"]) == {"severity"}
    assert VIETNAMESE.search(notes["summary"]) and "{{" not in notes["summary"] and len(notes["summary"]) < 80
    assert VIETNAMESE.search(notes["description"]) and "Việc đầu tiên: " in notes["description"]
    assert notes["runbook_url"].endswith(f"{{{{ end }}}}/runbooks#{name}")
    assert re.match(r"/d/tthc-(overview|unit|procedure|pipeline)(\?|$)", notes["dashboard"])
    assert f"\n## {name} – " in (MONITORING / "runbooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("alert", [one for one in ALERTS if one["alert"] in OF_UNITS], ids=lambda one: one["alert"])
def test_units_are_told_at_work_and_never_as_critical(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"info", "warning"}
    assert "unit_name" in alert["annotations"]
    if alert["alert"] != "TthcUnitWithoutData":
        assert "and on (unit) unit:tthc_unit_working:max == 1" in alert["expr"]


def test_what_ends_with_the_data_is_held_until_the_end_of_the_data_is_told() -> None:
    told = {"TthcTargetMissing": 5, "TthcDatabaseDown": 3}
    for alert in ALERTS:
        held = re.fullmatch(r"(\d+)(m|h)", alert.get("keep_firing_for", "0m"))
        assert held is not None
        minutes = int(held[1]) * (60 if held[2] == "h" else 1)
        assert (minutes > max(told.values())) != (alert["alert"] in told), alert["alert"]
        if alert["alert"] in told and alert["labels"]["severity"] == "critical":
            assert alert["for"] == f"{told[alert['alert']]}m"


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDED], ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_use_only_what_is_exported(rule: dict[str, Any]) -> None:
    made = {one["record"]: one for one in RECORDED}

    def labels_of(name: str) -> set[str]:
        """Labels that a series may have: those of its metrics, and those that its rule adds."""
        if name == "up":
            return set(OF_THE_SCRAPE)
        if name not in made:
            assert name in LABELS, f"{name} is not exported"
            return LABELS[name] | OF_THE_SCRAPE
        inner = metric_names(made[name]["expr"])
        return set(made[name].get("labels", {})).union(*(labels_of(one) for one in inner))

    for text in expressions(rule):
        known = set().union(*(labels_of(name) for name in metric_names(text)))
        for name, label in selected_labels(text):
            assert label in labels_of(name), f"{name} has no label {label}"
        assert grouping_labels(text) <= known | (OF_THE_SCRAPE if "up{" in text else set()), text


def test_replicas_are_never_added_up() -> None:
    aggregated = re.compile(r"\b(sum|count|avg)(?: by \([^)]*\))? ?\(\s*(?:increase|rate)?\(?\s*(tthc_\w+)")
    for rule in [*ALERTS, *RECORDED]:
        assert not aggregated.search(rule["expr"]), rule["expr"]
