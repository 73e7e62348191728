"""Every query of every dashboard is answered with data in the running demo: by a real Prometheus, and by PostgreSQL to an
auditor's login.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from tests.awaited import wait_for
from tests.dashboards import Query, named, promql, queries, sql
from tests.end_to_end.program import run
from tests.end_to_end.watching import JOB, Prometheus, RunningDemo, prometheus, running_demo
from tests.monitoring.rules_read import expressions, metric_names, rules
from tthc_monitor.demo import staging

SQL = [query for query in queries() if query.language == "sql"]
PROMQL = [query for query in queries() if query.language == "promql"]
EVERYTHING = ".*"
EMPTY_WHEN_ALL_IS_WELL = {
    "tthc-pipeline: Chờ lâu nhất (A)": "nothing waits to be judged, as a rule",
}
"""Panels that the demo may leave empty, with the reason; what stands there then is their ``noValue``."""

_UNIT = "H99.907"
"""The unit of the demo's staged stories: one dossier for every rule."""

Session = psycopg2.extensions.connection
Values = Mapping[str, str]


@dataclass(frozen=True)
class Watched:
    """The demo, and Prometheus beside it."""

    demo: RunningDemo
    prometheus: Prometheus
    choices: Mapping[str, Sequence[str]]
    deadline: float
    """On the monotonic clock: by then every query has data, or is not going to."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where PostgreSQL, which does not run as root, gets through; pytest's own folders are closed."""
    made = Path(tempfile.mkdtemp(prefix="tthc-watched-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def watched(folder: Path) -> Iterator[Watched]:
    with running_demo(folder) as demo, prometheus(folder / "prometheus", [demo.url.removeprefix("http://")]) as scraper:
        break_a_source(demo)
        with closing(session_of(demo.auditor)) as session:
            choices = {
                "unit": column(session, "SELECT unit_code FROM audit.units"),
                "procedure": column(session, "SELECT procedure_code FROM audit.procedures"),
                "month": [f"{datetime.now(UTC) + timedelta(hours=7):%Y-%m}-01"],
                "sector": [EVERYTHING],
                "job": [JOB],
            }
        yield Watched(demo, scraper, choices, time.monotonic() + 90)


def break_a_source(demo: RunningDemo) -> None:
    """Pull from one more source, with a row that cannot be read: one of two is too many, so the pull fails."""
    folder = demo.settings.parent
    settings: dict[str, Any] = yaml.safe_load(demo.settings.read_text(encoding="utf-8"))
    register = next(one for one in staging.source_settings() if one["name"] == staging.DOSSIERS)
    header, row, *_ = (folder / staging.FOLDER / staging.FILES[staging.DOSSIERS]).read_text("utf-8").splitlines()
    unreadable = re.sub(r"\d{4}-\d\d-\d\dT[^,]*", "hôm qua", row)
    (folder / "hong.csv").write_text(f"{header}\n{row}\n{unreadable}\n", encoding="utf-8")
    settings["sources"] = [{**register, "name": "hong", "options": {**register["options"], "path": "hong.csv"}}]
    beside = folder / "hong.yaml"
    beside.touch(mode=0o600)
    beside.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    assert "max_reject_share" in run("--config", beside, "pull", "hong", cwd=folder).err


def session_of(address: str) -> Session:
    session = psycopg2.connect(address)
    session.autocommit = True
    return session


def column(session: Session, query: str) -> list[str]:
    with session.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def values_of(query: Query, watched: Watched) -> Iterator[Values]:
    """What may be chosen for the variables of a query, "all" first where there is such a choice."""
    names = sorted(named(query.text) & set(watched.choices))
    choices = [
        [EVERYTHING] if name == "unit" and query.dashboard == "tthc-procedure" else watched.choices[name]
        for name in names
    ]
    for chosen in product(*choices):
        yield dict(zip(names, chosen, strict=True))


@pytest.fixture(scope="module")
def auditor(watched: Watched) -> Iterator[Session]:
    with closing(session_of(watched.demo.auditor)) as session:
        yield session


@pytest.fixture(scope="module")
def unit_auditor(watched: Watched) -> Iterator[Session]:
    settings = watched.demo.settings
    told = run("--config", settings, "db", "auditor", "xem_don_vi", "--unit", _UNIT, cwd=settings.parent).good()
    with closing(session_of(told.out.split()[0])) as session:
        yield session


def filled(query: Query, values: Values) -> str:
    until = datetime.now(UTC)
    return sql(query.text, values, until - timedelta(days=90), until)


def rows_of(session: Session, statement: str) -> tuple[list[tuple[Any, ...]], list[str]]:
    with session.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.description is not None
        return cursor.fetchall(), [one.name for one in cursor.description]


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", SQL, ids=str)
def test_sql_is_answered_with_rows_and_quickly(query: Query, watched: Watched, auditor: Session) -> None:
    for values in values_of(query, watched):
        began = time.monotonic()
        rows, names = rows_of(auditor, filled(query, values))
        assert time.monotonic() - began < 2
        assert len(names) == len(set(names))
        if rows and any(value is not None for value in rows[0]):
            return
    pytest.fail("no row for any unit and procedure of the demo")


def test_columns_are_those_that_the_tables_have_headings_for(watched: Watched, auditor: Session) -> None:
    from tests.dashboards import dashboards, panels

    for uid, dashboard in dashboards().items():
        for panel in panels(dashboard):
            if panel["type"] == "table" and "rawSql" in panel["targets"][0]:
                query = Query(uid, panel["title"], "sql", panel["targets"][0]["rawSql"])
                _, names = rows_of(auditor, filled(query, next(values_of(query, watched))))
                headed = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
                assert sorted(names) == sorted(headed), query


def test_sql_does_not_read_through_the_ledger(watched: Watched, auditor: Session) -> None:
    """Where an index leads to the rows it is used, however few they are here; what is left read whole has no way in."""
    with auditor.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        for query in SQL:
            cursor.execute("EXPLAIN " + filled(query, next(values_of(query, watched))))
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert not re.search(r"Seq Scan on (\w+\.)?observations", plan), f"{query}\n{plan}"
        cursor.execute("EXPLAIN SELECT count(*) FROM observations WHERE procedure_code = 'x'")
        assert re.search(r"Seq Scan on (\w+\.)?observations", "\n".join(row[0] for row in cursor.fetchall()))
        cursor.execute("RESET enable_seqscan")


def test_an_auditor_of_one_unit_is_answered_too(watched: Watched, auditor: Session, unit_auditor: Session) -> None:
    fewer = 0
    for query in SQL:
        values = {**next(values_of(query, watched)), **({"unit": _UNIT} if query.dashboard == "tthc-unit" else {})}
        statement = filled(query, values)
        seen, whole = rows_of(unit_auditor, statement)[0], rows_of(auditor, statement)[0]
        assert len(seen) <= len(whole), query
        fewer += len(seen) < len(whole)
    assert fewer > 3, "an auditor of one unit sees the whole province"


# -- Prometheus -----------------------------------------------------------------------------------------------------


def has_data(series: Sequence[Any]) -> bool:
    """At least one sample that is a number."""
    samples = [sample for one in series for sample in (one["values"] if "values" in one else [one["value"]])]
    return any(value != "NaN" for _, value in samples)


@pytest.mark.parametrize("query", PROMQL, ids=str)
def test_promql_is_answered_with_data(query: Query, watched: Watched) -> None:
    ask = watched.prometheus.now if query.instant else watched.prometheus.lately
    asked = [promql(query.text, values) for values in values_of(query, watched)]

    def answered() -> bool:
        return any(has_data(ask(one)) for one in asked)

    if str(query) in EMPTY_WHEN_ALL_IS_WELL:
        answered()
        return
    # Some shares need a dossier that ends while Prometheus looks; the demo goes on, with one every few seconds.
    wait_for(answered, max(0.0, watched.deadline - time.monotonic()))


def test_what_the_variables_offer_is_there(watched: Watched) -> None:
    assert watched.prometheus.ask("label/job/values", **{"match[]": "tthc_database_up"}) == [JOB]


# -- what alerts and recording rules ask ------------------------------------------------------------------------------

_ALERTING = [
    (rule.get("alert") or rule["record"], rule) for name in ("recording.yml", "alerts.yml") for rule in rules(name)
]
_ABSENT_WHEN_ALL_IS_WELL = {
    "tthc_evaluation_oldest_pending_timestamp_seconds": "nothing waits to be judged, as a rule",
    "tthc_digest_missing": "the demo sends digests to nobody",
    "tthc_digest_served": "the demo sends digests to nobody",
}


@pytest.mark.parametrize(
    ("title", "rule"), _ALERTING, ids=[f"{title}-{number}" for number, (title, _) in enumerate(_ALERTING)]
)
def test_what_a_rule_asks_of_the_service_is_there(title: str, rule: dict[str, Any], watched: Watched) -> None:
    for expression in expressions(rule):
        if "{{" not in expression and "%" not in expression:
            watched.prometheus.now(expression)
        for name in metric_names(expression):
            if ":" in name or name in _ABSENT_WHEN_ALL_IS_WELL:
                continue

            def told(name: str = name) -> bool:
                return has_data(watched.prometheus.now(f"count({name})"))

            wait_for(told, max(0.0, watched.deadline - time.monotonic()))
