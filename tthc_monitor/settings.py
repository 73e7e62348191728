"""The configuration file: what a person may write, checked as a whole, every problem with its line.

``${NAME}`` and ``${NAME:-default}`` in a text are replaced by environment variables; as in a shell, the default stands
for a variable that is not set or empty.
"""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator, model_validator

from tthc_monitor.digest_settings import DigestSettings
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.time_limits import ClockPolicy
from tthc_monitor.domain.yaml_text import Document, parse_yaml, validate
from tthc_monitor.monitoring_settings import MonitoringSettings
from tthc_monitor.privacy_settings import ApplicantKeySettings, RetentionSettings, check_keys
from tthc_monitor.recipient_settings import Recipient
from tthc_monitor.report_settings import ClockTime, ReportSettings
from tthc_monitor.serve_settings import Port, ServeSettings
from tthc_monitor.source_settings import Part, ReceiveSettings, SourceSettings
from tthc_monitor.transport_settings import SmtpSettings, WebhookSettings

__all__ = [
    "DEFAULT_FILE",
    "DatabaseSettings",
    "DigestSettings",
    "LedgerSettings",
    "MonitoringSettings",
    "ReceiveSettings",
    "Recipient",
    "ReportSettings",
    "RetentionSettings",
    "RulesSettings",
    "ServeSettings",
    "Settings",
    "SmtpSettings",
    "SourceSettings",
    "TimeLimitSettings",
    "WebhookSettings",
    "load_settings",
    "shipped_calendar",
    "shipped_calendar_text",
]

DEFAULT_FILE = "tthc-monitor.yaml"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}")
# It goes into a header, in brackets: printable ASCII other than those.
Contact = Annotated[str, Field(pattern=r"^[!-'*-~][ !-'*-~]{0,199}$")]


class DatabaseSettings(Part):
    """Where the data live. Without ``url`` a PostgreSQL of our own runs in ``data_dir``, on loopback ``port``.

    ``migration_url`` is the address of the login that looks after the database; only upgrades and the making of logins
    use it, and without it they use ``url``.
    """

    url: SecretStr | None = None
    migration_url: SecretStr | None = None
    port: Port = 0


class RulesSettings(Part):
    """Rule packs in force: names of shipped ones, or paths of files ending in .yaml; a later one overrides.

    ``core`` holds the official verdict; without it nothing can be judged.
    """

    packs: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "core",
        "lateness",
        "returned",
        "duties",
        "petitions",
        "interagency",
        "integrity",
        "national",
    )


class TimeLimitSettings(Part):
    """How time limits are counted. ``policy`` is for imported limits that say none; see :class:`ClockPolicy`."""

    policy: ClockPolicy = ClockPolicy()
    clock_starts: str = "vn"


class LedgerSettings(Part):
    """The ledger: recomputed from its rows every night at ``check_at``."""

    check_at: ClockTime = "03:30"


