"""What must hold of the Dockerfile, and of what is built from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import yaml

from tests.house.compose_files import PORT, Files, interpolated
from tests.house.files import ROOT


def image_problems(files: Files) -> Iterator[str]:
    """All that is wrong with the image."""
    text = files.text("Dockerfile")
    last = text[text.rindex("\nFROM ") :]
    user = re.findall(r"^USER (\S+)$", last, flags=re.MULTILINE)
    if user != ["10001:10001"] or "--uid 10001" not in last or "--gid 10001" not in last:
        yield f"the image runs as {user}"
    if "--require-hashes -r requirements/run.txt" not in text:
        yield "the image is not made from the locked packages"
    for line in files.instructions("FROM"):
        if not re.match(r"python:3\.1\d-slim-[a-z]+(\s|$)", line):
            yield f"the image begins with {line}, which names no version"
    if len(set(files.instructions("FROM")[0].split()[:1]) | {files.instructions("FROM")[-1].split()[0]}) != 1:
        yield "the stages begin with different images: what is installed in one may not run in the other"
    if files.instructions("EXPOSE") != [str(PORT)]:
        yield f"the image names the port {files.instructions('EXPOSE')}"
    check = " ".join(files.instructions("HEALTHCHECK"))
    if f"http://127.0.0.1:{PORT}/-/healthy" not in check:
        yield "the image's health is asked for elsewhere"
    home = yaml.safe_load(interpolated(files.text(files.configuration)))["data_dir"]
    if files.instructions("VOLUME") != [home] or home not in files.mounts("service"):
        yield f"data_dir is {home}, the volume {files.instructions('VOLUME')}"
    ignored = files.text(".dockerignore").splitlines()
    wheel = tomllib.loads(files.text("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    for needed in (
        *wheel["packages"],
        *wheel["force-include"],
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "requirements",
    ):
        if f"!{needed}" not in ignored:
            yield f"the image is built without {needed}"
    for one in ignored:
        if one.startswith("!") and not (ROOT / one[1:]).exists():
            yield f".dockerignore names {one[1:]}, which is not there"
