"""Whether a pull gave a dossier twice is told by hashes of the keys, before the database is asked which one."""

from __future__ import annotations

import polars as pl
import pytest

from tthc_monitor.store.staging import may_repeat

KEYS = [f"20126/{number}" for number in range(200)]


def pages(*keys: list[str]) -> list[pl.Series]:
    return [pl.Series(page, dtype=pl.String()).hash() for page in keys]


def test_keys_that_all_differ_do_not_repeat() -> None:
    assert not may_repeat([])
    assert not may_repeat(pages(KEYS[:120], [], KEYS[120:]))


@pytest.mark.parametrize("again", [0, 1, 57, 119, 120, 199])
def test_a_key_that_comes_again_is_found_on_its_own_page_and_on_a_later_one(again: int) -> None:
    assert may_repeat(pages([*KEYS, KEYS[again]]))
    assert may_repeat(pages(KEYS[:120], KEYS[120:], [KEYS[again]]))
