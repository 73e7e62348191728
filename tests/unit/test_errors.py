"""An error is a class by its remedy: what each says, and the number that the command line ends with."""

from __future__ import annotations

import pytest

from tthc_monitor.domain.errors import (
    CalendarError,
    ConfigError,
    DataAssertionError,
    DatabaseError,
    DeliveryError,
    LedgerError,
    PermanentSourceError,
    Problem,
    RecordError,
    TransientSourceError,
    TthcError,
)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (TthcError, 1),
        (ConfigError, 2),
        (CalendarError, 2),
        (TransientSourceError, 3),
        (PermanentSourceError, 4),
        (DataAssertionError, 5),
        (RecordError, 5),
        (DatabaseError, 6),
        (DeliveryError, 7),
        (LedgerError, 8),
    ],
)
def test_a_class_of_errors_has_its_number(kind: type[TthcError], number: int) -> None:
    assert kind("x; do y").exit_code == number
    assert str(kind("x; do y")) == "x; do y"


def test_every_problem_of_a_file_is_told_with_its_line() -> None:
    problems = [Problem("a.yaml", 3, "x; do y"), Problem("a.yaml", None, "z; do w")]
    error = ConfigError(problems)
    assert str(error) == "a.yaml:3: x; do y\na.yaml: z; do w"
    assert error.problems == problems
    assert ConfigError("x; do y").problems == []


def test_a_delivery_is_tried_again_unless_it_is_said_that_it_never_succeeds() -> None:
    assert not DeliveryError("x; do y").permanent
    assert DeliveryError("x; do y", permanent=True).permanent
