"""What a recipient writes on the pages behind the links of his mails, read and checked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from urllib.parse import parse_qs

LONGEST_NOTE: Final = 500
FURTHEST: Final = timedelta(days=30)
"""So far ahead somebody may promise to be done."""

_FIELDS: Final = 10
_MANY_DIGITS: Final = re.compile(r"\d(?:[ .\u00a0\u2009\u202f\u2010-\u2015-]?\d){8}")
"""As identity and telephone numbers have, however they are grouped."""

_DOSSIER: Final = re.compile(r"(?<!\w)[A-Za-z]\d{2}(?:\.\d{1,4}){0,4}-\d{6}(?:\d{2})?-\d{4,8}(?!\w)")
"""The number of a dossier, such as H99.01-261001-0001 or 000.00.01.H99-261001-0001."""

_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_LOCAL: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written, and what is wrong with it, in Vietnamese; None: nothing."""

    done_before: date | None
    note: str | None
    problem: str | None = None


def read_fields(content_type: str, body: bytes) -> Mapping[str, str]:
    """The fields of a form, sent either way that programs and browsers send forms; the first of each name.

    Raises:
        ValueError: it is no form.
    """
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
        if not message.is_multipart():
            raise ValueError("it says that it has parts, and has none")
        found: dict[str, str] = {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(content, bytes):
                found.setdefault(name, content.decode())
        return found
    fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    return {name: values[0] for name, values in fields.items()}


def read_answer(fields: Mapping[str, str], today: date) -> Answer:
    """The answer in the fields of the page's form."""
    note = _plain(fields.get("note", ""))
    written = fields.get("done_before", "").strip()
    done_before = _day(written)
    problem = None
    if written and done_before is None:
        problem = "Ngày xử lý xong chưa đúng; đề nghị ghi theo dạng ngày/tháng/năm."
    elif done_before is not None and not today < done_before <= today + FURTHEST:
        problem = f"Ngày xử lý xong phải sau hôm nay và không quá {FURTHEST.days} ngày kể từ hôm nay."
    elif len(note) > LONGEST_NOTE:
        problem = f"Ghi chú dài {len(note)} ký tự; đề nghị rút gọn còn tối đa {LONGEST_NOTE} ký tự."
    elif _MANY_DIGITS.search(_DOSSIER.sub(" # ", note)):
        problem = "Ghi chú có dãy số giống số định danh hoặc số điện thoại; đề nghị bỏ thông tin của công dân."
    return Answer(done_before, note or None, problem)


def _plain(written: str) -> str:
    """Text without control characters, and with one kind of line break."""
    lines = written.replace("\r\n", "\n").replace("\r", "\n")
    kept = (sign for sign in lines if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def _day(written: str) -> date | None:
    """As a browser's calendar gives it, or as people write it where a browser has none."""
    iso, local = _ISO.fullmatch(written), _LOCAL.fullmatch(written)
    year, month, day = iso.groups() if iso else reversed(local.groups()) if local else ("0", "0", "0")
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
