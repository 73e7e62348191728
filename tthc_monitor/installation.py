"""An installation: settings made real. Database open and migrated, rules and calendar loaded, connectors at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import Engine

from connectors.base import Connector, Surroundings
from connectors.http import read_secret
from connectors.registry import build
from rules.clock_rules import load_clock_starts
from rules.grounds import Grounds
from rules.loader import load_packs
from rules.model import Rule
from tthc_monitor.configuration import author, configuration, program_version
from tthc_monitor.domain.applicant_keys import ApplicantKey
from tthc_monitor.domain.calendars import Calendars
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.stopping import Stop
from tthc_monitor.privacy_settings import key_in_force
from tthc_monitor.settings import Settings, SourceSettings
from tthc_monitor.store import embedded, migrate, roles
from tthc_monitor.store.configuration import record_configuration
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.store.inbox import StoredInbox
from tthc_monitor.store.rights import SERVICE
from tthc_monitor.store.time_limits import limits_edition, load_limits

Clock = Callable[[], datetime]

SHORTEST_KEY: Final = 32
"""Bytes of a key that something is signed with."""

_SHORTEST_TOKEN = 16
"""Characters of a token that somebody on the network could try to guess."""


def system_clock() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Installation:
    """What jobs and commands work with."""

    settings: Settings
    engine: Engine
    rules: Sequence[Rule]
    now: Clock
    data_dir: Path
    stop: Stop = field(default_factory=Stop, repr=False, compare=False)
    """Asks what is under way to end early."""
    lease_clock: Clock | None = None
    """What leases of jobs are measured by; None: the clock of the database server, the same for all processes."""
    _recorded: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)
    _limits: list[tuple[tuple[int, int], object, Limits]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )
    """The limits read last, with their edition and the clock starts they were read by; none yet when empty."""

    def record_configuration(self, person: str | None = None) -> None:
        """Put on record, before the first work by it, a configuration that is not the one recorded last.

        Args:
            person: who has the work done; by default as the environment says, else the account of this process.

        Raises:
            DatabaseError: it cannot be recorded; then nothing may be pulled or judged by it.
        """
        if self._recorded.is_set():
            return
        found = configuration(self.settings, self.rules)
        with transaction(self.engine) as connection:
            record_configuration(connection, found, author(person), program_version())
        self._recorded.set()

    @cached_property
    def calendars(self) -> Calendars:
        """The calendar of the office at large and those of its units, compiled once."""
        return self.settings.calendar.compile_all()

    def stopped_by(self, stop: Stop) -> Installation:
        """The same, for a part of the work that can be asked to end by itself."""
        part = replace(self, stop=stop)
        for shared in ("_recorded", "_limits"):
            object.__setattr__(part, shared, getattr(self, shared))
        part.__dict__["calendars"] = self.calendars
        return part

    def connector(self, source: SourceSettings) -> Connector:
        """A connector for one of its sources, with its inbox; see :func:`make_connector`."""
        return make_connector(self.settings, source, self.now, self.engine)

    def grounds(self) -> Grounds:
        """What is judged by now: rules and calendar of the settings, limits of the catalogue in the database.

        Raises:
            ConfigError: limits that clash, or clock starts that cannot be read.
        """
        settings = self.settings
        starts = load_clock_starts(settings.time_limits.clock_starts, settings.base_dir)
        with transaction(self.engine) as connection:
            edition = limits_edition(connection)
            # The service asks every half minute, and a province has thousands of limits that seldom change.
            held = next((limits for *by, limits in self._limits if by == [edition, starts]), None)
            if held is None:
                held = Limits(load_limits(connection), settings.time_limits.policy, starts)
                self._limits[:] = [(edition, starts, held)]
        return Grounds(tuple(self.rules), settings.calendar, held)

    def folder(self, name: str) -> Path:
        """A folder of the settings: relative ones lie in the data folder."""
        return self.data_dir / name


def make_connector(settings: Settings, source: SourceSettings, now: Clock, engine: Engine | None = None) -> Connector:
    """A connector for a source, its options checked.

    Args:
        engine: where the messages wait that were sent to the source; None: there is no database, so no inbox either.

    Raises:
        ConfigError: unknown kind, wrong options, or an applicant key that cannot be read.
    """
    inbox = None if engine is None else StoredInbox(engine, source.name)
    surroundings = Surroundings(now, settings.base_dir, applicant_key(settings, now()), settings.contact, inbox)
    return build(source.kind, source.name, settings.options_of(source), surroundings)


def data_dir(settings: Settings) -> Path:
    """Folder of everything this installation writes; relative paths start at the configuration's folder."""
    if settings.data_dir is None:
        return embedded.default_data_dir()
    return settings.base_dir / Path(settings.data_dir).expanduser()


@contextmanager
def open_database(settings: Settings, *, as_migrator: bool = False, fast_and_unsafe: bool = False) -> Iterator[Engine]:
    """The database of an installation. Our own server is started, and stopped at the end unless somebody else uses it.

    Args:
        as_migrator: with sessions of the login that looks after the database; else they run with the service's rights.

    Raises:
        ConfigError: a wrong address, data folder or port.
        DatabaseError: it does not start.
    """
    role = None if as_migrator else SERVICE
    address = settings.database.migration_url if as_migrator else None
    address = address or settings.database.url
    if address is not None:
        engine = make_engine(address.get_secret_value(), role=role)
        try:
            yield engine
        finally:
            engine.dispose()
        return
    server = embedded.start(data_dir(settings), port=settings.database.port, fast_and_unsafe=fast_and_unsafe)
    engine = make_engine(server.url(), role=role)
    try:
        yield engine
    finally:
        engine.dispose()
        server.stop()


