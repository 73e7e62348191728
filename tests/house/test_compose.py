"""The container files agree with the program and with each other, and what would be wrong with them is noticed.

No container engine is needed: the form is judged by the Compose Specification's own types, the rest by what the program,
the configuration and the files of Prometheus, Alertmanager and Grafana say.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.house.cli_tree import problem_with
from tests.house.compose_files import GIVEN, Files, interpolated
from tests.house.compose_rules import problems
from tests.house.files import ROOT
from tests.house.test_docs import shell_lines
from tthc_monitor.settings import load_settings

COMPOSE = "docker-compose.yml"
PROMETHEUS = "tthc_monitor/monitoring/prometheus/prometheus.yml"
CONFIG = "examples/compose/tthc-monitor.yaml"
FILES = Files()


def test_nothing_is_wrong() -> None:
    assert problems(FILES) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (COMPOSE, "    init: true", "    intit: true", "specification: .*intit"),
        (COMPOSE, "condition: service_healthy", "condition: healthy", "specification: .*unknown variant"),
        (COMPOSE, "interval: 15s", "interval: soon", "specification: "),
        (COMPOSE, "networks: [watching]", "networks: [watchin]", "specification: .*watchin"),
        (COMPOSE, "restart: unless-stopped", "restart: always-on", "specification: .*restart"),
        (COMPOSE, "  read_only: true", "  read_only: false", "may write to its image"),
        (COMPOSE, "cap_drop: [ALL]", "cap_drop: [NET_RAW]", "keeps capabilities"),
        (COMPOSE, '"127.0.0.1:${TTHC_PORT:-9766}:9766"', '"${TTHC_PORT:-9766}:9766"', "is not on loopback"),
        (COMPOSE, '"127.0.0.1:${TTHC_PORT:-9766}:9766"', '"127.0.0.1:${TTHC_PORT:-9766}:9767"', "published is .9767"),
        (COMPOSE, "http://127.0.0.1:9090/", "http://127.0.0.1:9091/", "its health is asked for on 9091"),
        (COMPOSE, "image: grafana/grafana:12.4.3", "image: grafana/grafana:latest", "names no version"),
        (COMPOSE, "image: tthc-monitor:0.1.0", "image: tthc-monitor:0.0.9", "the version is"),
        (COMPOSE, "prom/prometheus:v3.14.0\n", "prom/prometheus:v3.14.0\n    profiles: [x]\n", "behind a profile"),
        (COMPOSE, "${GRAFANA_ADMIN_PASSWORD:?set GRAFANA_ADMIN_PASSWORD in .env}", "${GRAFANA_ADMIN_PASSWORD:-admin}", "has a default"),
        (COMPOSE, '"${TTHC_GRAFANA_PASSWORD:?set TTHC_GRAFANA_PASSWORD in .env}"', '"admin"', "is written out"),
        (COMPOSE, "tthc_dich_vu:${TTHC_SERVICE_PASSWORD", "tthc_owner:${POSTGRES_PASSWORD", "service comes to the database as .*, made for it is tthc_dich_vu"),
        (COMPOSE, 'command: ["db", "upgrade"]', 'command: ["db", "upgarde"]', "there is no command 'db upgarde'"),
        (COMPOSE, 'command: ["serve"]', 'command: ["serve", "--prot", "1"]', "'serve' has no option --prot"),
        (COMPOSE, '"--password-env", "TTHC_SERVICE', '"--pasword-env", "TTHC_SERVICE', "has no option --pasword-env"),
        (COMPOSE, '"auditor", "grafana"', '"auditor", "grafana2"', "grafana comes to the database as grafana, made is"),
        (COMPOSE, '"tthc_dich_vu", "--password-env", "TTHC_SERVICE_', '"tthc_dich_vu", "--password-env", "TTHC_GRAFANA_', "is given"),
        (COMPOSE, "@postgres:5432/tthc", "@postgres:5433/tthc", "the database is at postgres:5433"),
        (COMPOSE, "TTHC_POSTGRES_LOGIN: grafana", "TTHC_POSTGRES_USER: grafana", "grafana's sources ask for"),
        (COMPOSE, ":/etc/grafana/dashboards:ro", ":/etc/grafana/boards:ro", "looks for dashboards in /etc/grafana/dashb"),
        (COMPOSE, "monitoring/alertmanager:/etc", "monitoring/alertmanger:/etc", "which is not there"),
        (COMPOSE, "/etc/prometheus:ro", "/etc/prometheus", "may write to ./tthc_monitor/monitoring/prometheus"),
        (COMPOSE, "--config.file=/etc/alertmanager/alertmanager.yml", "--config.file=/etc/am.yml", "does not read"),
        (COMPOSE, "postgres:/var/lib/postgresql", "postgres:/var/lib/postgresql/data", "which is no volume"),
        (COMPOSE, "  grafana:\n\nconfigs", "  grafana:\n  old:\n\nconfigs", "volumes used are"),
        (COMPOSE, "networks: [database, watching]\n    volumes:\n      - data", "networks: [database]\n    volumes:\n      - data", "prometheus does not reach service"),
        (COMPOSE, "networks: [watching]", "networks: [watching, database]", "prometheus reaches the database"),
        (COMPOSE, "stop_grace_period: 60s # jobs", "stop_grace_period: 40s # jobs", "is killed after 40s"),
        (COMPOSE, "      migrate:\n        condition: service_completed_successfully\n", "      postgres:\n        condition: service_healthy\n", "service begins before migrate"),
        (COMPOSE, "target: /etc/tthc-monitor/tthc-monitor.yaml", "target: /etc/tthc-monitor.yaml", "the configuration lies at"),
        (COMPOSE, "file: ./examples/compose/tthc-monitor.yaml", "file: ./examples/compose/x.yaml", "configuration examples/compose/x.yaml is not there"),
        (CONFIG, "port: 9766", "port: 9767", "the service listens on"),
        (CONFIG, "host: mailpit", "host: mail", "the service mails to mail"),
        (CONFIG, "${TTHC_DATABASE_URL}", "${TTHC_DB}", "and reads .'TTHC_DB'"),
        (CONFIG, "/var/lib/tthc-monitor", "/srv/tthc-monitor", "data_dir is /srv/tthc-monitor"),
        (PROMETHEUS, "service:9766", "service:9765", "prometheus asks .'service:9765'"),
        ("Dockerfile", "USER 10001:10001", "USER root", "the image runs as"),
        ("Dockerfile", "EXPOSE 9766", "EXPOSE 8000", "the image names the port"),
        ("Dockerfile", "127.0.0.1:9766/-/healthy", "127.0.0.1:9766/healthy", "health is asked for elsewhere"),
        ("Dockerfile", 'CMD ["serve"]', 'CMD ["srve"]', "there is no command 'srve'"),
        ("Dockerfile", "--require-hashes -r requirements/run.txt", "-r requirements/run.txt", "not made from the locked"),
        ("Dockerfile", "TTHC_CONFIG=/etc/", "TTHC_CONFIG=/opt/", "the configuration lies at"),
        (".dockerignore", "!alembic\n", "", "is built without alembic"),
    ],
)  # fmt: skip
def test_what_would_be_wrong_is_noticed(file: str, old: str, new: str, told: str) -> None:
    text = FILES.text(file)
    assert old in text, f"{file} has no '{old}' any more; change this test with it"
    found = problems(Files({file: text.replace(old, new)}))
    assert any(re.search(told, one) for one in found), found


def test_the_configuration_is_read_with_the_environment_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FILES.ours["service"]["environment"].items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "tthc-monitor.yaml"
    file.write_text(FILES.text(CONFIG), encoding="utf-8")
    settings = load_settings(file)
    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == f"postgresql://tthc_dich_vu:{GIVEN}@postgres:5432/tthc"
    assert settings.database.migration_url is None
    assert settings.smtp is not None and settings.smtp.host in FILES.services
    assert settings.digest.transport == "smtp" and settings.digest.recipients


def test_variables_are_replaced_as_an_engine_does() -> None:
    assert interpolated("${A:?set A} ${B:-5} $$x ${C}", {"A": "1"}) == f"1 5 $x {GIVEN}"


def test_the_readme_makes_the_passwords_that_are_asked_for() -> None:
    """The line that writes .env names every password, there and at the head of the compose file."""
    wanted = set(re.findall(r"\$\{(\w+_PASSWORD):\?", FILES.text(COMPOSE)))
    for file in ("README.md", COMPOSE, "docs/operations.md"):
        made = re.search(r"for of in ([A-Z_ ]+); do", FILES.text(file))
        assert made is not None, file
        assert {f"{one}_PASSWORD" for one in made[1].split()} == wanted, file


def typed(line: str) -> tuple[str, list[str]]:
    """Of a line ``docker compose run`` or ``exec``: the service, and the command line of ours."""
    words = shlex.split(line)[2:]
    how, rest = words[0], words[1:]
    while rest[0].startswith("-"):
        # Of the options that are used only these take a value.
        rest = rest[2:] if rest[0] in ("--user", "--volume") else rest[1:]
    service, command = rest[0], rest[1:]
    if how == "exec":
        assert command.pop(0) == "tthc-monitor", line
    return service, command


def test_what_the_handbook_types_into_containers_exists() -> None:
    lines = [
        line for line in shell_lines(FILES.text("docs/operations.md")) if re.match("docker compose (run|exec) ", line)
    ]
    assert len(lines) >= 4
    for line in lines:
        service, command = typed(line)
        assert service in FILES.ours, line
        assert problem_with(command) is None, line


def test_the_services_stand_in_the_handbook() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    missing = [name for name in yaml.safe_load(FILES.text(COMPOSE))["services"] if f"`{name}`" not in page]
    assert not missing
