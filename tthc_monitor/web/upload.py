"""Takes files: one that a person hands over is pulled at once, and nothing of it stays but what a pull keeps."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.base import ReadsFiles
from tthc_monitor import jobs
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


class Uploads:
    """Takes files for all sources of an installation, two at a time."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._bounds = Bounds(LONGEST, _SECONDS, LONGEST)
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def answer(self, request: Request, source: SourceSettings, connector: ReadsFiles) -> Response:
        """Read the file that is the body, named by ``?name=``; tell what was read and what could not be.

        Raises:
            RefusedError: it was not even tried.
        """
        name = _name(request)
        kind = request.headers.get("content-type", "").lower()
        # curl declares every --data-binary as a form; what is sent is the file all the same.
        if kind.startswith("multipart/"):
            raise RefusedError(415, "the body is a form; send the file itself: curl --data-binary @FILE URL?name=FILE")
        if self._free.locked():
            raise RefusedError(503, "other files are being read; send it again later", {"Retry-After": "60"})
        async with self._free:
            with tempfile.TemporaryDirectory(prefix="tthc-upload-") as folder:
                path = Path(folder, name)
                with await run_in_threadpool(path.open, "wb") as file:
                    length = await self._bounds.save(request, file)
                if not length:
                    raise RefusedError(400, "the body is empty; send the file itself: curl --data-binary @FILE")
                _log.info("file_taken", source=source.name, bytes=length)
                return await run_in_threadpool(self._pull, source, connector, path)

    def _pull(self, source: SourceSettings, connector: ReadsFiles, path: Path) -> Response:
        try:
            totals = jobs.pull_source(self._installation, source, None, connector.over(path, path.name))
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
        return JSONResponse(
            {
                "ok": True,
                "summary": _summary(path.name, totals),
                "totals": asdict(totals),
                "rejects": self._rejects(source) if totals.rows_rejected else [],
            }
        )

    def _rejects(self, source: SourceSettings) -> list[dict[str, Any]]:
        with transaction(self._installation.engine) as connection:
            rows = rejects_of(connection, source.name, _REJECTS)
        return [
            {"file": location, "row": row, "column": column, "reason": reason}
            for location, row, column, _, reason in rows
        ]


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
