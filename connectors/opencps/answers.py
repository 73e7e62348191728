"""The server's answers as they enter: only the whitelisted fields are taken out of the JSON.

Everything else, persons, addresses and the PIN among it, is skipped by the decoder and never becomes a value of the
program; of the applicant's number only a keyed hash goes further than this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from connectors.http.json_text import parse_json
from tthc_monitor.domain.applicant_keys import mark_of

Scalar = str | int | float | bool | None
"""A field as the server may write it: numeric-looking texts become numbers, null an empty text."""


class Row(msgspec.Struct, rename="camel", gc=False):
    """The fields of a dossier that are looked at. A field of another type than a scalar is read as null."""

    dossier_id: Scalar = None
    group_id: Scalar = None
    reference_uid: Scalar = None
    dossier_no: Scalar = None
    service_code: Scalar = None
    service_name: Scalar = None
    gov_agency_code: Scalar = None
    gov_agency_name: Scalar = None
    domain_code: Scalar = None
    domain_name: Scalar = None
    dossier_status: Scalar = None
    dossier_sub_status: Scalar = None
    step_code: Scalar = None
    step_name: Scalar = None
    last_action_date: Scalar = None
    online: Scalar = None
    via_postal: Scalar = None
    from_via_postal: Scalar = None
    system_id: Scalar = None
    originality: Scalar = None
    origin_dossier_id: Scalar = None
    dossier_overdue: Scalar = None
    submit_date: Scalar = None
    receive_date: Scalar = None
    due_date: Scalar = None
    extend_date: Scalar = None
    release_date: Scalar = None
    finish_date: Scalar = None
    cancelling_date: Scalar = None
    applicant_id_no: Scalar = None


APPLICANT_HASH: Final = "applicantHash"
FIELDS: Final = (*[field.encode_name for field in msgspec.structs.fields(Row)][:-1], APPLICANT_HASH)
"""The names of what :func:`kept` gives, in order."""


@dataclass(frozen=True)
class Listing:
    """A list as the server answered it; None stands for something that is no record at all."""

    total: int | None
    rows: Sequence[Row | None]


@dataclass(frozen=True)
class Rows:
    """Rows of a list, each at the same place in three ways: as read, as :func:`kept`, and as a hash of what is kept."""

    read: Sequence[Row | None] = ()
    kept: Sequence[tuple[Scalar, ...]] = ()
    states: Sequence[int] = ()

    @classmethod
    def of(cls, read: Sequence[Row | None], applicant_key: bytes | None) -> Rows:
        """Best right after reading, while the fields are still in the processor's cache: later it takes thrice as long."""
        kept_rows = kept_of(read, applicant_key)
        return cls(read, kept_rows, [hash(row) for row in kept_rows])

    def __len__(self) -> int:
        return len(self.read)

    def at(self, places: Sequence[int]) -> Rows:
        """Those at these places, which ascend."""
        if len(places) == len(self.read):
            return self
        return Rows(
            [self.read[place] for place in places],
            [self.kept[place] for place in places],
            [self.states[place] for place in places],
        )

    def and_then(self, later: Rows) -> Rows:
        """These and others after them."""
        return Rows([*self.read, *later.read], [*self.kept, *later.kept], [*self.states, *later.states])


class _Envelope(msgspec.Struct):
    total: Scalar = None
    data: list[Row] | Row | str | None = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_ROW: Final = msgspec.json.Decoder(Row)
_NO_CONTENT: Final = (b"", b"No Content.")


def read_listing(body: bytes) -> Listing:
    """Read a list: of one record, or none, the server writes no list.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        envelope = _ENVELOPE.decode(body)
    except ValueError:  # not JSON, or JSON of an unusual shape
        answer = parse_json(body)
        if not isinstance(answer, Mapping):
            return Listing(None, ())
        return Listing(_count(answer.get("total")), [_row(item) for item in as_list(answer.get("data"))])
    data = envelope.data
    rows: Sequence[Row | None] = data if isinstance(data, list) else [data] if isinstance(data, Row) else ()
    return Listing(_count(envelope.total), [None] if isinstance(data, str) and data else rows)


def read_detail(body: bytes) -> Row | None:
    """Read the answer about one dossier; None when it is no record, or says so in words.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return _ROW.decode(body)
    except ValueError:
        return None if body.strip() in _NO_CONTENT else _row(parse_json(body))


def as_list(value: Any) -> list[Any]:
    """The server writes a list of one as the thing itself, and leaves an empty list out."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _count(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _row(item: Any) -> Row | None:
    if not isinstance(item, Mapping):
        return None
    fields = msgspec.structs.fields(Row)
    told = {field.name: item.get(field.encode_name) for field in fields}
    return Row(**{name: value for name, value in told.items() if not isinstance(value, (list, dict))})


def kept(row: Row | None, applicant_key: bytes | None) -> tuple[Scalar, ...]:
    """What goes on of a row, in the order of :data:`FIELDS`: the applicant's number as a keyed hash, or not at all.

    Of what is no record nothing is kept; it becomes a reject.
    """
    return kept_of([row], applicant_key)[0]


def kept_of(rows: Sequence[Row | None], applicant_key: bytes | None) -> list[tuple[Scalar, ...]]:
    """What :func:`kept` gives of each of many rows, in a fraction of the time."""
    digest = None if applicant_key is None else _hasher(applicant_key)
    astuple = msgspec.structs.astuple
    if digest is None:
        return [() if row is None else (*astuple(row)[:-1], None) for row in rows]
    return [() if row is None else (*astuple(row)[:-1], digest(row.applicant_id_no)) for row in rows]


def applicant_hash(number: Any, key: bytes) -> str | None:
    """HMAC-SHA256 of an identity number, in hex; None when there is no number.

    Leading zeros are cut first, because the server drops them from some answers and not from others.
    """
    return _hasher(key)(number)


def _hasher(key: bytes) -> Callable[[Any], str | None]:
    begin, end = (state.copy for state in _keyed_states(key))
    mark = mark_of(key)

    def digest(number: Any) -> str | None:
        canonical = str(number or "") if type(number) is int else (text(number) or "").replace(" ", "").lstrip("0")
        if not canonical:
            return None
        inner, outer = begin(), end()
        inner.update(canonical.encode())
        outer.update(inner.digest())
        return mark + outer.hexdigest()

    return digest


@lru_cache(maxsize=16)
def _keyed_states(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The two hashes of HMAC (RFC 2104) after the key; to go on from copies is thrice as fast as to begin anew."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    return inner, outer


def text(value: Any) -> str | None:
    """A field as text: the server writes numeric-looking texts as numbers, and null as an empty text."""
    if type(value) is int:
        return str(value)
    if value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() or None
