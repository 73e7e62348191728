"""JMESPath expressions: checked when the settings are loaded, evaluated without ever showing what they found."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import jmespath
from jmespath import exceptions, functions, visitor
from pydantic import AfterValidator, Field

Reads = Callable[[Any], Any]
"""Takes a record or an answer, gives what an expression finds in it, None where there is nothing.

Raises:
    ExpressionError: the expression does not fit what it was applied to.
"""


class ExpressionError(ValueError):
    """An expression met values that its functions cannot take; the message holds none of them."""


_TABLE: Final[Mapping[str, Mapping[str, Any]]] = functions.Functions.FUNCTION_TABLE


def checked(expression: str) -> str:
    """The expression itself.

    Raises:
        ValueError: it is not JMESPath, or calls a function that there is not.
    """
    try:
        tree = _parsed(expression)
    except (exceptions.LexerError, exceptions.ParseError) as error:
        place = getattr(error, "lex_position", 0)
        quoted = expression.replace('"', "")
        raise ValueError(
            f"'{expression}' is not a JMESPath expression (at character {place + 1}); correct it, or put double "
            f"quotation marks around a field's name with other signs than letters, digits and _: '\"{quoted}\"'"
        ) from None
    except (exceptions.JMESPathError, ValueError) as error:
        raise ValueError(f"'{expression}' is not a JMESPath expression ({type(error).__name__}); correct it") from None
    for name, given in _calls(tree):
        if name not in _TABLE:
            raise ValueError(f"'{expression}' calls {name}(), which JMESPath does not have; correct it")
        wanted = _TABLE[name]["signature"]
        variadic = any(item.get("variadic") for item in wanted)
        if given < len(wanted) or (given > len(wanted) and not variadic):
            raise ValueError(f"'{expression}' gives {name}() {given} arguments instead of {len(wanted)}; correct it")
    return expression


def _parsed(expression: str) -> Any:
    with warnings.catch_warnings():
        # Older ways of writing a literal are still understood.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return jmespath.compile(expression).parsed


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    """Name and number of arguments of every function call in a tree."""
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in node.get("children", []):
        if isinstance(child, dict):
            yield from _calls(child)


def leaves_out(expression: str) -> bool:
    """Whether an expression picks some items of a list by a condition."""
    return _has(_parsed(expression), "filter_projection")


def _has(node: Any, kind: str) -> bool:
    children = (child for child in node.get("children", []) if isinstance(child, dict))
    return node["type"] == kind or any(_has(child, kind) for child in children)


Expression = Annotated[str, Field(min_length=1), AfterValidator(checked)]


def reader(expression: str) -> Reads:
    """The expression made ready; a plain path of fields takes a short way."""
    tree = _parsed(expression)
    path = _fields(tree)
    if path is None:
        return _interpreted(expression, tree)
    if len(path) == 1:
        [only] = path
        return lambda value: value.get(only) if isinstance(value, dict) else None

    def follow(value: Any) -> Any:
        for name in path:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return follow


def _fields(node: Any) -> tuple[str, ...] | None:
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    parts = [_fields(child) for child in node["children"]]
    return None if any(part is None for part in parts) else tuple(name for part in parts for name in part or ())


def _interpreted(expression: str, tree: Any) -> Reads:
    interpreter = visitor.TreeInterpreter()

    def read(value: Any) -> Any:
        try:
            return interpreter.visit(tree, value)
        except (exceptions.JMESPathError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            # The library's own message quotes the values, which may be anybody's.
            raise ExpressionError(
                f"'{expression}' cannot be applied ({type(error).__name__}); make it fit what the source gives"
            ) from None

    return read


class NotOneValueError(ValueError):
    """A list or an object stands where one value was expected."""


def cell_text(value: Any) -> str | None:
    """A JSON value as the text of a cell: numbers as they were written, as far as Python keeps them; NaN is nothing.

    Raises:
        NotOneValueError: it is a list or an object.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return None if value != value else repr(value)  # noqa: PLR0124  (only NaN differs from itself)
    raise NotOneValueError("is a list" if isinstance(value, Sequence) else "is an object")
