"""How a caller proves who it is, and where secrets come from. No secret is in any repr or message."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from tthc_monitor.domain.errors import ConfigError


@dataclass(frozen=True)
class Basic:
    """HTTP Basic credentials."""

    username: str
    password: SecretStr


@dataclass(frozen=True)
class Bearer:
    """A token for ``Authorization: Bearer``."""

    token: SecretStr


@dataclass(frozen=True)
class ApiKey:
    """A key that travels with every request, in a header or a parameter of this name."""

    name: str
    value: SecretStr
    place: Literal["header", "query"] = "header"


@dataclass(frozen=True)
class TokenGrant:
    """Credentials that are exchanged for a short-lived token at ``token_url`` (OAuth 2.0, RFC 6749 4.3 and 4.4).

    ``names_itself_in``: the client's own secret goes as HTTP Basic, as the standard wants, or in the form, for servers that
    know only that.
    """

    token_url: str
    grant: Literal["client_credentials", "password"]
    client_id: str
    client_secret: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    scope: str | None = None
    names_itself_in: Literal["header", "form"] = "header"

    def form(self) -> dict[str, str]:
        """The fields of the request for a token; it holds secrets."""
        found: dict[str, str] = {"grant_type": self.grant}
        if self.client_secret is None or self.names_itself_in == "form":
            found["client_id"] = self.client_id
        if self.client_secret is not None and self.names_itself_in == "form":
            found["client_secret"] = self.client_secret.get_secret_value()
        if self.grant == "password":
            found["username"] = self.username or ""
            found["password"] = self.password.get_secret_value() if self.password else ""
        if self.scope:
            found["scope"] = self.scope
        return found

    def header(self) -> dict[str, str]:
        """The header by which the client names itself, if it is to."""
        if self.client_secret is None or self.names_itself_in == "form":
            return {}
        return {"Authorization": basic(self.client_id, self.client_secret)}


Credentials = Basic | Bearer | ApiKey | TokenGrant


def basic(username: str, password: SecretStr) -> str:
    """The value of ``Authorization`` for HTTP Basic, in UTF-8."""
    return f"Basic {base64.b64encode(f'{username}:{password.get_secret_value()}'.encode()).decode()}"


def header_value(what: str, value: str) -> str:
    """A value fit for a header.

    Raises:
        ConfigError: it holds line breaks or signs that no header can carry; the value is not in the message.
    """
    if not value.isascii() or not value.isprintable():
        raise ConfigError(
            f"{what} holds signs that cannot stand in an HTTP header; give it in plain ASCII, on one line"
        )
    return value


def read_secret(
    what: str, value: SecretStr | None, file: Path | None, environment: str | None, base_dir: Path
) -> SecretStr:
    """Take a secret from exactly one of: the settings, a file (outer blanks cut), an environment variable.

    ``what`` is the option's name, for messages; relative files start at ``base_dir``.

    Raises:
        ConfigError: none or several are given, or the file or variable cannot be read or is empty.
    """
    ways = f"{what}, {what}_file or {what}_env"
    if sum(item is not None for item in (value, file, environment)) != 1:
        raise ConfigError(f"exactly one of {ways} must be given; set one")
    if value is not None:
        found = value.get_secret_value()
        remedy = f"give {what} a value"
    elif file is not None:
        path = base_dir / file
        remedy = f"write the secret into {path}"
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"{what}_file {path} cannot be read ({reason}); correct the path or its rights") from None
    else:
        found = os.environ.get(str(environment), "")
        remedy = f"set the environment variable {environment}"
    if not found:
        raise ConfigError(f"{what} is empty; {remedy}")
    return SecretStr(found)
