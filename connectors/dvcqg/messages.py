"""What may be kept of a message: a whitelist, applied before anything is stored. Pure functions.

A message is one envelope ``{session, madonvi, service, isUpdating, data}``. Of it stay the service, the sender's code and
of each record in ``data`` the fields named here, as texts. Everything else goes: persons, contacts, papers, free texts,
and the session, which is a secret of the platform.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from connectors.mapping_engine import applicant_hash

DOSSIERS: Final = "DongBoHoSoMC"
PROGRESS: Final = "CapNhatTienDoHoSoMC"
SUPPLEMENTS: Final = "DanhSachHoSoBoSung"
KEY: Final = "MaHoSo"
ROW: Final = "row"
APPLICANT: Final = "applicant"

_CODES: Final[Mapping[str, tuple[str, ...]]] = {
    DOSSIERS: ("MaTTHC", "MaLinhVuc", "KenhThucHien", "TrangThaiHoSo"),
    PROGRESS: ("TrangThai",),
}
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    DOSSIERS: ("TenTTHC", "TenLinhVuc", "DonViXuLy"),
    PROGRESS: ("PhongBanXuLy",),
}
DATES: Final[Mapping[str, tuple[str, ...]]] = {
    DOSSIERS: ("NgayNopHoSo", "NgayTiepNhan", "NgayHenTra", "NgayKetThucXuLy", "NgayTra", "NgayTuChoi"),
    PROGRESS: ("ThoiDiemXuLy", "NgayBatDau", "NgayKetThucTheoQuyDinh"),
}
SUPPLEMENT_DATES: Final = ("NgayBoSung", "NgayTiepNhanBoSung", "NgayHenTraTruoc", "NgayHenTraMoi")
_PERSON: Final = ("SoDinhDanh", "MaDoiTuong")

UNREADABLE: Final = "?"
"""Stands for a value that is there and cannot be what it should be; the value itself is not kept."""
RECORDS_TOGETHER: Final = 500
"""Records in one content at most, so that a long message is not one long row of the inbox."""
LONGEST_NAME: Final = 500
MOST_FAULTS: Final = 1_000
"""Records of one body that may be no records; a body of nothing but rubbish is refused, not kept."""
MOST_SUPPLEMENTS: Final = 100
"""Requests for supplements of one dossier; the law allows one, practice knows a handful."""
_LONGEST_REPLY: Final = 10

_KEY: Final = re.compile(r"[\w.:/\-]{1,100}")
_CODE: Final = re.compile(r"[\w ./()\-]{1,100}")
_DATE: Final = re.compile(r"[0-9:./+\-TZ ]{1,40}")


class NotAMessageError(ValueError):
    """A text that is no such message; says why, and holds nothing of it."""


class HalfAMessageError(NotAMessageError):
    """A text that is no JSON (yet): cut off, or still being written."""


def text(value: Any) -> str | None:
    """A field as a text: numbers as they are written without exponent, blanks collapsed; null when nothing is left."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    if not isinstance(value, (str, int, float)):
        return None
    letters = (letter if unicodedata.category(letter)[0] != "C" else " " for letter in str(value))
    return unicodedata.normalize("NFC", " ".join("".join(letters).split())) or None


def read_messages(body: bytes, applicant_key: bytes | None) -> list[dict[str, Any]]:
    """What may be kept of a body that holds a message, or a list of messages, in contents of bounded length.

    Each content has ``service``, ``unit`` (the sender's code), ``records`` (whitelisted fields as texts, with the place
    ``row`` in ``data``, from 1) and ``faults``: place, field and reason of what cannot be a record.

    Raises:
        HalfAMessageError: the body is not JSON.
        NotAMessageError: it is no such message.
    """
    parsed = _parsed(body)
    envelopes = parsed if isinstance(parsed, list) else [parsed]
    if not envelopes:
        raise NotAMessageError("the list holds no message; send {session, madonvi, service, isUpdating, data}")
    contents: list[dict[str, Any]] = []
    faults = 0
    for content in chain.from_iterable(_contents(envelope, applicant_key) for envelope in envelopes):
        faults += len(content["faults"])
        if faults > MOST_FAULTS:
            raise NotAMessageError(f"more than {MOST_FAULTS} of its records cannot be taken; look at what is sent")
        contents.append(content)
    return contents


