"""The container files agree with the program: commands, ports, settings. No container engine is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.cli_tree import problem_with
from tests.house.files import ROOT
from tthc_monitor.settings import ServeSettings, load_settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
PORT = ServeSettings().port


def instructions(word: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(word).strip() for line in joined.splitlines() if line.startswith(f"{word} ")]


def test_every_command_exists() -> None:
    assert json.loads(instructions("ENTRYPOINT")[-1]) == ["tthc-monitor"]
    assert problem_with(json.loads(instructions("CMD")[-1])) is None
    assert set(OURS) == {"migrate", "service"}
    for name, service in OURS.items():
        assert problem_with(service["command"]) is None, name


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert problem_with(["db", "upgarde"]) == "there is no command 'db upgarde'"
    assert problem_with(["serve", "--prot", "1"]) == "'serve' has no option --prot"


def test_ports_are_open_on_loopback_only() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert published
    for port in published:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port), port


def test_the_port_is_the_same_everywhere() -> None:
    assert [port.rpartition(":")[2] for port in OURS["service"]["ports"]] == [str(PORT)]
    assert instructions("EXPOSE") == [str(PORT)]
    assert f"http://127.0.0.1:{PORT}/-/healthy" in " ".join(instructions("HEALTHCHECK"))
    prometheus = yaml.safe_load(
        (ROOT / "tthc_monitor" / "monitoring" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    )
    targets = [
        target for job in prometheus["scrape_configs"] for one in job["static_configs"] for target in one["targets"]
    ]
    assert f"service:{PORT}" in targets


def test_the_configuration_is_read_with_the_environment_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = COMPOSE["configs"]["tthc_monitor"]["content"]
    assert not re.search(r"(?<!\$)\$\{", content), "a single $ would write the value into the file; use $$"
    given = OURS["service"]["environment"]
    wanted = set(re.findall(r"\$\$\{([A-Z_]+)", content))
    assert wanted == {name for name in given if name != "TTHC_CONFIG"}
    for name in wanted:
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "abc123", given[name]))
    file = tmp_path / "tthc-monitor.yaml"
    file.write_text(content.replace("$$", "$"), encoding="utf-8")
    settings = load_settings(file)
    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == "postgresql://tthc_owner:abc123@postgres:5432/tthc"
    assert (settings.serve.host, settings.serve.port) == ("0.0.0.0", PORT)  # noqa: S104  (inside the container)
    assert settings.smtp is not None
    assert settings.smtp.host in COMPOSE["services"]


def test_the_configuration_lies_where_the_image_looks_for_it() -> None:
    targets = {one["target"] for service in OURS.values() for one in service["configs"]}
    (target,) = targets
    assert f"TTHC_CONFIG={target}" in DOCKERFILE


def test_passwords_come_from_outside_and_have_no_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    secrets = re.findall(r"\$\{([A-Z_]*(?:PASSWORD|SECRET|TOKEN|KEY)[A-Z_]*)([^}]*)\}", text)
    assert secrets
    assert all(rest.startswith(":?") for _, rest in secrets), secrets
    for name, service in COMPOSE["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY", variable):
                assert str(value).startswith("${"), f"{name}: {variable}"


def test_images_are_pinned_and_services_watched() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.search(r":v?\d+(\.\d+)+$", service["image"]), f"{name}: {service['image']} names no version"
        watched = "healthcheck" in service or ("build" in service and instructions("HEALTHCHECK"))
        assert watched, f"{name} has no health check"


def test_the_image_does_not_run_as_root() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^USER (?!root\b|0\b)\S+$", last, flags=re.MULTILINE)
    assert "--require-hashes -r requirements/run.txt" in DOCKERFILE
