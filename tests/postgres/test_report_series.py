"""Several periods in one reading: row by row what each of them gives by itself, frozen or not, by either roll-up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.postgres.seed import seed


@pytest.fixture
def world(engine: Engine) -> Iterator[Engine]:
    with engine.begin() as connection:
        seed(connection)
    return engine
