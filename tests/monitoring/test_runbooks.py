"""The runbooks: a section for each alert and none besides, commands and queries that work, a page that a phone can show."""

from __future__ import annotations

import re

import pytest
from jinja2 import Environment, PackageLoader
from sqlalchemy import Engine

from tests.monitoring.rules_read import MONITORING, rules
from tthc_monitor.store.database import transaction
from tthc_monitor.web.runbooks import read_runbooks, runbooks_page

TEXT = (MONITORING / "runbooks.md").read_text(encoding="utf-8")
PARTS = ("Ý nghĩa.", "Vì sao.", "Kiểm tra.", "Xử lý.", "Bỏ qua khi.")
QUERIES = re.findall(r"```sql\n(.*?)```", TEXT, flags=re.DOTALL)


def test_each_alert_has_one_section_and_each_section_an_alert() -> None:
    _, _, entries = read_runbooks(TEXT)
    names = [entry.name for entry in entries]
    assert sorted(names) == sorted({rule["alert"] for rule in rules("alerts.yml")})
    for entry in entries:
        assert re.findall(r"<strong>(.*?)</strong>", entry.body) == list(PARTS), entry.name


def test_a_heading_that_names_no_alert_is_refused() -> None:
    with pytest.raises(ValueError, match="change it"):
        read_runbooks("# Sổ tay\n\n## Một mục lạ\n\nx\n")


@pytest.fixture(scope="module")
def page() -> str:
    return runbooks_page(Environment(loader=PackageLoader("tthc_monitor.outputs", "templates"), autoescape=True))


def test_the_page_has_an_anchor_for_each_alert_and_runs_nothing(page: str) -> None:
    anchors = re.findall(r'<section id="(\w+)">', page)
    assert set(anchors) == {rule["alert"] for rule in rules("alerts.yml")}
    assert set(re.findall(r'href="#(\w+)"', page)) <= set(anchors)
    assert '<meta name="viewport"' in page
    assert not re.search(r"<script|<img|<iframe|src=|@import|url\(", page)


def test_what_looks_like_html_is_shown_and_not_obeyed() -> None:
    _, _, (entry,) = read_runbooks("# Sổ tay\n\n## TthcX – Thử\n\n<script>x</script> và <b>y</b>\n")
    assert "&lt;script&gt;" in entry.body and "<b>" not in entry.body


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.split("FROM ")[1].split()[0])
def test_every_query_runs(query: str, engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.exec_driver_sql("SET LOCAL ROLE tthc_auditor")
        connection.exec_driver_sql(query).all()
