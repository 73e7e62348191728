"""What docker-compose.yml, the Dockerfile and the files that they mount say, read as an engine would read them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from tests.house.files import ROOT
from tthc_monitor.settings import ServeSettings

PORT = ServeSettings().port
GIVEN = "abc123"
"""Value of every variable that has none in the files."""

_VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?(?P<told>[^}]*))?\}")


def interpolated(text: str, given: dict[str, str] | None = None) -> str:
    """A text with its variables replaced, as an engine does it before it reads YAML."""

    def value(match: re.Match[str]) -> str:
        return (given or {}).get(match["name"]) or match["default"] or GIVEN

    return _VARIABLE.sub(value, text).replace("$$", "$")


@dataclass(frozen=True)
class Files:
    """The files of a deployment; ``changed`` holds other contents than those of the repository, by path."""

    changed: dict[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The content of a file of the repository."""
        return self.changed.get(path) or (ROOT / path).read_text(encoding="utf-8")

    @cached_property
    def compose(self) -> dict[str, Any]:
        """docker-compose.yml, its variables replaced."""
        found: dict[str, Any] = yaml.safe_load(interpolated(self.text("docker-compose.yml")))
        return found

    @cached_property
    def written(self) -> dict[str, Any]:
        """docker-compose.yml as it is written."""
        found: dict[str, Any] = yaml.safe_load(self.text("docker-compose.yml"))
        return found

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """All services by name."""
        found: dict[str, dict[str, Any]] = self.compose["services"]
        return found

    @property
    def ours(self) -> dict[str, dict[str, Any]]:
        """The services that run our program."""
        return {name: service for name, service in self.services.items() if "build" in service}

    @property
    def configuration(self) -> str:
        """Path of the configuration that ours are given."""
        return str(self.compose["configs"]["tthc_monitor"]["file"]).removeprefix("./")

    def instructions(self, word: str) -> list[str]:
        """The instructions of the Dockerfile that begin with a word, without it; those of the last stage come last."""
        lines = self.text("Dockerfile").replace("\\\n", " ").splitlines()
        return [line.removeprefix(word).strip() for line in lines if line.startswith(f"{word} ")]

    def mounts(self, service: str) -> dict[str, tuple[str, str]]:
        """Source and options of each mount of a service, by its place in the container."""
        parts = [str(one).split(":") for one in self.services[service].get("volumes", ())]
        return {part[1]: (part[0], ":".join(part[2:])) for part in parts}

    def mounted(self, service: str, path: str) -> str | None:
        """The path in the repository of a file or folder in a container; None: it is not mounted from there."""
        for target, (source, _) in self.mounts(service).items():
            if source.startswith("./") and (path == target or path.startswith(f"{target}/")):
                return source.removeprefix("./") + path.removeprefix(target)
        return None

    def ports(self, service: str) -> set[int]:
        """Ports of the container that are published."""
        return {int(str(one).rpartition(":")[2]) for one in self.services[service].get("ports", ())}

    def healthcheck(self, service: str) -> str | None:
        """What is run to see whether a service is well, as one line; None: nothing."""
        check = self.services[service].get("healthcheck")
        if check is None:
            found = self.instructions("HEALTHCHECK") if service in self.ours else []
            return found[-1] if found else None
        return None if check.get("disable") else " ".join(check["test"])

    def entrypoint(self) -> list[str]:
        """What the image runs."""
        found: list[str] = json.loads(self.instructions("ENTRYPOINT")[-1])
        return found
