"""The part of the configuration about the servers by which mails leave the house."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from tthc_monitor.serve_settings import Port
from tthc_monitor.source_settings import Part

Channel = Literal["smtp", "webhook", "directory", "none"]
"""Ways in which a mail leaves the house."""

# Two steps of a server are to be over before the claim on a letter lapses.
Timeout = Annotated[float, Field(gt=0, le=120)]
Rate = Annotated[int, Field(ge=1, le=100_000)]
Attempts = Annotated[int, Field(ge=1, le=10)]


class SmtpSettings(Part):
    """The mail server. The password comes from ``password_file`` or an environment variable, never from the log.

    ``envelope_sender``
        address to which what cannot be delivered comes back; None: the sender's.
    ``ca_file``
        certificates to trust besides the system's.
    ``rate_per_minute``
        how many mails the server is given in any minute.
    ``attempts``, ``retry_seconds``
        how often a run tries what fails in a way that passes, and the pause before the second try, which doubles.
    """

    host: str
    port: Port = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    sender: str
    envelope_sender: Annotated[str, Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")] | None = None
    ca_file: Path | None = None
    timeout_seconds: Timeout = 30
    rate_per_minute: Rate = 60
    attempts: Attempts = 3
    retry_seconds: Annotated[float, Field(ge=0, le=60)] = 5

    @field_validator("sender")
    @classmethod
    def _one_line(cls, sender: str) -> str:
        if not sender.isprintable():
            raise ValueError(f"{sender!r} is no sender of mails; write an address on one line")
        return sender

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give either password or password_file, not both")
        if self.username is not None and self.password is None and self.password_file is None:
            raise ValueError("username needs a password; add password_file")
        return self


class WebhookSettings(Part):
    """The program that is told by signed HTTP POST; see ``docs/digest.md``. The path of ``url`` may be a secret, too.

    ``secret``
        by which it knows that it is us, at least 16 characters; better in ``secret_file`` or ``secret_env``.
    """

    url: SecretStr
    secret: SecretStr | None = None
    secret_file: Path | None = None
    secret_env: str | None = None
    ca_file: Path | None = None
    timeout_seconds: Timeout = 30
    rate_per_minute: Rate = 60
    attempts: Attempts = 3
    retry_seconds: Annotated[float, Field(ge=0, le=60)] = 5

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: SecretStr) -> SecretStr:
        scheme, _, rest = url.get_secret_value().partition("://")
        if scheme not in ("http", "https") or not rest.partition("/")[0]:
            raise ValueError("url is not an http or https address; correct it")
        return url

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if sum(one is not None for one in (self.secret, self.secret_file, self.secret_env)) != 1:
            raise ValueError("give exactly one of secret_file, secret_env and secret")
        return self
