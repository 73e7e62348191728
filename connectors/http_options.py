"""The settings that every connector over HTTP has."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base import ConnectorOptions


class HttpOptions(ConnectorOptions):
    """How a server is asked; see the field descriptions for meaning and units."""

    timeout_seconds: float = Field(
        default=30.0, gt=0, description="longest silence; a whole answer may take ten times it"
    )
    attempts: int = Field(default=5, ge=1, description="tries of each request, the first included")
    workers: int = Field(default=4, ge=1, le=16, description="requests under way at once")
    requests_per_second: float | None = Field(
        default=None, gt=0, description="most requests a second to this host, of all sources together; none: no limit"
    )
    max_answer_megabytes: int = Field(default=100, ge=1, description="largest answer that is taken in")
    ca_file: Path | None = Field(default=None, description="PEM file of the authority to trust instead of the usual")
    proxy: str | None = Field(
        default=None, description="http://host:port; without it the environment decides (HTTPS_PROXY, NO_PROXY)"
    )
    proxy_username: str | None = Field(default=None, description="with proxy_password, its _file or its _env")
    proxy_password: SecretStr | None = None
    proxy_password_file: Path | None = Field(default=None, description="file that holds only the password")
    proxy_password_env: str | None = Field(default=None, description="environment variable that holds the password")

    @field_validator("proxy")
    @classmethod
    def _plain_proxy(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is not an http or https address; write it like http://proxy.example.gov.vn:3128")
        if parts.username or parts.password:
            raise ValueError("holds credentials; move them to proxy_username and proxy_password_file")
        return value

    @model_validator(mode="after")
    def _proxy_is_whole(self) -> HttpOptions:
        passwords = (self.proxy_password, self.proxy_password_file, self.proxy_password_env)
        given = sum(item is not None for item in passwords)
        if (self.proxy_username is None) != (given == 0) or given > 1:
            raise ValueError("proxy_username goes with exactly one of proxy_password, its _file and its _env; set both")
        if self.proxy_username is not None and self.proxy is None:
            raise ValueError("proxy_username is given without proxy; set proxy")
        return self
