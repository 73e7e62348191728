"""Asks for the step histories that may have changed, and for no others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32
from zoneinfo import ZoneInfo

from connectors.http import HttpClient
from connectors.opencps.answers import Row, text
from connectors.opencps.history import History, read_history
from connectors.opencps.listing import PATH
from connectors.opencps.options import OpencpsOptions
from connectors.opencps.state import Run
from tthc_monitor.domain.statuses import ENDED

NO_HISTORY: Final = frozenset({204, 403, 404})
"""The server fails with 403 on a dossier that has no current action."""

Packed = dict[str, list[int | None] | None]
"""Histories as plain JSON, by ``dossierId``; None: it could not be read."""


class Histories:
    """Reads histories over one connection."""

    def __init__(self, client: HttpClient, pool: Executor, options: OpencpsOptions) -> None:
        self._client = client
        self._pool = pool
        self._options = options
        self._zone = ZoneInfo(options.zone)
        self._statuses = options.all_statuses()

    def of(self, rows: Sequence[Row]) -> Packed:
        """The histories of these dossiers."""
        keyed = _keyed(rows)
        return {key: None if one is None else one.packed() for key, one in self._asked(keyed).items()}

    def news(self, run: Run, rows: Sequence[Row]) -> Packed:
        """The histories of these dossiers, asked for where a run does not know them; the run learns them."""
        keyed = _keyed(rows)
        due = {key: row for key, row in keyed.items() if self._is_due(run, key, row)}
        for key, history in self._asked(due).items():
            run.learn(key, history)
        old = run.today - timedelta(days=self._options.window_days + 2)
        for key, row in keyed.items():
            acted = local_time(row.last_action_date, self._zone)
            if row.dossier_status in self._options.terminal_statuses and acted is not None and acted.date() < old:
                run.forget(key)
        return {key: None if (one := run.known(key)) is None else one.packed() for key in keyed}

    def _asked(self, keyed: dict[str, Row]) -> dict[str, History | None]:
        return dict(zip(keyed, self._pool.map(self._ask, keyed.values()), strict=True))

    def _ask(self, row: Row) -> History | None:
        answer = self._client.get_json(f"{PATH}/{text(row.dossier_id)}/sequences", absent=NO_HISTORY)
        if answer is None:
            return None
        received = local_time(row.receive_date, self._zone)
        found = read_history(
            answer,
            self._options.waiting_steps,
            received_ms=None if received is None else round(received.timestamp()) * 1000,
            step=text(row.step_code),
        )
        return replace(found, mark=_mark(row))

    def _is_due(self, run: Run, key: str, row: Row) -> bool:
        acted = local_time(row.last_action_date, self._zone)
        run.saw_action(acted)
        if acted is None or run.may_have_changed(acted):
            return True
        if not run.knows(key):
            return not (self._has_ended(row) and run.keep_early(key))
        known = run.known(key)
        if known is None or run.is_stale(key):
            return run.is_wide
        if known.mark not in (None, _mark(row)):
            return True
        return (text(row.step_code) in self._options.waiting_steps) != known.waits

    def _has_ended(self, row: Row) -> bool:
        codes = (text(row.dossier_sub_status), text(row.dossier_status))
        return next((self._statuses[code] for code in codes if code in self._statuses), None) in ENDED


def _keyed(rows: Sequence[Row]) -> dict[str, Row]:
    return {key: row for row in rows if (key := text(row.dossier_id))}


def _mark(row: Row) -> int:
    """What of a row a history goes with: instants that the source corrects show here though nobody acted."""
    return crc32(f"{text(row.last_action_date)} {text(row.receive_date)} {text(row.step_code)}".encode())


def local_time(value: object, zone: ZoneInfo) -> datetime | None:
    """A date of a row; None where there is none that can be read."""
    try:
        return datetime.strptime(str(value), "%d/%m/%Y %H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        return None
