"""The portal's lists of procedures as workbooks: code, name, issuer, agency and sector, but no limits."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connectors.workbook_reader import WorkbookOptions, read_workbook
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.procedure_catalogue import ProcedureEntry

_COLUMNS: Final = ("Mã số", "Tên", "Cơ quan ban hành", "Cơ quan thực hiện", "Lĩnh vực")
_HEADER_ROW: Final = 2


def read_xlsx(path: Path) -> list[ProcedureEntry]:
    """Procedures of a workbook; several agencies stand on lines of one cell and become a list with commas.

    Raises:
        ConfigError: no such file, columns are missing, or rows without code or name.
        PermanentSourceError: the workbook is protected, damaged or empty.
    """
    entries: dict[str, ProcedureEntry] = {}
    wrong: list[str] = []
    try:
        for table, _ in read_workbook(path, str(path), WorkbookOptions(header_row=_HEADER_ROW), _COLUMNS):
            for index, row in enumerate(table.frame.select(_COLUMNS).iter_rows()):
                code, name, issuer, agency, sector = (_told(cell) for cell in row)
                if code is None or name is None:
                    wrong.append(f"{table.location}, row {table.row(index)}: no code or no name; fill both in")
                elif code in entries:
                    wrong.append(f"{table.location}, row {table.row(index)}: {code} stands twice; remove one")
                else:
                    entries[code] = ProcedureEntry(code, name, sector=sector, agency=agency, issuer=issuer)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; name an existing, readable file") from None
    if wrong:
        raise ConfigError("\n".join(wrong))
    if not entries:
        raise ConfigError(f"{path} holds no procedures; export it again")
    return list(entries.values())


def _told(cell: str | None) -> str | None:
    """A cell's text; its lines joined by commas."""
    lines = [" ".join(line.split()) for line in (cell or "").splitlines()]
    return ", ".join(line for line in lines if line) or None
