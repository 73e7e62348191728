"""The dashboards keep the rules of Grafana's dashboard-linter and of this house, and ask for metrics that there are.

Each rule of the linter is a test of the same name. Where we deviate, the reason stands in ``EXCEPTIONS``, and a test sees
that the deviation is still needed.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards import FOLDER, Query, dashboards, named, panels, promql, queries, variables
from tests.grafana_dashboards.__main__ import ALL
from tests.grafana_dashboards.model import UIDS, text_of
from tthc_monitor.outputs.metric_table import METRICS

EXCEPTIONS = {
    "template-instance-rule": "every replica tells the same from one database: nobody wants to choose among them",
    "target-instance-rule": "instead every query takes the maximum over them (test_no_replica_counts_twice)",
}
LINTER_UNITS = {
    *("none", "string", "short", "percent", "percentunit", "locale", "s", "dateTimeAsSystem"),
}
"""Those of the linter's list that are in use."""

GRAFANAS_OWN = {
    "__rate_interval",
    "__range",
    "__interval",
    "__timeFrom",
    "__timeTo",
    "__timeFilter",
    "__url_time_range",
}
SPECS = {spec.name: spec for spec in METRICS}
ALLOWED_LABELS = {"instance", "job"}

each_dashboard = pytest.mark.parametrize("uid", sorted(dashboards()))
PROMQL = [query for query in queries() if query.language == "promql"]


def filled(query: Query) -> str:
    """With values that can stand in a selector."""
    return promql(query.text, dict.fromkeys(named(query.text) - GRAFANAS_OWN, "x"))


