"""How a long list comes in pieces: the settings of each way, and which question follows which answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import urljoin

from pydantic import Field

from connectors.base import ConnectorOptions
from connectors.http import Answer
from connectors.rest.auth import Name
from connectors.rest.expressions import Expression, ExpressionError, Reads, reader
from tthc_monitor.domain.errors import PermanentSourceError

_LINK = re.compile(r"<([^>]*)>([^<]*)")
_NEXT = re.compile(r""";\s*rel\s*=\s*(?:"[^"]*\bnext\b[^"]*"|'?next\b)""", re.IGNORECASE)


@dataclass(frozen=True)
class Ask:
    """One question: parameters that change from page to page, or the whole address that the source gave.

    ``label`` tells it from the other questions of a list, for people, in one word.
    """

    params: tuple[tuple[str, str | int], ...] = ()
    url: str | None = None
    label: str = field(default="", compare=False)


class PagingOptions(ConnectorOptions):
    """What every way of paging offers."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that this way of paging sets."""
        return ()

    @property
    def numbered(self) -> bool:
        """Whether pages are places in the list, so that what moves in it can slip from one page to another."""
        return False

    def first_ask(self) -> Ask:
        """The question for the first page."""
        return Ask()

    def following(self, ask: Ask, answer: Answer, given: int, base: str) -> Ask | None:
        """The question after an answer of ``given`` records, None where the list ends; links start at ``base``.

        Raises:
            PermanentSourceError: the answer does not tell what these settings say it tells.
        """
        return None

    def beyond(self, ask: Ask) -> Ask | None:
        """The question after one whose empty answer ends the list; None where something else says that it ends."""
        return None

    def fits(self, ask: Ask, answer: Answer) -> bool:
        """Whether an answer is one to this question, as far as it says what it answers."""
        return True

    def ahead(self, ask: Ask, given: int) -> Ask | None:
        """The question after this one as far as it can be known before its answer, of about ``given`` records."""
        return None


class NoPaging(PagingOptions):
    """Everything comes in one answer."""

    by: Literal["none"] = "none"


class PageNumbers(PagingOptions):
    """Pages are counted; the list ends with an empty page, or where ``last`` says so."""

    by: Literal["page"] = "page"
    page_param: Name = "page"
    size_param: Name | None = "page_size"
    size: int = Field(default=100, ge=1, le=100_000, description="records per page to ask for")
    first: int = Field(default=1, ge=0, le=1, description="the number of the first page")
    last: Expression | None = Field(default=None, description="true in the answer when it is the last page")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that this way of paging sets."""
        return (self.page_param,) if self.size_param is None else (self.page_param, self.size_param)

    @property
    def numbered(self) -> bool:
        """Pages are places in the list."""
        return True

    def first_ask(self) -> Ask:
        """The first page."""
        return self._page(self.first)

    def following(self, ask: Ask, answer: Answer, given: int, base: str) -> Ask | None:
        """The next page; None after an empty one, or after the one that says it is the last."""
        if self._reads_last is None:
            return self.ahead(ask, given) if given else None
        last = _found(self._reads_last, answer.content)
        if not isinstance(last, bool):
            raise PermanentSourceError(
                f"'last' ({self.last}) finds neither true nor false in the answer; correct the expression"
            )
        return None if last else self.ahead(ask, given)

    def beyond(self, ask: Ask) -> Ask | None:
        """The next page, unless the answers say which is the last."""
        return self.ahead(ask, 0) if self._reads_last is None else None

    def ahead(self, ask: Ask, given: int) -> Ask:
        """The next page."""
        return self._page(int(dict(ask.params)[self.page_param]) + 1)

    def _page(self, number: int) -> Ask:
        size = () if self.size_param is None else ((self.size_param, self.size),)
        return Ask(((self.page_param, number), *size), label=f"{self.page_param}={number}")

    @cached_property
    def _reads_last(self) -> Reads | None:
        return None if self.last is None else reader(self.last)


class SpringPages(PageNumbers):
    """Pages and slices as Spring writes them: counted from 0, with ``last`` in the answer."""

    by: Literal["spring"] = "spring"  # type: ignore[assignment]
    size_param: Name | None = "size"
    first: int = Field(default=0, ge=0, le=1)
    last: Expression | None = "last"

    def fits(self, ask: Ask, answer: Answer) -> bool:
        """Spring writes the page's number, from 0, into the answer."""
        number = answer.content.get("number") if isinstance(answer.content, dict) else None
        return number is None or number == int(dict(ask.params)[self.page_param]) - self.first


class Offsets(PagingOptions):
    """The number of records to skip; the list ends with an empty page."""

    by: Literal["offset"] = "offset"
    offset_param: Name = "offset"
    size_param: Name | None = "limit"
    size: int = Field(default=100, ge=1, le=100_000, description="records per page to ask for")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that this way of paging sets."""
        return (self.offset_param,) if self.size_param is None else (self.offset_param, self.size_param)

    @property
    def numbered(self) -> bool:
        """Pages are places in the list."""
        return True

    def first_ask(self) -> Ask:
        """From the beginning."""
        return self._from(0)

    def following(self, ask: Ask, answer: Answer, given: int, base: str) -> Ask | None:
        """As many further as really came, whatever was asked for; None after an empty page."""
        return self.ahead(ask, given) if given else None

    def beyond(self, ask: Ask) -> Ask:
        """As many further as a page has."""
        return self.ahead(ask, self.size)

    def ahead(self, ask: Ask, given: int) -> Ask:
        """As many further."""
        return self._from(int(dict(ask.params)[self.offset_param]) + given)

    def _from(self, offset: int) -> Ask:
        size = () if self.size_param is None else ((self.size_param, self.size),)
        return Ask(((self.offset_param, offset), *size), label=f"{self.offset_param}={offset}")


class Tokens(PagingOptions):
    """Each answer holds a text to pass for the next page, and none at the end."""

    by: Literal["cursor"] = "cursor"
    param: Name
    next: Expression
    size_param: Name | None = None
    size: int = Field(default=100, ge=1, le=100_000, description="records per page to ask for, with size_param")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that this way of paging sets."""
        return (self.param,) if self.size_param is None else (self.param, self.size_param)

    def first_ask(self) -> Ask:
        """Without a token."""
        return Ask(() if self.size_param is None else ((self.size_param, self.size),))

    def following(self, ask: Ask, answer: Answer, given: int, base: str) -> Ask | None:
        """With the token of the answer."""
        token = _found(self._reads_next, answer.content)
        if token in (None, "", False):
            return None
        if isinstance(token, bool) or not isinstance(token, str | int):
            raise PermanentSourceError(f"'next' ({self.next}) finds no text in the answer; correct the expression")
        return Ask((*self.first_ask().params, (self.param, token)), label="(following)")

    @cached_property
    def _reads_next(self) -> Reads:
        return reader(self.next)


class NextLinks(PagingOptions):
    """Each answer holds the address of the next page, and none at the end; addresses stay on the same server."""

    by: Literal["next_link"] = "next_link"
    next: Expression

    def following(self, ask: Ask, answer: Answer, given: int, base: str) -> Ask | None:
        """The address in the answer."""
        link = _found(self._reads_next, answer.content)
        if link in (None, "", False):
            return None
        if not isinstance(link, str):
            raise PermanentSourceError(f"'next' ({self.next}) finds no text in the answer; correct the expression")
        return Ask(url=urljoin(ask.url or base, link), label="(following)")

    @cached_property
    def _reads_next(self) -> Reads:
        return reader(self.next)


class LinkHeader(PagingOptions):
    """The header ``Link`` holds the address of the next page (``rel="next"``), and none at the end."""

    by: Literal["link_header"] = "link_header"

    def following(self, ask: Ask, answer: Answer, given: int, base: str) -> Ask | None:
        """The address in the header."""
        link = next_link(answer.headers)
        return None if link is None else Ask(url=urljoin(ask.url or base, link), label="(following)")


def next_link(headers: Mapping[str, str]) -> str | None:
    """The address that a ``Link`` header (RFC 8288) calls next."""
    for match in _LINK.finditer(headers.get("link", "")):
        if _NEXT.search(match[2]):
            return match[1]
    return None


def _found(read: Reads, content: Any) -> Any:
    try:
        return read(content)
    except ExpressionError as error:
        raise PermanentSourceError(str(error)) from None


Paging = Annotated[
    NoPaging | PageNumbers | SpringPages | Offsets | Tokens | NextLinks | LinkHeader, Field(discriminator="by")
]
