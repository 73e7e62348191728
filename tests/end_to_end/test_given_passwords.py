"""Logins whose password somebody chose: made by scripts before whoever uses them, and told to no log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from tests.conftest import _admin
from tests.end_to_end.program import run
from tests.end_to_end.test_cli import assert_one_message, configure, folder
from tthc_monitor.store.database import address, database_url

__all__ = ["folder"]

PASSWORD = "mật-khẩu?đã:chọn@trước/01"


@pytest.fixture
def name(server_url: str, database_address: str) -> Iterator[str]:
    """A login that goes with the test; its database goes after it."""
    name = f"chon_{uuid4().hex[:12]}"
    yield name
    connection = psycopg2.connect(address(database_url(database_address), with_password=True))
    with connection, connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {name}")
    connection.close()
    _admin(server_url, f"DROP ROLE {name}")


def who(database_address: str, name: str, password: str) -> str:
    """Who a client is that shows a password."""
    url = database_url(database_address).set(username=name, password=password)
    connection = psycopg2.connect(address(url, with_password=True))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            return str(cursor.fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["service", "auditor"])
def test_a_login_has_the_password_that_it_was_given(folder: Path, database_address: str, name: str, kind: str) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}")
    (folder / "mat-khau").write_text(f"{PASSWORD}\n", encoding="utf-8")
    said = run("db", kind, name, "--password-file", "mat-khau", cwd=folder).good()
    url = database_url(database_address)
    assert said.out == f"postgresql://{name}@{url.host}:{url.port}/{url.database}\n"
    assert PASSWORD not in said.err
    assert who(database_address, name, PASSWORD) == name
    changed = "another-password-of-24-xx"
    run("db", kind, name, "--password-env", "CHOSEN", cwd=folder, CHOSEN=changed).good()
    assert who(database_address, name, changed) == name
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        who(database_address, name, PASSWORD)
    random = run("db", kind, name, cwd=folder).good().out
    assert random.startswith(f"postgresql://{name}:"), "one that nobody gave is printed"


def test_a_password_that_keeps_nobody_out_is_refused(folder: Path, database_address: str) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}")
    short = run("db", "service", "dich_vu", "--password-env", "CHOSEN", cwd=folder, CHOSEN="123456789012345")
    assert_one_message(short, 2, "the login's password has fewer than 16 characters; put", "password_env")
    unset = run("db", "service", "dich_vu", "--password-env", "CHOSEN", cwd=folder)
    assert_one_message(unset, 2, "password is empty; set the environment variable CHOSEN", "CHOSEN")
    both = run(
        "db", "service", "dich_vu", "--password-env", "CHOSEN", "--password-file", "x", cwd=folder, CHOSEN="x" * 20
    )
    assert_one_message(both, 2, "exactly one of password, password_file or password_env must be given", "set one")
