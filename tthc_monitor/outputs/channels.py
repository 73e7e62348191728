"""The ways that the settings know: each opened when something is to go by it, and closed with the others."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Self

from connectors.http import read_secret
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.stopping import Check, never
from tthc_monitor.outputs.smtp import SmtpTransport
from tthc_monitor.outputs.transports import DirectoryTransport, NullTransport, Transport
from tthc_monitor.outputs.webhook import WebhookTransport
from tthc_monitor.settings import Settings
from tthc_monitor.transport_settings import Channel, SmtpSettings, WebhookSettings

_SHORTEST_SECRET: Final = 16


class Channels:
    """Makes the transports of an installation; a context manager, for one run.

    Args:
        data_dir: where a relative folder of mails starts.
        check: called while a server is waited for; raises when the run is to end.
    """

    def __init__(self, settings: Settings, data_dir: Path, check: Check = never) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._check = check
        self._open: dict[Channel, Transport] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._open.values():
            transport.close()

    def transport(self, channel: Channel) -> Transport:
        """The transport of that name.

        Raises:
            ConfigError: a secret cannot be read, or settings contradict each other.
        """
        if channel not in self._open:
            self._open[channel] = make_transport(self._settings, channel, self._data_dir, self._check)
        return self._open[channel]


def make_transport(settings: Settings, channel: Channel, data_dir: Path, check: Check = never) -> Transport:
    """A transport by the settings.

    Raises:
        ConfigError: a secret cannot be read, settings contradict each other, or the part about the server is not there.
    """
    sender = sender_of(settings)
    if channel == "smtp":
        if settings.smtp is None:
            raise ConfigError("mails are to go by smtp, but there is no smtp part; add it with host and sender")
        return _smtp(settings.smtp, settings.base_dir, check)
    if channel == "webhook":
        if settings.webhook is None:
            raise ConfigError(
                "mails are to go by webhook, but there is no webhook part; add it with url and secret_file"
            )
        return _webhook(settings.webhook, settings.base_dir, sender)
    if channel == "directory":
        return DirectoryTransport(data_dir / settings.digest.directory, sender)
    return NullTransport(sender)


def sender_of(settings: Settings) -> str:
    """The address that mails are from; a placeholder where no mail server is set."""
    return "tthc-monitor@localhost" if settings.smtp is None else settings.smtp.sender


def _smtp(smtp: SmtpSettings, base_dir: Path, check: Check) -> SmtpTransport:
    return SmtpTransport(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        username=smtp.username,
        password=_password(smtp, base_dir),
        sender=smtp.sender,
        timeout=smtp.timeout_seconds,
        ca_file=None if smtp.ca_file is None else base_dir / smtp.ca_file,
        envelope_sender=smtp.envelope_sender,
        rate_per_minute=smtp.rate_per_minute,
        attempts=smtp.attempts,
        retry_seconds=smtp.retry_seconds,
        check=check,
    )


def _password(smtp: SmtpSettings, base_dir: Path) -> str | None:
    if smtp.password_file is None:
        return smtp.password.get_secret_value() if smtp.password is not None else None
    path = base_dir / smtp.password_file
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"smtp.password_file {path} cannot be read: {error.strerror}; make it readable") from None


def _webhook(webhook: WebhookSettings, base_dir: Path, sender: str) -> WebhookTransport:
    found = read_secret("webhook.secret", webhook.secret, webhook.secret_file, webhook.secret_env, base_dir)
    secret = found.get_secret_value()
    if len(secret) < _SHORTEST_SECRET:
        raise ConfigError(
            f"the secret of the webhook has fewer than {_SHORTEST_SECRET} characters; use at least so many random ones"
        )
    return WebhookTransport(
        url=webhook.url.get_secret_value(),
        secret=secret.encode(),
        sender=sender,
        timeout=webhook.timeout_seconds,
        ca_file=None if webhook.ca_file is None else base_dir / webhook.ca_file,
        rate_per_minute=webhook.rate_per_minute,
        attempts=webhook.attempts,
        retry_seconds=webhook.retry_seconds,
    )
