"""Takes files: one that a person hands over is pulled at once, and nothing of it stays but what a pull keeps."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.base import Connector, ReadsFiles
from tthc_monitor import jobs, judging
from tthc_monitor.domain.errors import DatabaseError, TransientSourceError, TthcError
from tthc_monitor.installation import Installation
from tthc_monitor.outputs import wording
from tthc_monitor.settings import SourceSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.runs import Totals, rejects_of
from tthc_monitor.web.bodies import Bounds, RefusedError

_log = structlog.get_logger(__name__)

LONGEST: Final = 256 * 1024 * 1024
_SECONDS: Final = 900
_AT_ONCE: Final = 2
_REJECTS: Final = 100
_LONGEST_NAME: Final = 150
_FIRST_YEAR: Final = 2000
_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_YES_OR_NO: Final = {"1": True, "true": True, "0": False, "false": False, "": False}


class Uploads:
    """Takes files for all sources of an installation, two at a time.

    While one is read it lies in a folder that only this user may open; what a process left there that was killed is
    thrown away when the next one begins.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._folder = installation.folder("uploads")
        _throw_away_left(self._folder)
        self._bounds = Bounds(LONGEST, _SECONDS, LONGEST)
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def answer(self, request: Request, source: SourceSettings, connector: ReadsFiles) -> Response:
        """Read the file that is the body, named by ``?name=``; tell what was read and what could not be.

        ``?as_of=`` (else the header Last-Modified) tells the instant whose state the file shows, ``?whole=1`` that it
        holds everything the source has, not a part.

        Raises:
            RefusedError: it was not even tried.
        """
        name, as_of, whole = _name(request), _as_of(request, self._installation.now()), _whole(request)
        kind = request.headers.get("content-type", "").lower()
        # curl declares every --data-binary as a form; what is sent is the file all the same.
        if kind.startswith("multipart/"):
            raise RefusedError(415, "the body is a form; send the file itself: curl --data-binary @FILE URL?name=FILE")
        if self._free.locked():
            raise RefusedError(503, "other files are being read; send it again later", {"Retry-After": "60"})
        async with self._free:
            with _place(self._folder) as place:
                path = place / name
                with await run_in_threadpool(path.open, "wb") as file:
                    length = await self._bounds.save(request, file)
                if not length:
                    raise RefusedError(400, "the body is empty; send the file itself: curl --data-binary @FILE")
                _log.info("file_taken", source=source.name, bytes=length)
                over = connector.over(path, name, whole=whole, as_of=as_of)
                return await run_in_threadpool(self._pull, source, over, path)

    def _pull(self, source: SourceSettings, connector: Connector, path: Path) -> Response:
        try:
            totals = jobs.take_in(self._installation, source, None, connector, by_hand=True)
        except (TransientSourceError, DatabaseError) as error:
            _log.warning("file_not_read", source=source.name, error=str(error))
            raise RefusedError(
                503, "the file was not read: another pull is running, or the database is away; send it again later",
                {"Retry-After": "60"},
            ) from None  # fmt: skip
        except TthcError as error:
            summary = f"Chưa nhận tệp {path.name}: dữ liệu không đạt yêu cầu, không có gì thay đổi. Xem lý do ở dưới."
            told = {"ok": False, "summary": summary, "error": str(error).replace(str(path.parent) + "/", "")}
            return JSONResponse({**told, "rejects": self._rejects(source)}, 422)
        judged = self._judge(source)
        summary = _summary(path.name, totals)
        return JSONResponse(
            {
                "ok": True,
                "summary": summary if judged else f"{summary} {_NOT_JUDGED}",
                "judged": judged,
                "totals": asdict(totals),
                "rejects": self._rejects(source) if totals.rows_rejected else [],
            }
        )

    def _judge(self, source: SourceSettings) -> bool:
        """Judge what the file changed. What is kept stays where that fails, and the service tries again by itself."""
        try:
            judging.refresh(self._installation)
        except TthcError as error:
            _log.warning("file_not_judged", source=source.name, error=str(error))
            return False
        return True

    def _rejects(self, source: SourceSettings) -> list[dict[str, Any]]:
        with transaction(self._installation.engine) as connection:
            rows = rejects_of(connection, source.name, _REJECTS, by_hand=True)
        return [
            {"file": location, "row": row, "column": column, "reason": reason}
            for location, row, column, _, reason in rows
        ]


_NOT_JUDGED: Final = (
    "Dữ liệu đã được lưu nhưng chưa đánh giá được hạn; phần mềm sẽ tự đánh giá lại, không cần nộp lại tệp."
)


@contextmanager
def _place(folder: Path) -> Iterator[Path]:
    """A new folder, locked as long as it is in use, and then gone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place, _lock(Path(place)):
        yield Path(place)


def _throw_away_left(folder: Path) -> None:
    """Remove what nobody holds any more; other processes may be taking files into the same folder."""
    for left in folder.iterdir() if folder.is_dir() else ():
        try:
            with _lock(left):
                shutil.rmtree(left)
        except BlockingIOError:
            continue
        except OSError as error:
            _log.warning("upload_not_removed", error=error.strerror)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    # The system lets go of it when the process dies, however it dies.
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)


def _whole(request: Request) -> bool:
    said = _YES_OR_NO.get(request.query_params.get("whole", "").lower())
    if said is None:
        raise RefusedError(400, "whole is neither 1 nor 0; give whole=1 where the file holds everything the source has")
    return said


def _as_of(request: Request, now: datetime) -> datetime | None:
    told = request.query_params.get("as_of", "")
    header = request.headers.get("last-modified", "")
    if not told and not header:
        return None
    instant = _instant(told) if told else _http_date(header)
    if instant is None:
        raise RefusedError(400, "as_of or Last-Modified is no instant; give as_of=2026-10-05T08:00:00%2B07:00")
    if instant > now + _CLOCKS_DIFFER:
        raise RefusedError(400, "as_of or Last-Modified is still to come; give the instant whose state the file shows")
    return min(instant, now)


def _instant(told: str) -> datetime | None:
    # A plus sign that is not written %2B arrives as a space.
    for form in (told, "+".join(told.rsplit(" ", 1))):
        try:
            instant = datetime.fromisoformat(form)
        except ValueError:
            continue
        if instant.tzinfo is not None and instant.year >= _FIRST_YEAR:
            return instant
    return None


def _http_date(told: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(told)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None and instant.year >= _FIRST_YEAR else None


def _name(request: Request) -> str:
    name = request.query_params.get("name", "")
    told = "give the file's name: /upload/SOURCE?name=ho-so.xlsx"
    if not name or len(name) > _LONGEST_NAME or len(name.encode()) > 255:
        raise RefusedError(400, f"the name is missing or too long; {told}")
    if name != Path(name).name or name.startswith((".", "~")) or not name.isprintable() or "\\" in name:
        raise RefusedError(400, f"the name is not that of a file alone; {told}")
    return name


def _summary(name: str, totals: Totals) -> str:
    """What became of a file, in one sentence for staff."""
    number = wording.number
    said = (
        f"Đã đọc tệp {name}: {number(totals.rows_read)} dòng, {number(totals.dossiers_new)} hồ sơ mới, "
        f"{number(totals.dossiers_changed)} hồ sơ thay đổi"
    )
    if totals.rows_rejected:
        return f"{said}; {number(totals.rows_rejected)} dòng không đọc được, xem từng dòng và lý do ở dưới."
    return f"{said}; mọi dòng đều đọc được."
