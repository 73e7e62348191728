"""The part of the configuration about the morning mail: the mail server, the webhook, and who gets what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from tthc_monitor.report_settings import ClockTime
from tthc_monitor.serve_settings import Port
from tthc_monitor.source_settings import Part


class SmtpSettings(Part):
    """The mail server. The password comes from ``password_file`` or an environment variable, never from the log."""

    host: str
    port: Port = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    sender: str
    timeout_seconds: Annotated[float, Field(gt=0)] = 30

    @model_validator(mode="after")
    def _one_password(self) -> SmtpSettings:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give either password or password_file, not both")
        if self.username is not None and self.password is None and self.password_file is None:
            raise ValueError("username needs a password; add password_file")
        return self


class Recipient(Part):
    """Who gets the digest. ``units`` limits it to these unit codes; empty means all."""

    address: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    units: tuple[str, ...] = ()


class DigestSettings(Part):
    """The morning mail: sent at ``at`` on working days of the calendar, to ``smtp``, or written to ``directory``.

    ``trend_days`` is how many working days its trend goes back.
    """

    at: ClockTime = "07:30"
    transport: Literal["smtp", "directory", "none"] = "none"
    directory: str = "digests"
    trend_days: Annotated[int, Field(ge=2, le=15)] = 10
    recipients: tuple[Recipient, ...] = ()