def selectors(expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each vector selector: its metric, and its matchers by label, operator and value as written."""
    for metric, matchers in re.findall(r"\b(tthc_\w+)(\{[^}]*\})?", expression):
        yield metric, dict(re.findall(r'(\w+)\s*((?:=~|!~|!=|=)"[^"]*")', matchers))


def family(series: str) -> Any:
    """The metric that a series belongs to; those of a histogram have a tail."""
    return SPECS.get(series) or SPECS.get(re.sub(r"_(bucket|sum|count)$", "", series))


# -- the files ------------------------------------------------------------------------------------------------------


def test_there_are_four_and_they_are_up_to_date() -> None:
    assert set(dashboards()) == set(UIDS) == {dashboard["uid"] for dashboard in ALL}
    for dashboard in ALL:
        path = FOLDER / "dashboards" / f"{dashboard['uid']}.json"
        assert path.read_text(encoding="utf-8") == text_of(dashboard), f"{path.name} is old: run make dashboards"


@each_dashboard
def test_nothing_breaks_provisioning(uid: str) -> None:
    dashboard = dashboards()[uid]
    assert dashboard["uid"] == uid and len(uid) <= 40
    assert "id" not in dashboard and "__inputs" not in dashboard and "__requires" not in dashboard
    assert "${DS_" not in json.dumps(dashboard)
    assert dashboard["schemaVersion"] == 39  # Grafana 10.4
    assert dashboard["timezone"] == "Asia/Ho_Chi_Minh"
    assert dashboard["title"].startswith("TTHC – ") and dashboard["description"]


@each_dashboard
def test_uneditable_dashboard(uid: str) -> None:
    assert dashboards()[uid]["editable"] is False


@each_dashboard
def test_panels_have_ids_and_places_of_their_own(uid: str) -> None:
    all_panels = dashboards()[uid]["panels"]
    assert sorted(panel["id"] for panel in all_panels) == list(range(1, len(all_panels) + 1))
    titles = [panel["title"] for panel in all_panels]
    assert len(titles) == len(set(titles)), titles
    for panel in all_panels:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["w"] >= 3 and place["h"] >= 1 and place["x"] + place["w"] <= 24, panel["title"]
    for one, other in combinations(all_panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart = apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart, f"{one['title']} lies over {other['title']}"


# -- variables ------------------------------------------------------------------------------------------------------


@each_dashboard
def test_template_datasource_rule(uid: str) -> None:
    sources = [one for one in dashboards()[uid]["templating"]["list"] if one["type"] == "datasource"]
    assert [one["query"] for one in sources] == ["prometheus", "postgres"]
    for one in sources:
        assert (one["name"], one["label"]) == (f"{one['query']}_datasource", f"{one['query'].title()} data source")
        assert one["current"]["value"] == f"tthc-{one['query']}"


@each_dashboard
def test_template_job_rule(uid: str) -> None:
    job = variables(dashboards()[uid])["job"]
    assert (job["type"], job["label"], job["multi"], job["allValue"]) == ("query", "Job", True, ".+")
    assert job["datasource"]["uid"] == "${prometheus_datasource}"


@each_dashboard
def test_template_label_promql_rule(uid: str) -> None:
    for variable in variables(dashboards()[uid]).values():
        if variable["type"] == "query" and variable["datasource"]["uid"] == "${prometheus_datasource}":
            found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
            assert found and found[1] in SPECS and found[2] in {*SPECS[found[1]].labels, *ALLOWED_LABELS}


@each_dashboard
def test_template_on_time_change_reload_rule(uid: str) -> None:
    for name, variable in variables(dashboards()[uid]).items():
        assert variable["type"] != "query" or variable["refresh"] == 2, name


@each_dashboard
def test_variables_that_are_used_are_defined_and_those_defined_are_used(uid: str) -> None:
    dashboard = dashboards()[uid]
    defined = set(variables(dashboard))
    used: set[str] = set()
    for variable in dashboard["templating"]["list"]:
        asked = variable["query"] if isinstance(variable["query"], str) else variable["query"]["query"]
        used |= named(asked) | named(json.dumps(variable.get("datasource", {})))
    for panel in panels(dashboard):
        used |= named(json.dumps(panel)) - {"__data"}
    assert used - GRAFANAS_OWN <= defined
    assert defined <= used


def test_what_stands_for_everything_can_stand_in_both_languages() -> None:
    for dashboard in dashboards().values():
        for variable in variables(dashboard).values():
            if variable["name"] not in {"job", "prometheus_datasource", "postgres_datasource"}:
                assert variable["multi"] is False
                assert variable["allValue"] == (".*" if variable["includeAll"] else None)
    for query in queries():
        known = variables(dashboards()[query.dashboard])
        for name in named(query.text) & set(known):
            everything = known[name]["includeAll"]
            if query.language == "promql":
                found = set(re.findall(rf'(=~?)"\${name}"', query.text))
                assert found == {"=~" if everything else "="}, f"{query}: {name}"
            else:
                assert set(re.findall(rf"\$\{{{name}:(\w+)}}", query.text)) == {"regex" if everything else "sqlstring"}


# -- panels ---------------------------------------------------------------------------------------------------------


@each_dashboard
def test_panel_no_targets_rule(uid: str) -> None:
    for panel in panels(dashboards()[uid]):
        refs = [target["refId"] for target in panel["targets"]]
        assert refs and len(refs) == len(set(refs)), panel["title"]


@each_dashboard
def test_panel_datasource_rule(uid: str) -> None:
    for panel in panels(dashboards()[uid]):
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": source["type"], "uid": f"${{{source['type']}_datasource}}"}, panel["title"]
        assert {target["datasource"]["type"] for target in panel["targets"]} == {panel["datasource"]["type"]}


@each_dashboard
def test_panel_title_description_rule(uid: str) -> None:
    for panel in panels(dashboards()[uid]):
        assert panel["title"] and panel["description"].endswith("."), panel["title"]


@each_dashboard
def test_panel_units_rule(uid: str) -> None:
    for panel in panels(dashboards()[uid]):
        assert panel["fieldConfig"]["defaults"]["unit"] in LINTER_UNITS, panel["title"]


VIETNAMESE = re.compile("[ạảãàáâậầấẩẫăắằặẳẵóòọõỏôộổỗồốơờớợởỡéèẻẹẽêếềệểễúùụủũưựữửừứíìịỉĩýỳỷỵỹđ]", re.IGNORECASE)


def shown(dashboard: Any) -> Iterator[str]:
    """Every text that an official reads."""
    yield from (dashboard["title"], dashboard["description"])
    yield from (link["title"] for link in dashboard["links"])
    yield from (one["label"] for one in dashboard["templating"]["list"] if one["hide"] == 0 and one["name"] != "job")
    for panel in dashboard["panels"]:
        yield panel["title"]
        if panel["type"] == "row":
            continue
        yield panel["description"]
        defaults, overrides = panel["fieldConfig"]["defaults"], panel["fieldConfig"]["overrides"]
        yield from (word for word in (defaults["noValue"],) if word not in {"0", "–"}) if "noValue" in defaults else ()
        properties = [one for override in overrides for one in override["properties"]]
        yield from (one["value"] for one in properties if one["id"] == "displayName")
        yield from (link["title"] for one in properties if one["id"] == "links" for link in one["value"])
        mappings = [*defaults["mappings"], *(m for one in properties if one["id"] == "mappings" for m in one["value"])]
        yield from (option["text"] for mapping in mappings for option in mapping["options"].values())
        legends = (target.get("legendFormat", "") for target in panel["targets"])
        yield from (legend for legend in legends if "{{" not in legend and legend not in {"", "__auto"})


@each_dashboard
def test_what_is_read_is_vietnamese(uid: str) -> None:
    for words in shown(dashboards()[uid]):
        assert VIETNAMESE.search(words), words


@each_dashboard
def test_each_column_of_a_table_has_a_heading(uid: str) -> None:
    for panel in panels(dashboards()[uid]):
        if panel["type"] != "table":
            continue
        headed = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        if "expr" in panel["targets"][0]:
            assert len(panel["targets"]) > 1, "a single query's value is not called Value #A"
            hidden = set(panel["transformations"][-1]["options"]["excludeByName"])
            values = {f"Value #{target['refId']}" for target in panel["targets"]}
            assert values <= headed | hidden and hidden - {"Time"} <= values, panel["title"]
            sorts = [one["displayName"] for one in panel["options"]["sortBy"]]
            titles = [
                one["value"]
                for o in panel["fieldConfig"]["overrides"]
                for one in o["properties"]
                if one["id"] == "displayName"
            ]
            assert set(sorts) <= set(titles), panel["title"]


@each_dashboard
def test_links_lead_to_dashboards_and_hand_over_what_those_know(uid: str) -> None:
    dashboard = dashboards()[uid]
    assert {link["url"] for link in dashboard["links"]} == {f"/d/{other}" for other in UIDS if other != uid}
    for panel in panels(dashboard):
        for override in panel["fieldConfig"]["overrides"]:
            for one in override["properties"]:
                for link in one["value"] if one["id"] == "links" else ():
                    target, _, arguments = link["url"].removeprefix("/d/").partition("?")
                    names = set(re.findall(r"(?:^|&)var-(\w+)=", arguments))
                    assert names and names <= set(variables(dashboards()[target])), link["url"]
                    fields = set(re.findall(r"__data\.fields\.(\w+)", arguments))
                    assert fields <= {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}, link["url"]
                    assert fields


# -- PromQL ---------------------------------------------------------------------------------------------------------


def test_target_promql_rule(tmp_path: Path) -> None:
    """Prometheus' own parser reads every query, as the rule of a recorded series."""
    rules = [{"record": f"q:{number}", "expr": filled(query)} for number, query in enumerate(PROMQL)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_target_job_rule() -> None:
    for query in PROMQL:
        found = list(selectors(query.text))
        assert found
        for metric, matchers in found:
            assert matchers.get("job") == '=~"$job"', f"{query}: {metric}"


def test_target_rate_interval_rule() -> None:
    for query in PROMQL:
        for window in re.findall(r"\b(?:rate|irate)\([^\[]*\[([^\]]*)\]", query.text):
            assert window == "$__rate_interval", query


def test_target_counter_agg_rule() -> None:
    for query in PROMQL:
        text = query.text
        for found in re.finditer(r"\b(tthc_\w+_(?:total|bucket|count|sum))\b(?:\{[^}]*\})?(\[)?", text):
            if family(found[1]).type == "gauge":
                continue
            assert found[2] == "[", f"{found[1]} is a counter: how much it grew is what tells"
            assert re.search(r"\b(rate|irate|increase)\($", text[: found.start()]), found[1]


def test_only_metrics_that_there_are_with_labels_that_they_have() -> None:
    for query in PROMQL:
        labels: set[str] = set()
        for metric, matchers in selectors(query.text):
            spec = family(metric)
            assert spec is not None, f"{metric} is not in the table of metrics"
            assert metric == spec.name or spec.type == "histogram"
            has = {*spec.labels, *ALLOWED_LABELS, *(["le"] if metric.endswith("_bucket") else [])}
            assert set(matchers) <= has, f"{query}: {metric} has no {set(matchers) - has}"
            labels |= has
        grouped = {
            name.strip()
            for names in re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", query.text)
            for name in names.split(",")
        }
        assert grouped - {""} <= labels, f"{query}: {grouped - labels}"


def test_no_replica_counts_twice() -> None:
    """Each selector lies right within a maximum (a minimum, a count of replicas), or within growth that does; or filters."""
    for query in PROMQL:
        text = query.text
        for found in re.finditer(r"\btthc_\w+\{", text):
            before = text[: found.start()]
            assert re.search(
                r"\b(max|min)( by \([^)]*\))? \((increase\()?$|\b(max|min|count)\($|\band on \(\w+\) $", before
            ), f"{query}: {found[0]} is not merged over replicas"


def test_no_percentage_names_a_unit() -> None:
    """Prometheus is not exact: what is said of a unit in percent comes from SQL."""
    for query in PROMQL:
        if re.search(r"\)\s*/\s*\(?\s*(sum|max)\b", query.text):
            assert "unit=" not in query.text and "by (unit) (sum" not in query.text
            assert query.text.startswith(("sum(", "1 - sum("))


# -- SQL ------------------------------------------------------------------------------------------------------------


def test_sql_reads_what_auditors_may_read_and_writes_nothing() -> None:
    for query in queries():
        if query.language == "sql":
            assert "tthc." not in query.text, query
            assert re.match(r"\s*(SELECT|WITH)\b", query.text), query
            assert ";" not in query.text, query


def test_percentages_in_sql_are_the_published_ones() -> None:
    for query in queries():
        if query.language == "sql" and "percent" in query.text.replace("percentile_cont", ""):
            assert "figures_by_month" in query.text, query


# -- provisioning ---------------------------------------------------------------------------------------------------


def provisioning(kind: str) -> Any:
    [path] = FOLDER.glob(f"provisioning/{kind}/*.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_data_sources_have_the_uids_that_dashboards_ask_for() -> None:
    content = provisioning("datasources")
    assert content["apiVersion"] == 1
    found = {one["uid"]: one for one in content["datasources"]}
    wanted = {one["current"]["value"] for one in dashboards()["tthc-overview"]["templating"]["list"][:2]}
    assert set(found) == wanted
    assert {one["type"] for one in found.values()} == {"prometheus", "postgres"}
    assert [one["isDefault"] for one in found.values() if "isDefault" in one] == [True]
    assert all(one["editable"] is False for one in found.values())


def test_no_password_stands_in_the_files_and_an_auditors_login_has_sessions_enough() -> None:
    [postgres] = [one for one in provisioning("datasources")["datasources"] if one["type"] == "postgres"]
    assert re.fullmatch(r"\$__env\{TTHC_POSTGRES_PASSWORD\}", postgres["secureJsonData"]["password"])
    assert "password" not in postgres and "database" not in postgres
    options = postgres["jsonData"]
    assert options["database"] == "$__env{TTHC_POSTGRES_DATABASE}"
    assert options["sslmode"] == "$__env{TTHC_POSTGRES_SSLMODE}"
    assert options["maxIdleConns"] <= options["maxOpenConns"] < 5  # store.logins gives an auditor five
    assert options["postgresVersion"] == 1500


def test_the_interval_is_that_of_the_scrapes() -> None:
    [prometheus] = [one for one in provisioning("datasources")["datasources"] if one["type"] == "prometheus"]
    scraped = yaml.safe_load((FOLDER.parent / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert prometheus["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]


def test_dashboards_are_read_from_files_only() -> None:
    [provider] = provisioning("dashboards")["providers"]
    assert provider["allowUiUpdates"] is False and provider["type"] == "file"
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_the_exceptions_are_still_needed() -> None:
    assert not any("instance" in variables(dashboard) for dashboard in dashboards().values())
    assert set(EXCEPTIONS) == {"template-instance-rule", "target-instance-rule"}
