"""How a source described in the settings wants to know who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connectors.base import ConnectorOptions
from connectors.http import ApiKey, Basic, Bearer, Credentials, TokenGrant, read_secret


def web_address(value: str) -> str:
    """An http or https address without credentials, query and fragment, and without a slash at its end.

    Raises:
        ValueError: it is something else.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http or https address; write it like https://motcua.example.gov.vn/api")
    if parts.username or parts.password:
        raise ValueError("holds credentials; move them to auth")
    if parts.query or parts.fragment:
        raise ValueError("has parts after ? or #; move them to params")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(web_address)]
Name = Annotated[str, Field(min_length=1)]


class _Password(ConnectorOptions):
    username: Name
    password: SecretStr | None = Field(default=None, description="or password_file, or password_env")
    password_file: Path | None = Field(default=None, description="file that holds only the password")
    password_env: str | None = Field(default=None, description="environment variable that holds the password")

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if sum(item is not None for item in (self.password, self.password_file, self.password_env)) != 1:
            raise ValueError("exactly one of password, password_file and password_env must be given; set one")
        return self

    def read_password(self, base_dir: Path) -> SecretStr:
        """The password, wherever it stands; raises ConfigError as :func:`read_secret` does."""
        return read_secret("password", self.password, self.password_file, self.password_env, base_dir)


class BasicAuth(_Password):
    """HTTP Basic."""

    kind: Literal["basic"]

    def credentials(self, base_dir: Path) -> Credentials:
        """What to ask with; raises ConfigError when the secret cannot be read."""
        return Basic(self.username, self.read_password(base_dir))


class BearerAuth(ConnectorOptions):
    """A token that does not change."""

    kind: Literal["bearer"]
    token: SecretStr | None = Field(default=None, description="or token_file, or token_env")
    token_file: Path | None = Field(default=None, description="file that holds only the token")
    token_env: str | None = Field(default=None, description="environment variable that holds the token")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if sum(item is not None for item in (self.token, self.token_file, self.token_env)) != 1:
            raise ValueError("exactly one of token, token_file and token_env must be given; set one")
        return self

    def credentials(self, base_dir: Path) -> Credentials:
        """What to ask with; raises ConfigError when the secret cannot be read."""
        return Bearer(read_secret("token", self.token, self.token_file, self.token_env, base_dir))


class KeyAuth(ConnectorOptions):
    """A key that travels with every request, in a header or as a parameter called ``name``."""

    kind: Literal["key"]
    name: Name
    place: Literal["header", "query"] = "header"
    key: SecretStr | None = Field(default=None, description="or key_file, or key_env")
    key_file: Path | None = Field(default=None, description="file that holds only the key")
    key_env: str | None = Field(default=None, description="environment variable that holds the key")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if sum(item is not None for item in (self.key, self.key_file, self.key_env)) != 1:
            raise ValueError("exactly one of key, key_file and key_env must be given; set one")
        return self

    def credentials(self, base_dir: Path) -> Credentials:
        """What to ask with; raises ConfigError when the secret cannot be read."""
        return ApiKey(self.name, read_secret("key", self.key, self.key_file, self.key_env, base_dir), self.place)


class _Grant(ConnectorOptions):
    token_url: WebAddress
    client_id: Name
    client_secret: SecretStr | None = Field(default=None, description="or client_secret_file, or client_secret_env")
    client_secret_file: Path | None = Field(default=None, description="file that holds only the client's secret")
    client_secret_env: str | None = Field(default=None, description="environment variable of the client's secret")
    names_itself_in: Literal["header", "form"] = Field(
        default="header", description="the client's secret goes as HTTP Basic, or in the form"
    )
    scope: str | None = None

    def _given(self) -> int:
        return sum(item is not None for item in (self.client_secret, self.client_secret_file, self.client_secret_env))

    def read_client_secret(self, base_dir: Path) -> SecretStr | None:
        """The client's secret, None when it has none; raises ConfigError as :func:`read_secret` does."""
        if not self._given():
            return None
        ways = (self.client_secret, self.client_secret_file, self.client_secret_env)
        return read_secret("client_secret", *ways, base_dir)


class ClientCredentialsAuth(_Grant):
    """OAuth 2.0 by the client itself: its id and secret are exchanged for a short-lived token."""

    kind: Literal["client_credentials"]

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self._given() != 1:
            ways = "client_secret, client_secret_file and client_secret_env"
            raise ValueError(f"exactly one of {ways} must be given; set one")
        return self

    def credentials(self, base_dir: Path) -> Credentials:
        """What to ask with; raises ConfigError when a secret cannot be read."""
        return TokenGrant(
            self.token_url,
            "client_credentials",
            self.client_id,
            self.read_client_secret(base_dir),
            scope=self.scope,
            names_itself_in=self.names_itself_in,
        )


class PasswordAuth(_Password, _Grant):
    """OAuth 2.0 by a user's name and password, exchanged for a short-lived token."""

    kind: Literal["password"]

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self._given() > 1:
            raise ValueError("client_secret is given twice; leave one of it, its _file and its _env")
        return self

    def credentials(self, base_dir: Path) -> Credentials:
        """What to ask with; raises ConfigError when a secret cannot be read."""
        return TokenGrant(
            self.token_url,
            "password",
            self.client_id,
            self.read_client_secret(base_dir),
            username=self.username,
            password=self.read_password(base_dir),
            scope=self.scope,
            names_itself_in=self.names_itself_in,
        )


Grant = Annotated[ClientCredentialsAuth | PasswordAuth, Field(discriminator="kind")]
Auth = Annotated[BasicAuth | BearerAuth | KeyAuth | ClientCredentialsAuth | PasswordAuth, Field(discriminator="kind")]
