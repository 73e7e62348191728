"""What must hold of docker-compose.yml and the Dockerfile; each function tells what does not, in words."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import compose_spec
import yaml

from tests.house.cli_tree import problem_with
from tests.house.compose_files import PORT, Files, interpolated
from tests.house.dockerfile_rules import image_problems
from tests.house.files import ROOT, relative, repository_files
from tthc_monitor import scheduler

_LISTENING = {"postgres": 5432, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000, "mailpit": 8025}
_SMTP = 1025
_TALKS = (
    *(("migrate", "postgres"), ("service-login", "postgres"), ("grafana-login", "postgres"), ("service", "postgres")),
    *(("service", "mailpit"), ("prometheus", "service"), ("prometheus", "alertmanager"), ("alertmanager", "mailpit")),
    *(("grafana", "prometheus"), ("grafana", "postgres")),
)
_ONCE = {"migrate", "service-login", "grafana-login"}
_CONTRACT = {"postgres", "migrate", "service", "prometheus", "alertmanager", "grafana", "mailpit"}


def problems(files: Files) -> list[str]:
    """All that is wrong."""
    try:
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(files.compose)).validate()
    except ValueError as error:
        return [f"specification: {error}"]
    if files.configuration not in {relative(path) for path in repository_files()}:
        return [f"the configuration {files.configuration} is not there"]
    rules = (_whole, _contained, _ports, _secrets, _order, _places, _commands, _logins, _talks, _grafana, _watching)
    return [told for rule in (*rules, image_problems) for told in rule(files)]


def _whole(files: Files) -> Iterator[str]:
    if missing := _CONTRACT - set(files.services):
        yield f"services missing: {sorted(missing)}"
    for name, service in files.services.items():
        if "profiles" in service:
            yield f"{name} stands behind a profile"
        if not re.search(r":v?\d+(\.\d+)+$", service["image"]):
            yield f"{name}: image {service['image']} names no version"
        if files.healthcheck(name) is None and name not in _ONCE:
            yield f"{name} has no health check"
        if (service.get("restart") == "no") != (name in _ONCE):
            yield f"{name}: restart {service.get('restart')}"
    version = tomllib.loads(files.text("pyproject.toml"))["project"]["version"]
    for name, service in files.ours.items():
        if service["image"] != f"tthc-monitor:{version}":
            yield f"{name}: image {service['image']}, the version is {version}"


def _contained(files: Files) -> Iterator[str]:
    for name, service in files.services.items():
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if service.get("cap_add") and name != "postgres":
            yield f"{name} is given capabilities"
        if service.get("security_opt") != ["no-new-privileges:true"]:
            yield f"{name} may gain privileges"
        if service.get("read_only") is not True:
            yield f"{name} may write to its image"
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield f"{name}: its log grows without end"
        for forbidden in ("privileged", "network_mode", "pid", "ipc", "userns_mode", "devices"):
            if forbidden in service:
                yield f"{name} has {forbidden}"


def _ports(files: Files) -> Iterator[str]:
    for name, service in files.written["services"].items():
        for port in service.get("ports", ()):
            if not re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port):
                yield f"{name}: port {port} is not on loopback, or cannot be changed"
    for name in files.services:
        listening = PORT if name in files.ours else _LISTENING[name]
        if name not in _ONCE and files.ports(name) != {listening}:
            yield f"{name} listens on {listening}, published is {sorted(files.ports(name))}"
        found = re.search(r"127\.0\.0\.1:(\d+)", files.healthcheck(name) or "")
        if found and int(found[1]) != listening:
            yield f"{name} listens on {listening}, its health is asked for on {found[1]}"
    settings = yaml.safe_load(files.text(files.configuration))["serve"]
    if (settings["host"], settings["port"]) != ("0.0.0.0", PORT):  # noqa: S104  (inside the container)
        yield f"the service listens on {settings}"


def _secrets(files: Files) -> Iterator[str]:
    text = files.text("docker-compose.yml")
    for name, rest in re.findall(r"\$\{([A-Z_]*(?:PASSWORD|SECRET|TOKEN|KEY)[A-Z_]*)([^}]*)\}", text):
        if not rest.startswith(f":?set {name} in .env"):
            yield f"{name} has a default, or nothing says where it is set: {rest}"
    for name, service in files.written["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY", variable) and not str(value).startswith("${"):
                yield f"{name}: {variable} is written out"
        if name not in _ONCE | {"postgres"} and "${POSTGRES_PASSWORD" in json.dumps(service):
            yield f"{name} knows the owner's password"


def _order(files: Files) -> Iterator[str]:
    for name, service in files.services.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in _ONCE else "service_healthy"
            if other not in files.services:
                yield f"{name} waits for {other}, which is none"
            elif how["condition"] != wanted:
                yield f"{name} waits for {other} as {how['condition']}"
    for name, before in (("service", "migrate"), ("service", "service-login"), ("grafana", "grafana-login")):
        if before not in _all_before(files, name):
            yield f"{name} begins before {before} has ended"
    patience = scheduler._PATIENCE_SECONDS
    grace = str(files.services["service"].get("stop_grace_period", "10s"))
    if not grace.endswith("s") or float(grace[:-1]) < patience + 10:
        yield f"the service waits {patience} seconds for its jobs, and is killed after {grace}"


def _all_before(files: Files, name: str) -> set[str]:
    direct = set(files.services.get(name, {}).get("depends_on", {}))
    return direct.union(*(_all_before(files, other) for other in direct)) if direct else set()


def _places(files: Files) -> Iterator[str]:
    used: dict[str, set[str]] = {"volumes": set(), "networks": set(), "configs": set()}
    for name, service in files.services.items():
        used["networks"] |= set(service.get("networks", ()))
        used["configs"] |= {one["source"] for one in service.get("configs", ())}
        for target, (source, options) in files.mounts(name).items():
            if not source.startswith("./"):
                used["volumes"].add(source)
                continue
            if options != "ro":
                yield f"{name} may write to {source}"
            if not (ROOT / source).exists():
                yield f"{name} mounts {source}, which is not there"
            if not target.startswith("/"):
                yield f"{name} mounts at {target}"
        if not service.get("networks"):
            yield f"{name} is in no network of its own"
    for kind, names in used.items():
        if names != set(files.compose.get(kind, {})):
            yield f"{kind} used are {sorted(names)}, declared {sorted(files.compose.get(kind, {}))}"


def _commands(files: Files) -> Iterator[str]:
    if files.entrypoint() != ["tthc-monitor"]:
        yield f"the image runs {files.entrypoint()}"
    for name, command in (
        ("the image", json.loads(files.instructions("CMD")[-1])),
        *((name, service["command"]) for name, service in files.ours.items()),
    ):
        told = problem_with(command)
        if told is not None:
            yield f"{name}: {told}"
    wanted = set(re.findall(r"\$\{(\w+)", files.text(files.configuration)))
    for name, service in files.ours.items():
        given, command = set(service["environment"]), service["command"]
        named = {after for word, after in pairwise(command) if word == "--password-env"}
        if given != wanted | named:
            yield f"{name} is given {sorted(given)}, and reads {sorted(wanted | named)}"
        targets = {one["target"] for one in service.get("configs", ())}
        if targets != {f"{_environment(files)['TTHC_CONFIG']}"}:
            yield f"{name}: the configuration lies at {sorted(targets)}"


def _environment(files: Files) -> dict[str, str]:
    found = [one for line in files.instructions("ENV") for one in re.findall(r"(\w+)=(\S+)", line)]
    return dict(found)


def _logins(files: Files) -> Iterator[str]:
    owner = files.services["postgres"]["environment"]
    made = {"tthc_owner": "POSTGRES_PASSWORD"}
    for service in files.written["services"].values():
        command = service.get("command", [])
        if command[:1] == ["db"] and "--password-env" in command:
            made[command[2]] = command[command.index("--password-env") + 1]
    wanted = {name: "tthc_dich_vu" if name == "service" else "tthc_owner" for name in files.ours}
    for name, login in wanted.items():
        written = files.written["services"][name]["environment"]["TTHC_DATABASE_URL"]
        if not written.startswith(f"postgresql://{login}:${{{made.get(login)}:?"):
            yield f"{name} comes to the database as {written}, made for it is {login} with {made.get(login)}"
        asked = urlsplit(files.services[name]["environment"]["TTHC_DATABASE_URL"])
        if (asked.hostname, asked.port, asked.path) != ("postgres", 5432, f"/{owner['POSTGRES_DB']}"):
            yield f"{name}: the database is at {asked.hostname}:{asked.port}{asked.path}"
    if owner["POSTGRES_USER"] != "tthc_owner":
        yield f"the owner is {owner['POSTGRES_USER']}"
    check = files.healthcheck("postgres") or ""
    if f"--username {owner['POSTGRES_USER']} --dbname {owner['POSTGRES_DB']}" not in check:
        yield "the health of postgres is asked for with another login or database"
    if files.mounts("postgres").get("/var/lib/postgresql", ("",))[0] != "postgres":
        yield "the data of PostgreSQL 18 lie in /var/lib/postgresql, which is no volume"


def _talks(files: Files) -> Iterator[str]:
    for name, other in _TALKS:
        if not set(files.services[name]["networks"]) & set(files.services[other]["networks"]):
            yield f"{name} does not reach {other}"
    for name in ("prometheus", "alertmanager", "mailpit"):
        if set(files.services[name]["networks"]) & set(files.services["postgres"]["networks"]):
            yield f"{name} reaches the database"
    smtp = yaml.safe_load(interpolated(files.text(files.configuration)))["smtp"]
    if (smtp["host"], smtp["port"]) != ("mailpit", _SMTP):
        yield f"the service mails to {smtp['host']}:{smtp['port']}"


def _grafana(files: Files) -> Iterator[str]:
    home = files.mounted("grafana", "/etc/grafana/provisioning")
    if home is None:
        yield "grafana has no provisioning"
        return
    sources = "".join(path.read_text("utf-8") for path in (ROOT / home / "datasources").glob("*.y*ml"))
    wanted = set(re.findall(r"\$(?:__env)?\{(\w+)\}", sources))
    environment: dict[str, Any] = files.written["services"]["grafana"]["environment"]
    given = {name for name in environment if not name.startswith("GF_")}
    if not wanted or wanted != given:
        yield f"grafana's sources ask for {sorted(wanted)}, given are {sorted(given)}"
        return
    login = files.services["grafana-login"]["command"]
    password = login[login.index("--password-env") + 1]
    if login[:3] != ["db", "auditor", environment["TTHC_POSTGRES_LOGIN"]] or "--unit" in login:
        yield f"grafana comes to the database as {environment['TTHC_POSTGRES_LOGIN']}, made is {login[:3]}"
    if not environment["TTHC_POSTGRES_PASSWORD"].startswith(f"${{{password}:?"):
        yield "grafana's password is not the one of its login"
    if environment["TTHC_POSTGRES_ADDRESS"] != "postgres:5432" or environment["TTHC_POSTGRES_DATABASE"] != "tthc":
        yield "grafana asks another database"
    if environment["TTHC_PROMETHEUS_URL"] != f"http://prometheus:{_LISTENING['prometheus']}":
        yield "grafana asks another Prometheus"
    for path in (ROOT / home / "dashboards").glob("*.y*ml"):
        for provider in yaml.safe_load(path.read_text("utf-8"))["providers"]:
            folder = files.mounted("grafana", provider["options"]["path"])
            if folder is None or not list((ROOT / folder).glob("*.json")):
                yield f"grafana looks for dashboards in {provider['options']['path']}, where none are"
    if not environment["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?"):
        yield "grafana's administrator has another password"


def _watching(files: Files) -> Iterator[str]:
    for name in ("prometheus", "alertmanager"):
        path = f"/etc/{name}/{name}.yml"
        source = files.mounted(name, path)
        if f"--config.file={path}" not in files.services[name]["command"] or source is None:
            yield f"{name} does not read {path}"
        elif not (ROOT / source).exists():
            yield f"{source} is not there"
        stored = {"prometheus": "--storage.tsdb.path=/prometheus", "alertmanager": "--storage.path=/alertmanager"}[name]
        if stored not in files.services[name]["command"] or f"/{name}" not in files.mounts(name):
            yield f"{name} keeps nothing"
    settings = yaml.safe_load(files.text("tthc_monitor/monitoring/prometheus/prometheus.yml"))
    for rules in settings.get("rule_files", ()):
        source = files.mounted("prometheus", f"/etc/prometheus/{rules}")
        if source is None or not (ROOT / source).exists():
            yield f"prometheus looks for rules in {rules}, which is not there"
    (job,) = (one for one in settings["scrape_configs"] if one["job_name"] == "tthc-monitor")
    targets = [target for one in job["static_configs"] for target in one["targets"]]
    if targets != [f"service:{PORT}"]:
        yield f"prometheus asks {targets}"
    told = [
        target
        for one in settings.get("alerting", {}).get("alertmanagers", ())
        for group in one["static_configs"]
        for target in group["targets"]
    ]
    if told != [f"alertmanager:{_LISTENING['alertmanager']}"]:
        yield f"prometheus tells its alerts to {told}"
    mails = files.text("tthc_monitor/monitoring/alertmanager/alertmanager.yml")
    if f"mailpit:{_SMTP}" not in mails:
        yield "alertmanager mails to another server"
