"""The page of runbooks: what each alert means and what to do about it, in the words of ``monitoring/runbooks.md``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Final

from jinja2 import Environment
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from tthc_monitor.outputs.metrics import VERSION

_BETWEEN: Final = " – "
"""What stands in a heading between the alert's name, which is the anchor, and its title."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The section of one alert: its name, title and text as HTML."""

    name: str
    title: str
    body: Markup


def runbooks_page(environment: Environment) -> str:
    """The whole page; every section has the name of its alert as anchor."""
    text = files("tthc_monitor").joinpath("monitoring", "runbooks.md").read_text(encoding="utf-8")
    title, introduction, entries = read_runbooks(text)
    return environment.get_template("runbooks.html").render(
        title=title, introduction=introduction, entries=entries, version=VERSION
    )


def read_runbooks(text: str) -> tuple[str, Markup, Sequence[Entry]]:
    """Title, introduction and sections of the runbooks.

    Raises:
        ValueError: a heading of the second level is not of the form ``Name – title``.
    """
    # Without html: what looks like a tag is shown, not obeyed.
    parser = MarkdownIt("commonmark", {"html": False})
    tokens = parser.parse(text)
    starts = [index for index, token in enumerate(tokens) if token.type == "heading_open"]
    parts = [tokens[start:end] for start, end in pairwise([*starts, len(tokens)])]

    def html(part: Sequence[Token]) -> Markup:
        # A heading is three tokens: where it opens, its text, where it closes.
        return Markup(parser.renderer.render(list(part[3:]), parser.options, {}))  # noqa: S704  (rendered without html)

    def entries() -> Iterator[Entry]:
        for part in parts[1:]:
            name, between, title = part[1].content.partition(_BETWEEN)
            if not between or not name.isidentifier():
                raise ValueError(f"the heading {part[1].content!r} is not of the form 'Name{_BETWEEN}title'; change it")
            yield Entry(name, title, html(part))

    return parts[0][1].content, html(parts[0]), tuple(entries())