@contextmanager
def open_administration(settings: Settings) -> Iterator[Engine]:
    """The database as the login that looks after it, at the newest migration: to make logins.

    Raises:
        ConfigError: a wrong address, data folder or port.
        DatabaseError: the database cannot be reached, or waits for ``tthc-monitor db upgrade``.
    """
    with open_database(settings, as_migrator=True) as engine:
        _bring_up(settings, engine)
        yield engine


def _bring_up(settings: Settings, engine: Engine) -> None:
    """Migrate our own database; somebody else's must be at the newest migration already."""
    if settings.database.url is None:
        # As the login itself: the service's role, which the sessions of the engine take on, may not, or is not there yet.
        login = make_engine(engine.url)
        try:
            migrate.upgrade(login)
        finally:
            login.dispose()
    with transaction(engine) as connection:
        migrate.require_head(connection)


@contextmanager
def open_installation(
    settings: Settings, *, now: Clock = system_clock, fast_and_unsafe: bool = False, stop: Stop | None = None
) -> Iterator[Installation]:
    """Everything at hand to work, with the rights of the service and no more.

    Our own database is migrated on the way; somebody else's must be at the newest migration already.

    Args:
        stop: what asks the work to end early.

    Raises:
        ConfigError: wrong rules or settings.
        DatabaseError: the database cannot be reached, or waits for ``tthc-monitor db upgrade``.
    """
    rules = load_packs(settings.rules.packs, settings.base_dir)
    with open_database(settings, fast_and_unsafe=fast_and_unsafe) as engine:
        _bring_up(settings, engine)
        with transaction(engine) as connection:
            roles.require_service(connection)
        yield Installation(settings, engine, rules, now, data_dir(settings), stop or Stop())


def receive_token(settings: Settings, source: SourceSettings) -> SecretStr | None:
    """The token that whoever sends to a source must show; None: nothing is received for it.

    Raises:
        ConfigError: the file or variable cannot be read, or the token is too short to keep anybody out.
    """
    if source.receive is None:
        return None
    file = None if source.receive.token_file is None else Path(source.receive.token_file)
    token = read_secret("token", None, file, source.receive.token_env, settings.base_dir)
    return _long_enough(token, "token", f"the token of source {source.name}")


def pages_token(settings: Settings) -> SecretStr | None:
    """The token that lets a reader in to pages and metrics; None: there is none.

    Raises:
        ConfigError: the file or variable cannot be read, or the token is too short to keep anybody out.
    """
    protect = settings.serve.protect
    if protect is None or (protect.token_file is None and protect.token_env is None):
        return None
    file = None if protect.token_file is None else Path(protect.token_file)
    token = read_secret("token", None, file, protect.token_env, settings.base_dir)
    return _long_enough(token, "token", "the token of serve.protect")


def pages_password(settings: Settings) -> SecretStr | None:
    """The password that lets the user of ``serve.protect`` in; None: there is no user.

    Raises:
        ConfigError: the file or variable cannot be read, or the password is too short to keep anybody out.
    """
    protect = settings.serve.protect
    if protect is None or protect.username is None:
        return None
    file = None if protect.password_file is None else Path(protect.password_file)
    password = read_secret("password", None, file, protect.password_env, settings.base_dir)
    return _long_enough(password, "password", "the password of serve.protect")


def digest_key(settings: Settings) -> bytes | None:
    """What links in digests are signed with; None: there are none to answer by.

    Raises:
        ConfigError: the file or variable cannot be read, or the key is too short to keep anybody from making links up.
    """
    acknowledge = settings.digest.acknowledge
    if acknowledge is None:
        return None
    file = None if acknowledge.key_file is None else Path(acknowledge.key_file)
    key = read_secret("key", None, file, acknowledge.key_env, settings.base_dir).get_secret_value().encode()
    if len(key) < SHORTEST_KEY:
        raise ConfigError(
            f"the key of digest.acknowledge holds {len(key)} bytes; put at least {SHORTEST_KEY} random ones into its "
            "key_file or key_env, made by: openssl rand -base64 48"
        )
    return key


def given_password(file: Path | None, environment: str | None) -> str | None:
    """The password that whoever makes a login chose for it, from a file or an environment variable; None: none.

    Raises:
        ConfigError: both are given, or what is given cannot be read, or is too short to keep anybody out.
    """
    if file is None and environment is None:
        return None
    password = read_secret("password", None, file, environment, Path.cwd())
    return _long_enough(password, "password", "the login's password").get_secret_value()


def _long_enough(secret: SecretStr, what: str, whose: str) -> SecretStr:
    if len(secret.get_secret_value()) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"{whose} has fewer than {_SHORTEST_TOKEN} characters; put at least so many random ones into its "
            f"{what}_file or {what}_env"
        )
    return secret


def applicant_key(settings: Settings, now: datetime) -> ApplicantKey | None:
    """Key of the applicant hash at an instant; None when the settings name none for it.

    Raises:
        ConfigError: its file cannot be read, or the key is too short to keep anything secret.
    """
    if settings.applicant_key_file is not None:
        return ApplicantKey(_read_key(settings, "applicant_key_file", settings.applicant_key_file))
    chosen = key_in_force(settings.applicant_keys, now.astimezone(ZoneInfo(settings.zone)).date())
    return None if chosen is None else ApplicantKey(_read_key(settings, "applicant_keys", chosen.file), chosen.id or "")


def _read_key(settings: Settings, setting: str, file: str) -> bytes:
    path = settings.base_dir / file
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"{setting} {path} cannot be read: {error.strerror}; make it, or remove the setting"
        ) from None
    if len(key) < 32:
        raise ConfigError(f"{setting} {path} holds {len(key)} bytes; put at least 32 random bytes in it")
    return key
