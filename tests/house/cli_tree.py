"""What the command line offers, read from the typer application itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from tthc_monitor.cli import app


@dataclass(frozen=True)
class Command:
    """A command: its words, its options, and how many arguments it takes at most (None: any number)."""

    path: tuple[str, ...]
    options: frozenset[str]
    arguments: int | None


def _name(function: Any, given: str | None) -> str:
    return given or function.__name__.replace("_", "-")


def _parameters(function: Any) -> tuple[frozenset[str], int | None]:
    options, arguments, many = {"--help"}, 0, False
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]
        info = next((item for item in get_args(hint) if isinstance(item, OptionInfo | ArgumentInfo)), parameter.default)
        if isinstance(info, ArgumentInfo):
            arguments += 1
            many = many or "list[" in str(hint)
        else:
            # Inside Annotated, the first name of an option arrives where the default otherwise stands.
            first = getattr(info, "default", None)
            named = (first,) if isinstance(first, str) and first.startswith("-") else ()
            written = [*named, *(getattr(info, "param_decls", None) or ())]
            options |= {part for word in written for part in word.split("/") if part.startswith("-")}
            if not any(word.startswith("--") for word in written):
                options.add("--" + name.replace("_", "-"))
    return frozenset(options), None if many else arguments


def commands(application: typer.Typer = app, before: tuple[str, ...] = ()) -> Iterator[Command]:
    """All commands, groups walked through."""
    for one in application.registered_commands:
        yield Command((*before, _name(one.callback, one.name)), *_parameters(one.callback))
    for group in application.registered_groups:
        assert group.typer_instance is not None
        assert group.name, "give every group a name in add_typer"
        yield from commands(group.typer_instance, (*before, group.name))


def global_options() -> frozenset[str]:
    """Options that stand before the command."""
    callback = app.registered_callback
    return _parameters(callback.callback)[0] if callback is not None else frozenset({"--help"})


def problem_with(words: list[str]) -> str | None:
    """Why the command line ``tthc-monitor <words>`` would be refused; None when it stands.

    Values of options are not judged; a word after an option is taken as its value when it could be one.
    """
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0).partition("=")
        if option[0] not in global_options():
            return f"there is no global option {option[0]}"
        if not option[1] and option[0] != "--help" and rest:
            rest.pop(0)
    if not rest:
        return None
    found = [one for one in commands() if tuple(rest[: len(one.path)]) == one.path]
    if not found:
        return f"there is no command '{' '.join(rest[:2])}'"
    command, rest = found[0], rest[len(found[0].path) :]
    loose, after_option = 0, False
    for word in rest:
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in command.options:
                return f"'{' '.join(command.path)}' has no option {word}"
            after_option = "=" not in word
        else:
            loose += not after_option
            after_option = False
    if command.arguments is not None and loose > command.arguments:
        return f"'{' '.join(command.path)}' takes at most {command.arguments} arguments"
    return None
