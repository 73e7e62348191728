"""Everything that a value holds or a run says, as text, so that a test can look for what must not be in it."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

_AS_LISTS: Final = ("to_pylist", "tolist", "to_numpy")
"""How tables and arrays of other libraries give what they hold; their ``repr`` leaves most of it out."""


def everything_in(value: Any) -> str:
    """The texts in a value and in what hangs on it, one a line.

    Frames and arrays are told whole, bytes as UTF-8, objects with their attributes, mappings with their keys.
    """
    found: list[str] = []
    waiting = [value]
    seen: dict[int, Any] = {}
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, (bytes, bytearray, memoryview)):
            found.append(bytes(one).decode(errors="replace"))
        elif id(one) not in seen:
            seen[id(one)] = one  # kept, so that no other value gets its number
            inside = _inside(one)
            waiting.extend(inside)
            if not inside:
                found.append(repr(one))
    return "\n".join(found)


def _inside(one: Any) -> list[Any]:
    if isinstance(one, pl.LazyFrame):
        return [one.collect()]
    if isinstance(one, pl.DataFrame):
        return [*one.columns, *one.get_columns()]
    if isinstance(one, pl.Series):
        return one.to_list()
    if isinstance(one, Mapping):
        return [*one.keys(), *one.values()]
    if isinstance(one, (list, tuple, set, frozenset)):
        return list(one)
    if isinstance(one, type):
        return []
    for name in _AS_LISTS:
        if callable(give := getattr(one, name, None)):
            return [give()]
    slots = [name for cls in type(one).__mro__ for name in _slots_of(cls)]
    attributes = {**getattr(one, "__dict__", {}), **{name: getattr(one, name) for name in slots if hasattr(one, name)}}
    return [*attributes, *attributes.values()]


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


@contextlib.contextmanager
def all_said_to(log: io.StringIO) -> Iterator[None]:
    """Everything that is printed or logged meanwhile, by loggers that no level of their own keeps silent."""
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    try:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
