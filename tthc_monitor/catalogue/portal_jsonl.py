"""The portal's procedures as JSON Lines, plain or gzipped: name, decision and the raw text of their limits."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tthc_monitor.catalogue.limit_text import Reading, read_limits
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.procedure_catalogue import ProcedureEntry, SourcedLimit
from tthc_monitor.domain.time_limits import TimeLimit

_CODE: Final = "ma_thu_tuc"
_NAME: Final = "ten_thu_tuc"
_LIMITS: Final = "cach_thuc_thuc_hien"
_NOTHING: Final = frozenset({"", "Không có thông tin"})


def read_jsonl(
    path: Path, progress: Callable[[int, int | None], None] | None = None
) -> tuple[list[ProcedureEntry], list[Reading]]:
    """Procedures of a file, and what was read of their limits.

    Raises:
        ConfigError: lines that are no procedures, all at once, or a file that cannot be read.
    """
    entries: dict[str, ProcedureEntry] = {}
    readings: list[Reading] = []
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        row = _row(line)
        if isinstance(row, str):
            problems.append(Problem(str(path), number, row))
        elif row[_CODE] in entries:
            problems.append(Problem(str(path), number, f"procedure {row[_CODE]} stands twice; remove one of the two"))
        else:
            entries[row[_CODE]] = _entry(row)
            readings += read_limits(row[_CODE], row[_LIMITS])
        if progress is not None:
            progress(number, None)
    if problems:
        raise ConfigError(problems)
    if not entries:
        raise ConfigError([Problem(str(path), None, "the file holds no procedures; export it again")])
    return list(entries.values()), readings


def limits_of(entries: Sequence[ProcedureEntry], readings: Sequence[Reading], basis: str | None) -> list[SourcedLimit]:
    """The limits read, on a legal basis of our own words or on the decision that published the procedure.

    Where every channel of a procedure has the same limit, it is the procedure's, and holds for dossiers of which the
    source does not tell the channel.
    """
    decisions = {entry.procedure_code: entry.decision for entry in entries}
    grouped: dict[str, list[Reading]] = {}
    for reading in readings:
        grouped.setdefault(reading.procedure_code, []).append(reading)
    found = []
    for code, group in grouped.items():
        decision = decisions.get(code)
        legal_basis = basis or (f"Quyết định công bố {decision}" if decision else "Cơ sở dữ liệu quốc gia về TTHC")
        alike = len({(reading.amount, reading.unit, reading.reason) for reading in group}) == 1
        for reading in group[:1] if alike else group:
            if reading.reason is None:
                limit = TimeLimit(
                    procedure_code=code, channel=None if alike else reading.channel,
                    amount=reading.amount, unit=reading.unit, legal_basis=legal_basis,
                )  # fmt: skip
                found.append(SourcedLimit(limit, reading.text))
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield from file
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; name an existing file") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; fetch or export it again") from None


def _row(line: str) -> dict[str, Any] | str:
    """A line as a procedure, or what is wrong with it."""
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"not JSON: {error}; export the file again"
    if not isinstance(row, dict):
        return "not an object with the fields of a procedure; export the file again"
    for name in (_CODE, _NAME, _LIMITS):
        if not isinstance(row.get(name), str) or (name != _LIMITS and not row[name].strip()):
            return f"field '{name}' is missing or no text; export the file again"
    row[_CODE] = row[_CODE].strip()
    return row


def _entry(row: dict[str, Any]) -> ProcedureEntry:
    def told(name: str) -> str | None:
        value = row.get(name)
        text = " ".join(value.split()) if isinstance(value, str) else ""
        return None if text in _NOTHING else text

    return ProcedureEntry(
        procedure_code=row[_CODE],
        name=" ".join(row[_NAME].split()),
        sector=told("linh_vuc"),
        level=told("cap_thuc_hien"),
        agency=told("co_quan_thuc_hien"),
        authority=told("co_quan_co_tham_quyen"),
        decision=told("so_quyet_dinh"),
    )