def _parsed(body: bytes) -> Any:
    try:
        letters = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HalfAMessageError("the body is not UTF-8, or is cut off; send one whole JSON object in UTF-8") from None
    try:
        return json.loads(letters)
    except (ValueError, RecursionError):
        # The parser's own message quotes nothing, but its position is of no use to a machine that sends.
        raise HalfAMessageError("the body is not JSON, or is cut off; send one whole JSON object") from None


def _contents(envelope: Any, applicant_key: bytes | None) -> Iterator[dict[str, Any]]:
    if not isinstance(envelope, Mapping):
        raise NotAMessageError("a message is not a JSON object; send {session, madonvi, service, isUpdating, data}")
    service = envelope.get("service")
    if service not in (DOSSIERS, PROGRESS):
        raise NotAMessageError(f"service is neither {DOSSIERS} nor {PROGRESS}; send no other messages here")
    data = envelope.get("data")
    if isinstance(data, Mapping):
        data = [data]
    if not isinstance(data, list):
        raise NotAMessageError("data is not a list of records; send the records in data, [] when there are none")
    unit = text(envelope.get("madonvi"))
    unit = unit if unit is not None and _KEY.fullmatch(unit) else None
    for start in range(0, len(data), RECORDS_TOGETHER):
        records, faults = [], []
        for row, given in enumerate(data[start : start + RECORDS_TOGETHER], start=start + 1):
            fault = _fault(given, service)
            if fault is None:
                records.append({**_kept(given, service, applicant_key), ROW: row})
            else:
                faults.append([row, *fault])
        yield {"service": service, "unit": unit, "records": records, "faults": faults}


def _fault(given: Any, service: str) -> tuple[str | None, str] | None:
    if not isinstance(given, Mapping):
        return None, "not a record; ask the platform's operator"
    key = text(given.get(KEY))
    if key is None:
        return KEY, "is missing, so the dossier cannot be told from others; ask the platform's operator"
    if not _KEY.fullmatch(key):
        return KEY, "is not a dossier number (100 letters, digits and . - / : at most); ask the platform's operator"
    requests = given.get(SUPPLEMENTS)
    if service == DOSSIERS and isinstance(requests, list) and len(requests) > MOST_SUPPLEMENTS:
        return SUPPLEMENTS, f"has more than {MOST_SUPPLEMENTS} entries; ask the platform's operator"
    return None


def _kept(given: Mapping[str, Any], service: str, applicant_key: bytes | None) -> dict[str, Any]:
    kept: dict[str, Any] = {KEY: text(given.get(KEY))}
    kept |= {name: _matching(_CODE, given.get(name)) for name in _CODES[service]}
    kept |= {name: (text(given.get(name)) or "")[:LONGEST_NAME] for name in _NAMES[service]}
    kept |= {name: _matching(_DATE, given.get(name)) for name in DATES[service]}
    if service == DOSSIERS:
        kept |= _supplements(given.get(SUPPLEMENTS))
        if applicant_key is not None:
            number = next((found for name in _PERSON if (found := text(given.get(name)))), None)
            kept[APPLICANT] = applicant_hash(number, applicant_key) if number else None
    return {name: value for name, value in kept.items() if value not in (None, "")}


def _supplements(given: Any) -> dict[str, list[dict[str, str]]]:
    """The list of requests for supplements; none where the message has no such list."""
    requests = [given] if isinstance(given, Mapping) else given
    if not isinstance(requests, list):
        return {SUPPLEMENTS: []}
    return {
        SUPPLEMENTS: [
            {name: found for name in SUPPLEMENT_DATES if (found := _matching(_DATE, one.get(name)))}
            if isinstance(one, Mapping)
            else {SUPPLEMENT_DATES[0]: UNREADABLE}
            for one in requests
        ]
    }


def _matching(pattern: re.Pattern[str], given: Any) -> str | None:
    if (isinstance(given, (Mapping, list)) and given) or (isinstance(given, float) and not math.isfinite(given)):
        return UNREADABLE
    found = text(given)
    return found if found is None or pattern.fullmatch(found) else UNREADABLE


def reply(contents: list[dict[str, Any]]) -> dict[str, str]:
    """The answer to a message that was taken, in the portal's form."""
    taken = sum(len(content["records"]) for content in contents)
    faults = [fault for content in contents for fault in content["faults"]]
    said = f"records taken: {taken}"
    if faults:
        told = "; ".join(
            f"record {row}: {' '.join(filter(None, (column, reason)))}"
            for row, column, reason in faults[:_LONGEST_REPLY]
        )
        said += f"; cannot be read: {len(faults)} ({told})"
    return {"error_code": "0", "message": said}
