"""The settings of a database as a source."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from connectors.mapping import MappingOptions, TextList
from connectors.raw_table import clean_header
from connectors.sql.address import read_address
from connectors.sql.query import checked_query
from connectors.sweeping import SweepOptions
from tthc_monitor.domain.durations import Period
from tthc_monitor.domain.records import INSTANT_COLUMNS

BESIDE = frozenset(
    {"url", "url_file", "url_env", "password", "password_file", "password_env"}
    | {"page_rows", "statement_timeout", "overlap", "sweep_every", "lists_all_open"}
)
"""Options that do not decide which records there are and what they say."""

Rows = Annotated[int, Field(ge=1, le=100_000)]


class SqlOptions(MappingOptions, SweepOptions):
    """Options of the ``sql`` connector, beside those of the mapping and of sweeping.

    ``url`` / ``url_file`` / ``url_env``
        SQLAlchemy URL: ``postgresql://``, ``mysql://``, ``mariadb://``, ``mssql://`` or ``oracle://``.
    ``password`` / ``password_file`` / ``password_env``
        the account's password, where it is not in the URL.
    ``query``
        one SELECT, without ORDER BY and LIMIT; the mapping reads its columns.
    ``key``
        columns of the query (whole or decimal numbers, or texts) that identify a row and are never empty. Rows are
        read in their order: an index that begins with them makes that cheap.
    ``cursor``
        the column that tells when a row was changed last; it may be empty. Without it everything is read each time.
    ``page_rows``
        rows asked for at a time.
    ``statement_timeout``
        longest time that the server may work on one question.
    """

    url: SecretStr | None = Field(default=None, description="SQLAlchemy URL; or url_file, or url_env")
    url_file: Path | None = Field(default=None, description="file that holds only the URL")
    url_env: str | None = Field(default=None, description="environment variable that holds the URL")
    password: SecretStr | None = Field(default=None, description="or password_file, or password_env")
    password_file: Path | None = Field(default=None, description="file that holds only the password")
    password_env: str | None = Field(default=None, description="environment variable that holds the password")
    query: str = Field(min_length=1, description="one SELECT, without ORDER BY and LIMIT")
    key: TextList = Field(min_length=1, description="columns that identify and order the rows")
    cursor: str | None = Field(default=None, min_length=1, description="column that tells when a row was changed last")
    page_rows: Rows = Field(default=5_000, description="rows asked for at a time")
    statement_timeout: Period = Field(default=timedelta(minutes=5), description="longest time for one question")

    @field_validator("url")
    @classmethod
    def _known_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            read_address(value.get_secret_value())
        return value

    @field_validator("query")
    @classmethod
    def _reads_only(cls, value: str, info: ValidationInfo) -> str:
        # An address from a file or the environment is not known yet; then the query is checked before it is used.
        url = info.data.get("url")
        if url is not None:
            checked_query(value, read_address(url.get_secret_value()).flavour)
        return value

    @field_validator("key")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [clean_header(name) for name in value]
        if "" in names or len(set(names)) != len(names):
            raise ValueError("names a column twice, or none; name each column of the key once")
        return value

    @field_validator("columns")
    @classmethod
    def _key_is_found_again(cls, value: object) -> object:
        spec = value.get("source_key") if isinstance(value, dict) else None
        if spec is None:
            return value
        rewriting = [
            name for name in ("lookup", "without_prefix", "pad", "decimals") if getattr(spec, name) is not None
        ]
        if rewriting:
            raise ValueError(
                f"source_key is rewritten ({', '.join(rewriting)}), so that no dossier could be asked for by it; "
                "remove that, and rewrite the column in the query"
            )
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if sum(item is not None for item in (self.url, self.url_file, self.url_env)) != 1:
            raise ValueError("exactly one of url, url_file and url_env must be given; set one")
        if sum(item is not None for item in (self.password, self.password_file, self.password_env)) > 1:
            raise ValueError("at most one of password, password_file and password_env may be given; remove the others")
        inline = self.url is not None and read_address(self.url.get_secret_value()).url.password is not None
        if inline and any(item is not None for item in (self.password, self.password_file, self.password_env)):
            raise ValueError("url holds a password, and there is another beside it; remove one of the two")
        return self

    @model_validator(mode="after")
    def _nothing_unused(self) -> Self:
        if self.cursor is None:
            unused = sorted({"overlap", "sweep_every"} & self.model_fields_set)
            if unused:
                raise ValueError(f"{' and '.join(unused)} mean nothing without 'cursor'; add it, or remove them")
        elif self.overlap < timedelta(minutes=1):
            raise ValueError("overlap is shorter than a minute, less than a replica may be behind; raise it")
        if self.zone is None and (self.cursor is not None or any(name in INSTANT_COLUMNS for name in self.columns)):
            raise ValueError("databases keep instants without offset; set 'zone', for example zone: Asia/Ho_Chi_Minh")
        return self
