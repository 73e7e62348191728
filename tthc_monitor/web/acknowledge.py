"""Pages behind the signed links of mails: taking note of a digest, and getting no more of them.

The link is the proof, so these pages ask for no password. Showing one records nothing: programs that look mails through
follow links too. A link that is not ours, or of somebody who is no recipient any more, is told like any other address that
is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.installation import Installation, digest_key
from tthc_monitor.outputs import links, wording
from tthc_monitor.outputs.digest_words import in_short
from tthc_monitor.outputs.links import Token
from tthc_monitor.outputs.scopes import scope_name, unit_names
from tthc_monitor.recipient_settings import Recipient
from tthc_monitor.store.acknowledgements import (
    Acknowledgement,
    acknowledge,
    figures_told,
    newest_acknowledgement,
    opt_out,
    opted_out,
)
from tthc_monitor.store.database import first_line, transaction
from tthc_monitor.web.access import Patience
from tthc_monitor.web.answers import FURTHEST, LONGEST_NOTE, Answer, read_answer, read_fields
from tthc_monitor.web.bodies import Bounds, RefusedError
from tthc_monitor.web.health import in_threads, limit_statements

_log = structlog.get_logger(__name__)

_GONE: Final = 499
"""Of an answer that nobody waits for any more."""

_NOT_THERE = "Liên kết không hợp lệ hoặc không còn hiệu lực. Đề nghị mở lại liên kết trong thư mới nhất."
_OVER = "Liên kết đã hết hạn. Đề nghị dùng liên kết trong thư mới nhất."
_TOO_MANY = "Có quá nhiều yêu cầu không hợp lệ. Đề nghị thử lại sau ít phút."
_NOT_READ = "Không đọc được nội dung gửi lên. Đề nghị mở lại liên kết trong thư và gửi lại."
_NOT_NOW = "Hệ thống tạm thời chưa ghi nhận được. Đề nghị thử lại sau ít phút."
_ENOUGH = "Bản tin này đã được xác nhận quá nhiều lần; nội dung mới không được ghi nhận."


@dataclass(frozen=True)
class Asked:
    """Whose mail the link stood in, what the link is proof of, and the day on which it is used."""

    recipient: Recipient
    token: Token
    today: date

    @property
    def address(self) -> str:
        """As it is recorded."""
        return self.recipient.address.strip().lower()


Answers = Callable[[Asked, dict[str, str] | None], Response]


def make_digest_pages(installation: Installation, patience: Patience | None = None) -> list[Route]:
    """The pages behind links in mails; none where no key signs links.

    Raises:
        ConfigError: a key that cannot be read or is too short.
    """
    key = digest_key(installation.settings)
    if key is None:
        return []
    pages = _Pages(installation, key, patience or Patience())
    routes = {"acknowledge": pages.acknowledge, "unsubscribe": pages.unsubscribe}
    return [
        Route(f"/digest/{purpose}/{{token}}", pages.behind(purpose, answer), methods=["GET", "POST"])
        for purpose, answer in routes.items()
    ]


class _Pages:
    def __init__(self, installation: Installation, key: bytes, patience: Patience) -> None:
        self._installation = installation
        self._key = key
        self._patience = patience
        self._bounds = Bounds(longest=16 * 1024, seconds=20, together=1024 * 1024)
        self._in_threads = in_threads()
        self._zone = ZoneInfo(installation.settings.zone)
        self._recipients = {links.mark_of(key, one.address): one for one in installation.settings.digest.recipients}
        self._templates = Environment(
            loader=PackageLoader("tthc_monitor.outputs", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"day": wording.day, "instant": wording.instant}

    def behind(self, purpose: str, answer: Answers) -> Callable[[Request], Awaitable[Response]]:
        """The handler for those who show a link of ours."""

        async def handler(request: Request) -> Response:
            try:
                asked = await self._asked(request, purpose)
                if isinstance(asked, Response):
                    return asked
                fields = None if request.method in ("GET", "HEAD") else await self._fields(request)
            except RefusedError as refused:
                return self._said(_NOT_READ, refused.status, refused.headers)
            except ClientDisconnect:
                return Response(status_code=_GONE)
            return await self._in_threads(partial(self._made, answer, asked, fields), self._late)(request)

        return handler

    async def _asked(self, request: Request, purpose: str) -> Asked | Response:
        token = links.read(self._key, request.path_params["token"])
        recipient = None if token is None else self._recipients.get(token.mark)
        if token is None or recipient is None or token.purpose != purpose:
            address = request.client.host if request.client else ""
            if not await self._patience.refused(address):
                return self._said(_TOO_MANY, 429, {"Retry-After": "60"})
            return self._said(_NOT_THERE, 404)
        today = self._installation.now().astimezone(self._zone).date()
        if today > token.until:
            return self._said(_OVER, 410)
        return Asked(recipient, token, today)

    async def _fields(self, request: Request) -> dict[str, str]:
        async with self._bounds.body(request) as body:
            try:
                return dict(read_fields(request.headers.get("content-type", ""), body))
            except ValueError:
                raise RefusedError(400, "this is no form; send the page's own") from None

    def _made(self, answer: Answers, asked: Asked, fields: dict[str, str] | None) -> Response:
        try:
            return answer(asked, fields)
        except (DatabaseError, SQLAlchemyError) as error:
            _log.warning("answer_not_recorded", purpose=asked.token.purpose, error=first_line(error))
            return self._late()

    def _late(self) -> Response:
        return self._said(_NOT_NOW, 503, {"Retry-After": "60"})

    def acknowledge(self, asked: Asked, fields: dict[str, str] | None) -> Response:
        """The page on which one takes note, or what came of it."""
        answer, status, recorded = Answer(None, None), 200, False
        with transaction(self._installation.engine) as connection:
            limit_statements(connection)
            if fields is not None:
                answer = read_answer(fields, asked.today)
                if answer.problem is not None:
                    status = 422
                else:
                    now = self._installation.now()
                    of = asked.recipient
                    said = Acknowledgement(
                        asked.address, asked.token.day, now, of.units, of.role, answer.done_before, answer.note
                    )
                    recorded = acknowledge(connection, said)
                    if not recorded:
                        answer, status = Answer(answer.done_before, answer.note, _ENOUGH), 429
            told = figures_told(connection, asked.address, asked.token.day)
            last = newest_acknowledgement(connection, asked.address, asked.token.day)
            scope = self._scope(unit_names(connection, asked.recipient.units), asked.recipient)
        if recorded:
            _log.info("digest_acknowledged", units=list(asked.recipient.units) or "all", day=str(asked.token.day))
        return self._page(
            "acknowledge.html",
            status,
            asked=asked,
            scope=scope,
            told=in_short(told),
            last=last,
            recorded=recorded,
            answer=answer,
            form=_filled(last, asked.today) if fields is None else answer,
            zone=self._installation.settings.zone,
            longest_note=LONGEST_NOTE,
            first_day=date.fromordinal(asked.today.toordinal() + 1),
            last_day=asked.today + FURTHEST,
        )

    def unsubscribe(self, asked: Asked, fields: dict[str, str] | None) -> Response:
        """The page on which one says that one wants no more digests, or what came of it; see RFC 8058."""
        wanted = fields is not None and fields.get("List-Unsubscribe") == "One-Click"
        if fields is not None and not wanted:
            return self._said(_NOT_READ, 400)
        with transaction(self._installation.engine) as connection:
            limit_statements(connection)
            if wanted:
                opt_out(connection, asked.address, self._installation.now())
            since = opted_out(connection).get(asked.address)
            scope = self._scope(unit_names(connection, asked.recipient.units), asked.recipient)
        if wanted:
            _log.info("digest_opted_out", units=list(asked.recipient.units) or "all")
        settings = self._installation.settings
        return self._page(
            "unsubscribe.html",
            200,
            scope=scope,
            since=since,
            superior=asked.recipient.superior is not None,
            contact=settings.digest.contact,
            zone=settings.zone,
        )

    @staticmethod
    def _scope(names: Any, recipient: Recipient) -> str:
        return scope_name(names, recipient.units, subtree=recipient.subtree)

    def _said(self, what: str, status: int, headers: dict[str, str] | None = None) -> Response:
        return self._page("refused.html", status, headers, said=what)

    def _page(self, template: str, status: int, headers: dict[str, str] | None = None, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(values), status, headers)


def _filled(last: Acknowledgement | None, today: date) -> Answer:
    """What stands in the form at first: the last answer, which the button would otherwise take back; no day that is over."""
    if last is None:
        return Answer(None, None)
    ahead = last.done_before is not None and last.done_before > today
    return Answer(last.done_before if ahead else None, last.note)
