"""Which fields a Word template names, held against those that there are: found before anything is written.

A field is looked for where a person finds it: in the paragraph of the template whose text names it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from jinja2 import Environment, nodes
from lxml import etree

from tthc_monitor.domain.errors import Problem

W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
LONGEST_QUOTE: Final = 120
_SAME_LIST: Final = {"list", "sort", "reverse", "selectattr", "rejectattr"}


class Kind(Enum):
    """What stands in for a field that is neither a list nor an object."""

    TEXT = "text"
    RUN = "r"
    PARAGRAPH = "p"


Shape = Kind | Mapping[str, "Shape"] | list["Shape"]
"""A value, an object by its fields, or a list (of the one shape in it)."""
Scope = dict[str, Shape | None]
"""Names and their shapes; None: anything may be in it."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name, its meaning in Vietnamese, and what it holds; ``many`` makes it a list of that."""

    name: str
    meaning: str
    fields: tuple[Field, ...] = ()
    many: bool = False
    kind: Kind = Kind.TEXT

    @property
    def shape(self) -> Shape:
        """What a template may do with it."""
        held = shape_of(self.fields) if self.fields else self.kind
        return [held] if self.many else held


def shape_of(fields: Sequence[Field]) -> dict[str, Shape]:
    """What a template may do with these fields."""
    return {field.name: field.shape for field in fields}


def paragraphs(xml: bytes) -> list[str]:
    """The text of each paragraph of a part, in the order of the file."""
    root = etree.fromstring(xml, safe_parser())
    return ["".join(node.text or "" for node in each.iter(f"{W}t")) for each in root.iter(f"{W}p")]


def safe_parser() -> etree.XMLParser:
    """A parser that opens nothing besides what it is given."""
    return etree.XMLParser(resolve_entities=False, no_network=True)


def problems_in(
    environment: Environment, source: str, texts: list[str], shape: Mapping[str, Shape], file: str
) -> Iterator[Problem]:
    """What a part of a template asks for that there is not.

    Args:
        source: the part as Jinja reads it.
        texts: its paragraphs as a person reads them.
        shape: the fields that there are.
        file: name for the problems; their line is the number of the paragraph.

    Raises:
        TemplateSyntaxError: Jinja cannot read it, or knows no such filter.
    """
    environment.from_string(source)  # unknown filters are found only so
    scope: Scope = {**shape, **dict.fromkeys(environment.globals)}
    for name, known in dict(_unknown(environment.parse(source), scope)).items():
        number, text = _place(texts, name)
        near = difflib.get_close_matches(name.rpartition(".")[2], known, n=1, cutoff=0.6)
        guess = f" (did you mean '{near[0]}'?)" if near else ""
        yield Problem(
            file,
            number,
            f"unknown field '{name}'{guess} in the paragraph “{quoted(text)}”; correct it by the list of "
            "`tthc-monitor report fields`, or remove it",
        )
    yield from _wrong_marks(texts, shape, file)


def quoted(text: str) -> str:
    """A paragraph short enough for a message."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def _wrong_marks(texts: list[str], shape: Mapping[str, Shape], file: str) -> Iterator[Problem]:
    """Drawings stand in for their whole run or paragraph, and must be written so."""
    wanted = {name: kind.value for name, kind in shape.items() if isinstance(kind, Kind) and kind is not Kind.TEXT}
    for number, text in enumerate(texts, start=1):
        for mark, name in re.findall(r"\{\{([a-z]*)\s*(\w+)", text):
            if name in wanted and mark != wanted[name]:
                yield Problem(
                    file,
                    number,
                    f"'{name}' is a drawing, in the paragraph “{quoted(text)}”; "
                    f"write it as {{{{{wanted[name]} {name} }}}}",
                )


def _place(texts: list[str], name: str) -> tuple[int | None, str]:
    for written in (name, name.rpartition(".")[2]):
        wanted = re.compile(rf"\{{[{{%].*\b{re.escape(written)}\b")
        for number, text in enumerate(texts, start=1):
            if wanted.search(text):
                return number, text
    return None, name


def _unknown(node: nodes.Node, scope: Scope) -> Iterator[tuple[str, list[str]]]:
    """Names that are not in scope, each with those that would be."""
    if isinstance(node, (nodes.Macro, nodes.CallBlock, nodes.With)):
        # Names of their own; what they cannot find is told while rendering.
        return
    if isinstance(node, nodes.For):
        yield from _unknown_in_loop(node, scope)
        return
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in scope:
        yield node.name, list(scope)
    if isinstance(node, nodes.Getattr):
        owner = _shape(node.node, scope)
        known = list(owner) if isinstance(owner, Mapping) else []
        if owner is not None and node.attr not in known:
            yield f"{_written(node.node)}.{node.attr}", known
    for child in node.iter_child_nodes():
        yield from _unknown(child, scope)
    if isinstance(node, nodes.Assign):
        scope.update(_bound(node.target, _shape(node.node, scope)))


def _unknown_in_loop(node: nodes.For, scope: Scope) -> Iterator[tuple[str, list[str]]]:
    yield from _unknown(node.iter, scope)
    inner = {**scope, "loop": None, **_bound(node.target, _item(_shape(node.iter, scope)))}
    for child in (*node.body, *([node.test] if node.test else [])):
        yield from _unknown(child, inner)
    for child in node.else_:
        yield from _unknown(child, scope)


def _shape(node: nodes.Node | None, scope: Scope) -> Shape | None:
    if isinstance(node, nodes.Name):
        return scope.get(node.name)
    if isinstance(node, nodes.Getattr):
        owner = _shape(node.node, scope)
        return owner.get(node.attr) if isinstance(owner, Mapping) else None
    if isinstance(node, nodes.Getitem):
        owner = _shape(node.node, scope)
        return owner if isinstance(node.arg, nodes.Slice) else _item(owner)
    if isinstance(node, nodes.Or):
        return _shape(node.left, scope)
    if isinstance(node, nodes.Filter):
        filtered = _shape(node.node, scope)
        if not isinstance(filtered, list):
            return None
        return [filtered] if node.name == "batch" else filtered if node.name in _SAME_LIST else None
    return None


def _item(shape: Shape | None) -> Shape | None:
    return shape[0] if isinstance(shape, list) else None


def _bound(target: nodes.Node, shape: Shape | None) -> Scope:
    if isinstance(target, nodes.Name):
        return {target.name: shape}
    return dict.fromkeys(each.name for each in target.find_all(nodes.Name))


def _written(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    return f"{_written(node.node)}.{node.attr}" if isinstance(node, nodes.Getattr) else "…"
