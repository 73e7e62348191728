"""A connector in a package of its own: the register of a ward office, one JSON object a line.

.. code-block:: json

    {"so": "H99.36-260921-0001", "thu_tuc": "1.001234", "nhan": "2026-09-21T08:15:00+07:00",
     "hen": "2026-09-24T08:15:00+07:00", "xong": null, "tinh_trang": "dang giai quyet", "nguoi_nop": "never kept"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final

import polars as pl
from pydantic import Field

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError
from tthc_monitor.domain.records import INSTANT_COLUMNS, RECORD_SCHEMA, Batch, Reject, conform
from tthc_monitor.domain.statuses import Status

STATUSES: Final = {
    "da tiep nhan": Status.RECEIVED,
    "dang giai quyet": Status.PROCESSING,
    "da tra": Status.DELIVERED,
}
FIELDS: Final = {
    "so": "source_key",
    "thu_tuc": "procedure_code",
    "nhan": "received_at",
    "hen": "due_current",
    "xong": "finished_at",
    "tinh_trang": "source_status",
}
"""Their names and ours. What does not stand here, the applicant's name say, never leaves :meth:`WardBook.fetch`."""
PAGE_LINES: Final = 1000


class WardBookOptions(ConnectorOptions):
    """Settings of one register."""

    path: Path = Field(description="the register, relative to the configuration's folder")
    unit_code: str = Field(min_length=1, description="code of the ward that keeps it")


class WardBook:
    """Reads the whole register in every run; it holds every open dossier."""

    Options: ClassVar[type[ConnectorOptions]] = WardBookOptions

    def __init__(self, name: str, options: WardBookOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._unit = options.unit_code
        self._path = surroundings.base_dir / options.path

    @property
    def provides(self) -> frozenset[str]:
        """The columns that a line fills."""
        return frozenset({*FIELDS.values(), "kind", "code", "unit_code", "status"})

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of lines, cut down to the fields that may be kept."""
        waiting: list[tuple[int, Any]] = []
        try:
            with self._path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    waiting.append((number, _kept(line)))
                    if len(waiting) == PAGE_LINES:
                        yield Page(waiting, self._path.name)
                        waiting = []
        except FileNotFoundError:
            raise PermanentSourceError(f"{self._path} does not exist; put the register there or correct path") from None
        except UnicodeDecodeError:
            raise PermanentSourceError(f"{self._path.name} is not UTF-8; save the register as UTF-8") from None
        except OSError as error:
            raise TransientSourceError(f"{self._path.name}: {error.strerror}; the next run tries again") from None
        yield Page(waiting, self._path.name, listed_all=True)

    def normalise(self, page: Page) -> Batch:
        """Records of the lines that can be read; the others are rejects."""
        good: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for number, fields in page.content:
            try:
                good.append(self._record(fields))
            except (ValueError, OverflowError) as error:
                rejects.append(Reject(page.location, number, None, f"{error}; correct the line"))
        schema = {name: dtype for name, dtype in RECORD_SCHEMA.items() if name in self.provides}
        return Batch(conform(pl.DataFrame(good, schema=schema)), tuple(rejects), len(page.content))

    def check(self) -> list[str]:
        """Read the register once."""
        batches = [self.normalise(page) for page in self.fetch(None)]
        read, refused = (sum(batch.records.height for batch in batches), sum(len(batch.rejects) for batch in batches))
        return [f"{self._path.name}: {read} dossiers can be read, {refused} lines cannot"]

    def _record(self, fields: Any) -> dict[str, Any]:
        if fields is None or fields["so"] is None:
            raise ValueError("the line is no register entry with a number 'so' and plain texts")
        record: dict[str, Any] = {ours: fields[theirs] for theirs, ours in FIELDS.items()}
        for name in set(record) & set(INSTANT_COLUMNS):
            record[name] = _instant(record[name])
        status = STATUSES.get(record["source_status"])
        return {
            **record,
            "kind": "dossier",
            "code": record["source_key"],
            "unit_code": self._unit,
            "status": None if status is None else int(status),
        }


def _kept(line: str) -> dict[str, str | None] | None:
    """The fields that may be kept, as texts; None of a line that is no entry."""
    try:
        entry = json.loads(line)
        return {name: _plain(entry.get(name)) for name in FIELDS} if isinstance(entry, dict) else None
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(value: Any) -> str | None:
    """A text or a whole number as a text; what is nested could hold anything, a name too."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError("not a text")
    text = str(value).replace("\0", "").strip()
    text.encode()  # half of a surrogate pair is refused here, not by the whole page later
    return text or None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("an instant is not written like 2026-09-21T08:15:00+07:00")
    return moment.astimezone(UTC)
