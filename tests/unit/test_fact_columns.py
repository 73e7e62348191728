"""What a rule may know of a dossier: how what is unknown looks, and which columns a source fills."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tthc_monitor.domain.facts import (
    DERIVED_FACTS,
    FACT_DEFAULTS,
    FACT_SCHEMA,
    INSTANT_FACTS,
    facts_frame,
    provides,
    provides_bits,
)
from tthc_monitor.domain.records import OPTIONAL_COLUMNS

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def frame(*rows: dict[str, Any], names: list[str] | None = None) -> pd.DataFrame:
    wanted = {name: FACT_SCHEMA[name] for name in names or FACT_SCHEMA}
    return facts_frame(pl.DataFrame(list(rows), schema=wanted, orient="row"))


@pytest.mark.parametrize(
    ("names", "unknown"),
    [
        (["status", "supplement_count", "reappointment_count", "steps_done", "number_serial"], -1),
        (["due_moves", "due_watched", "provides", "source_verdict", "request_unknown", "answer_unknown"], 0),
    ],
)
def test_an_unknown_number_is_what_says_so_for_its_fact(names: list[str], unknown: int) -> None:
    known, none = frame({"dossier_id": 1, **dict.fromkeys(names, 1)}, {"dossier_id": 2})[names].to_numpy().tolist()
    assert (known, none) == ([1] * len(names), [unknown] * len(names))
    assert {FACT_DEFAULTS[name] for name in names} == {unknown}


def test_every_number_has_a_default_and_nothing_else_has_one() -> None:
    numbers = {name for name, dtype in FACT_SCHEMA.items() if dtype.is_integer()}
    assert {name for name, value in FACT_DEFAULTS.items() if value is not None} == numbers
    assert FACT_DEFAULTS["dossier_id"] == FACT_DEFAULTS["observation_id"] == 0


def test_instants_are_aware_and_unknown_ones_are_nat() -> None:
    made = frame({"dossier_id": 1, "received_at": NOON}, {"dossier_id": 2})
    assert {str(made[name].dtype) for name in {*INSTANT_FACTS, *DERIVED_FACTS}} == {"datetime64[us, UTC]"}
    assert made["received_at"].tolist() == [NOON, pd.NaT]
    assert made[list(DERIVED_FACTS)].isna().all(axis=None), "they are computed later"


def test_texts_are_categories_in_order_of_their_names() -> None:
    made = frame({"unit_code": "b"}, {"unit_code": None}, {"unit_code": "a"}, {"unit_code": "b"})
    column = made["unit_code"]
    assert column.cat.categories.tolist() == ["a", "b"]
    assert column.cat.codes.tolist() == [1, -1, 0, 1]
    assert made["channel"].isna().all()
    assert not len(made["channel"].cat.categories)


def test_only_the_columns_that_are_there_are_made() -> None:
    made = frame({"dossier_id": 7, "status": 4}, names=["dossier_id", "status"])
    assert list(made.columns) == ["dossier_id", "status", *DERIVED_FACTS]
    assert made[["dossier_id", "status"]].to_numpy().tolist() == [[7, 4]]


def test_of_no_dossiers_there_are_columns_without_rows() -> None:
    made = frame()
    assert list(made.columns) == [*FACT_SCHEMA, *DERIVED_FACTS]
    assert made.empty


def test_which_optional_columns_a_source_fills_is_told_row_by_row() -> None:
    """The bits are kept with a source: they may not move."""
    first, second, last = OPTIONAL_COLUMNS[0], OPTIONAL_COLUMNS[1], OPTIONAL_COLUMNS[-1]
    bits = [provides_bits(columns) for columns in ([], [first], [second, second], [first, last, "unit_code"])]
    assert bits == [0, 1, 2, 1 + 2 ** (len(OPTIONAL_COLUMNS) - 1)]
    facts = pd.DataFrame({"provides": np.array(bits)}, index=[5, 6, 7, 8])
    told = pd.DataFrame({name: provides(facts, name) for name in (first, second, last)})
    assert told.to_numpy().tolist() == [
        [False, False, False], [True, False, False], [False, True, False], [True, False, True],
    ]  # fmt: skip
    assert told.index.tolist() == [5, 6, 7, 8]
