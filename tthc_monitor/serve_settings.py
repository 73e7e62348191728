"""The part of the configuration about pages and metrics: their address, and who may read them."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from tthc_monitor.source_settings import Part

Port = Annotated[int, Field(ge=0, le=65535)]
Username = Annotated[str, Field(pattern=r"^[^:\x00-\x1f\x7f]{1,64}$")]
_PLAIN_URL: Final = re.compile(r"[A-Za-z0-9:/\[\]._~!$&()*+=%-]+")


def _as_browsers_take_it(url: str) -> str:
    """It goes into mails, headers, pages and metrics as it is written.

    Raises:
        ValueError: a sign in it would end it, or show a password, or is none of those of which addresses are made.
    """
    if not url.isascii():
        raise ValueError(f"{url!r} has letters beyond ASCII; write its host as xn--…, and others in its path as %XX")
    if "@" in url:
        raise ValueError("it has a user or a password, which everybody would read; take that out")
    if not _PLAIN_URL.fullmatch(url):
        wrong = " ".join(sorted(set(_PLAIN_URL.sub("", url))))
        raise ValueError(f"{url!r} has {wrong} in it; take that out, or write it as %XX in the path")
    try:
        whole = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"{url!r} has no host or no port that can be; correct it")
    return url


Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$"), AfterValidator(_as_browsers_take_it)]


class ProtectSettings(Part):
    """What must be shown to read the pages and the metrics: a bearer token, or a user with password, or either of both.

    Health (``/-/healthy``, ``/-/ready``) stays open, and what is sent to us has tokens of its own.
    """

    token_file: str | None = None
    token_env: str | None = None
    username: Username | None = None
    password_file: str | None = None
    password_env: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.token_file is not None and self.token_env is not None:
            raise ValueError("protect has token_file and token_env; give one")
        passwords = (self.password_file is not None) + (self.password_env is not None)
        if self.username is not None and passwords != 1:
            raise ValueError("protect.username needs exactly one of password_file and password_env; give one")
        if self.username is None and passwords:
            raise ValueError("protect has a password, but no username; add username")
        if self.username is None and self.token_file is None and self.token_env is None:
            raise ValueError(
                "protect names nothing to show; give token_file or token_env, or username with password_file"
            )
        return self


class ServeSettings(Part):
    """Address of the pages, and who may read them; without ``protect`` whoever reaches the port.

    ``public_url`` is the address under which people reach them; None: only those at this machine do. ``grafana_url``
    is that of the Grafana that has our dashboards, which mails link to; None: they do not.
    """

    host: str = "127.0.0.1"
    port: Port = 9766
    max_series: Annotated[int, Field(ge=100)] = 20_000
    public_url: Url | None = None
    grafana_url: Url | None = None
    protect: ProtectSettings | None = None

    @property
    def address(self) -> str:
        """Under which people reach the pages."""
        return self.public_url or f"http://127.0.0.1:{self.port}"
