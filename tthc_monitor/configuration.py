"""The configuration as a flat list of settings that may be shown: what is put on record when it changes."""

from __future__ import annotations

import json
import os
import pwd
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr, ValidationError

from connectors.registry import connector_class
from rules.judge import ENGINE_VERSION
from rules.model import Rule
from tthc_monitor.domain.disclosure import HIDDEN, Disclosed, disclosed, masked_addresses
from tthc_monitor.domain.durations import written
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.settings import Settings, SourceSettings
from tthc_monitor.store.configuration import Aspect, Author

Items = dict[str, Disclosed]
"""Values by the path of their setting, such as ``sources[mot-cua].every``."""

PERSON_VARIABLE: Final = "TTHC_PERSON"
_IDENTITIES: Final = ("name", "address", "code")
_DAYS: Final = ("date", "from")


def author(person: str | None = None) -> Author:
    """Who runs this process: as told by argument or environment, else by the account.

    The account is the system's own knowledge of it; a variable such as USER says what one likes.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    account = f"{name}@{socket.gethostname()}"
    told = person or os.environ.get(PERSON_VARIABLE, "")
    return Author(told.strip() or account, account)


def program_version() -> str:
    """Version of the program that is installed."""
    return version("tthc-monitor")


def configuration(settings: Settings, rules: Sequence[Rule]) -> Mapping[Aspect, Items]:
    """Everything that decides what is pulled, how it is judged, and to whom it is told."""
    secrets = frozenset(_secrets(settings))
    whole = {name: getattr(settings, name) for name in type(settings).model_fields}
    for apart in ("calendar", "base_dir", "document"):
        del whole[apart]
    found: Items = {}
    for path, name, value in _leaves(whole, "", ""):
        found[_unused(path, found)] = _shown(name, value, secrets)
    found |= _applicant_keys(settings)
    calendar = settings.calendar.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "settings": found,
        "calendar": {path: _shown(name, value, ()) for path, name, value in _leaves(calendar, "", "")},
        "rules": _rules(settings, rules),
        "program": {"version": Disclosed(program_version()), "engine": Disclosed(ENGINE_VERSION)},
    }


def _rules(settings: Settings, rules: Sequence[Rule]) -> Items:
    """Fingerprints of the files, and of each rule in force."""
    found = {f"packs[{name}]": _file("packs", name, settings.base_dir) for name in settings.rules.packs}
    starts = settings.time_limits.clock_starts
    found[f"clock_starts[{starts}]"] = _file("clock", starts, settings.base_dir)
    return found | {rule.code: Disclosed(rule.fingerprint()) for rule in rules}


def _file(folder: str, name: str, base_dir: Path) -> Disclosed:
    own = name.endswith((".yaml", ".yml"))
    try:
        content = (base_dir / name if own else files("rules").joinpath(folder, f"{name}.yaml")).read_bytes()
    except OSError:
        return Disclosed("(cannot be read)")
    return Disclosed(f"sha256 {sha256(content).hexdigest()}")


def _applicant_keys(settings: Settings) -> Items:
    """Whether a key of the applicant hash is another one; where it cannot be read, who needs it will tell."""
    named = {"applicant_key": settings.applicant_key_file} if settings.applicant_key_file is not None else {}
    named |= {f"applicant_key[{key.id or key.file}]": key.file for key in settings.applicant_keys}
    found: Items = {}
    for path, file in named.items():
        with suppress(OSError):
            found[path] = Disclosed(HIDDEN, (settings.base_dir / file).read_bytes().hex())
    return found


def _secrets(settings: Settings) -> Iterator[str]:
    """The values of all settings whose type says that they are secret, those of the sources' options included."""
    yield from _secret_values(settings)
    for source in settings.sources:
        options = _options(source)
        if options is not None:
            yield from _secret_values(options)


def _options(source: SourceSettings) -> BaseModel | None:
    """The options of a source by its kind's model; None where they are wrong, which who pulls it will tell."""
    try:
        return connector_class(source.kind).Options.model_validate(source.options)
    except (ConfigError, ValidationError):
        return None


def _secret_values(part: Any) -> Iterator[str]:
    if isinstance(part, SecretStr):
        yield part.get_secret_value()
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _secret_values(getattr(part, name))
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from _secret_values(value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from _secret_values(value)


def _leaves(part: Any, path: str, name: str) -> Iterator[tuple[str, str, Any]]:
    """Path, own name and value of each setting; lists of named parts by their names, other lists as one value."""
    if isinstance(part, BaseModel):
        part = {field: getattr(part, field) for field in type(part).model_fields}
    if isinstance(part, Mapping):
        for key, value in part.items():
            # What is sent as a header is for the other side to know.
            own = "secret" if name.lower() == "headers" else str(key)
            yield from _leaves(value, f"{path}.{key}" if path else str(key), own)
        return
    if not isinstance(part, (list, tuple)) or not any(isinstance(one, (Mapping, BaseModel)) for one in part):
        if part is not None and part not in ([], ()):
            yield path, name, part
        return
    for place, one in enumerate(sorted(part, key=_identity), start=1):
        label, is_day = _label(one, place)
        if is_day:
            yield f"{path}[{label}]", name, one
        else:
            yield from _leaves(one, f"{path}[{label}]", name)


def _identity(part: Any) -> str:
    label, _ = _label(part, 0, masked=False)
    return label


def _label(part: Any, place: int, *, masked: bool = True) -> tuple[str, bool]:
    """What a part of a list is known by, and whether it is a day of a calendar, which is one value."""
    fields = {name: getattr(part, name) for name in type(part).model_fields} if isinstance(part, BaseModel) else part
    if isinstance(fields, Mapping):
        for name in _DAYS + _IDENTITIES:
            if isinstance(fields.get(name), str):
                return (masked_addresses(fields[name]) if masked else fields[name]), name in _DAYS
    return str(place), False


def _unused(path: str, found: Items) -> str:
    """The path, numbered where two look alike because addresses are masked."""
    number = 2
    unused = path
    while unused in found:
        unused, number = f"{path} ({number})", number + 1
    return unused


def _shown(name: str, value: Any, secrets: frozenset[str] | tuple[str, ...]) -> Disclosed:
    if isinstance(value, SecretStr):
        return Disclosed(HIDDEN, value.get_secret_value())
    return disclosed(name, value if isinstance(value, str) else _text(value), secrets)


def _text(value: Any) -> str:
    if isinstance(value, timedelta):
        return written(value)
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
