"""YAML as people write it: safe values, duplicate keys refused, and a line number for every path.

Pure text in, data out; reading files is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.composer import Composer
from yaml.reader import ReaderError

from tthc_monitor.domain.errors import ConfigError, Problem

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """Parsed YAML with the source line (from 1) of every key and item. The data may hold secrets and are not shown."""

    file: str
    data: Any = field(repr=False)
    lines: Mapping[Path, int] = field(repr=False)

    def line(self, path: Path) -> int | None:
        """Line of the nearest enclosing node that stands in the text.

        Parts that are not keys of the text (the tag of a union, say) are passed over.
        """
        known: Path = ()
        for part in path:
            if (*known, part) in self.lines:
                known = (*known, part)
        return self.lines.get(known)

    def at(self, *path: str | int) -> Document:
        """The part of the document below a path, with the lines it has in the whole."""
        data = self.data
        for part in path:
            data = data[part]
        size = len(path)
        lines = {key[size:]: line for key, line in self.lines.items() if key[:size] == path}
        return Document(self.file, data, lines)


@dataclass
class _Walk:
    """Collects the lines of a document, and what is wrong with its keys."""

    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _open: list[yaml.Node] = field(default_factory=list)

    def node(self, node: yaml.Node, path: Path) -> None:
        line = self.lines.setdefault(path, node.start_mark.line + 1)
        if any(node is above for above in self._open):
            message = "not valid YAML: an anchor that contains itself; write the value out"
            self.problems.append(Problem(self.file, line, message))
            return
        self._open.append(node)
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.lines[(*path, index)] = item.start_mark.line + 1
                self.node(item, (*path, index))
        self._open.pop()

    def _mapping(self, node: yaml.MappingNode, path: Path) -> None:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in seen:
                message = f"key '{key}' stands already on line {seen[key]}; remove one of the two"
                self.problems.append(Problem(self.file, line, message))
            seen[key] = line
            self.lines[(*path, key)] = line
            self.node(value_node, (*path, key))


class _Quick(Composer, yaml.CSafeLoader):
    """Scanning by libyaml, a fifth of the time of PyYAML's own; every command reads packs and a calendar.

    Composing stays PyYAML's: libyaml's would overflow the stack on values nested without end.
    """

    def __init__(self, stream: str) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)


def parse_yaml(text: str, file: str) -> Document:
    """Parse one YAML document.

    Raises:
        ConfigError: it is not YAML, or a mapping has a key twice; all duplicates at once, with lines.
    """
    try:
        return _parsed(text, file, _Quick)
    except (yaml.YAMLError, ValueError):
        # What is wrong, and on which line, the parser written in Python says better.
        pass
    try:
        return _parsed(text, file, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else None
        if isinstance(error, ReaderError):
            line = text.count("\n", 0, error.position) + 1
        detail = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigError([Problem(file, line, f"not valid YAML: {detail}; correct the syntax here")]) from None
    except ValueError as error:
        raise ConfigError([Problem(file, None, f"not valid YAML: {error}; correct the value")]) from None


def _parsed(text: str, file: str, kind: Any) -> Document:
    walk = _Walk(file)
    loader = kind(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            # Before the values are made: that writes merged keys into the nodes.
            walk.node(node, ())
        data = None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()
    if walk.problems:
        raise ConfigError(walk.problems)
    return Document(file, data, walk.lines)


def _message(error: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"unknown key '{path}'; remove it or correct its spelling"
    if kind == "missing":
        return f"key '{path}' is missing; add it"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"'{path}': {text}" if path else text


def validate(model: type[Model], document: Document) -> Model:
    """Check a document against a model.

    Raises:
        ConfigError: every problem of the document at once, each with its line.
    """
    try:
        return model.model_validate(document.data if document.data is not None else {})
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ConfigError(
            [
                Problem(document.file, document.line(tuple(item["loc"])), _message(item))
                for item in found
                if not _follows(item, found)
            ]
        ) from None


def _follows(item: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a list is called too short only because its items are wrong."""
    size = len(item["loc"])
    return item["type"] == "too_short" and any(
        len(other["loc"]) > size and other["loc"][:size] == item["loc"] for other in found
    )