class Settings(Part):
    """The whole configuration. ``base_dir`` and ``document`` are set by :func:`load_settings`.

    ``contact`` is a mail address or a page; the sources read in it whom to call about our requests.
    """

    data_dir: str | None = None
    contact: Contact | None = None
    applicant_key_file: str | None = None
    applicant_keys: tuple[ApplicantKeySettings, ...] = ()
    database: DatabaseSettings = DatabaseSettings()
    calendar: CalendarSpec
    rules: RulesSettings = RulesSettings()
    time_limits: TimeLimitSettings = TimeLimitSettings()
    sources: tuple[SourceSettings, ...] = ()
    serve: ServeSettings = ServeSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    smtp: SmtpSettings | None = None
    webhook: WebhookSettings | None = None
    digest: DigestSettings = DigestSettings()
    report: ReportSettings = ReportSettings()
    retention: RetentionSettings = RetentionSettings()
    ledger: LedgerSettings = LedgerSettings()

    base_dir: Path = Field(default=Path(), exclude=True)
    document: Document = Field(default=Document("(none)", {}, {}), exclude=True, repr=False)

    @field_validator("sources")
    @classmethod
    def _names_once(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        names = [source.name for source in sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"source '{name}' stands twice; rename one of the two")
        return sources

    @model_validator(mode="after")
    def _keys_follow_each_other(self) -> Settings:
        check_keys(self.applicant_keys, single=self.applicant_key_file is not None)
        return self

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Settings:
        parts = (("smtp", self.smtp, "host and sender"), ("webhook", self.webhook, "url and secret_file"))
        for name, part, with_ in parts:
            if part is None and self.digest.transport == name:
                raise ValueError(f"digest.transport is {name}, but there is no {name} part; add it with {with_}")
            if part is None and any(one.transport == name for one in self.digest.recipients):
                raise ValueError(f"a recipient has transport {name}, but there is no {name} part; add it with {with_}")
        return self

    @model_validator(mode="after")
    def _links_lead_somewhere(self) -> Settings:
        if self.digest.acknowledge is not None and self.serve.public_url is None:
            raise ValueError(
                "digest.acknowledge puts links into mails, but serve.public_url does not say where they lead; add it"
            )
        return self

    @property
    def zone(self) -> str:
        """Zone in which people read times: the calendar's."""
        return self.calendar.zone

    def source(self, name: str) -> SourceSettings:
        """The source of that name.

        Raises:
            ConfigError: there is none.
        """
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources) or "none"
        raise ConfigError(f"there is no source '{name}' in {self.document.file}; the sources are: {known}")

    def options_of(self, source: SourceSettings) -> Document:
        """The options of a source with their lines in the file."""
        index = self.sources.index(source)
        if "options" not in self.document.data["sources"][index]:
            return Document(self.document.file, {}, {(): self.document.line(("sources", index)) or 1})
        return self.document.at("sources", index, "options")


def shipped_calendar(name: str) -> Document:
    """A calendar that comes with the program.

    Raises:
        ConfigError: there is none of that name.
    """
    return parse_yaml(shipped_calendar_text(name), f"{name}.yaml")


def shipped_calendar_text(name: str) -> str:
    """The file of a calendar that comes with the program.

    Raises:
        ConfigError: there is none of that name.
    """
    folder = files("rules").joinpath("calendars")
    names = sorted(item.name.removesuffix(".yaml") for item in folder.iterdir())
    if name not in names:
        raise ConfigError(
            f"calendar '{name}' is not shipped; use {', '.join(names)}, a path ending in .yaml, or write it out"
        )
    return folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def load_settings(path: Path) -> Settings:
    """Read and check a configuration file.

    Raises:
        ConfigError: all problems of the file at once, each with its line.
    """
    document = _substitute(parse_yaml(_read(path), str(path)))
    if not isinstance(document.data, dict):
        raise ConfigError(
            [Problem(str(path), 1, "the file is not a mapping of settings; see the reference configuration")]
        )
    for reserved in ("base_dir", "document"):
        if reserved in document.data:
            raise ConfigError([Problem(str(path), document.line((reserved,)), f"unknown key '{reserved}'; remove it")])
    calendar = document.data.get("calendar", "vn")
    if isinstance(calendar, str):
        document.data["calendar"] = _calendar(calendar, path)
    return validate(Settings, document).model_copy(update={"base_dir": path.resolve().parent, "document": document})


def _calendar(name: str, path: Path) -> CalendarSpec:
    if name.endswith((".yaml", ".yml")):
        file = path.parent / name
        return validate(CalendarSpec, parse_yaml(_read(file), str(file)))
    return validate(CalendarSpec, shipped_calendar(name))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; name the configuration with --config FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; make it a readable UTF-8 file") from None


def _substitute(document: Document) -> Document:
    problems: list[Problem] = []

    def replaced(value: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(value, dict):
            return {key: replaced(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [replaced(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value

        def variable(match: re.Match[str]) -> str:
            found = os.environ.get(match["name"]) or match["default"]
            if found is None and match["name"] not in os.environ:
                message = (
                    f"environment variable {match['name']} is not set; set it, or write ${{{match['name']}:-default}}"
                )
                problems.append(Problem(document.file, document.line(path), message))
            return found or ""

        return _VARIABLE.sub(variable, value)

    data = replaced(document.data, ())
    if problems:
        raise ConfigError(problems)
    return Document(document.file, data, document.lines)
