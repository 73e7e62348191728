"""Keys of applicants' hashes, which may be changed: each names itself in the hashes that it makes.

Of an applicant only a keyed hash is kept. Whoever has the key can tell whether a person it suspects is in the data; so the
key is changed now and then, and the former one destroyed. Hashes of different keys never agree.
"""

from __future__ import annotations

from typing import Self


class ApplicantKey(bytes):
    """A key, and the short name that its hashes begin with; an empty name leaves them as they are."""

    key_id: str

    def __new__(cls, secret: bytes, key_id: str = "") -> Self:
        """A key from its bytes."""
        key = super().__new__(cls, secret)
        key.key_id = key_id
        return key

    def __repr__(self) -> str:
        # Keys never reach a log.
        return f"ApplicantKey({self.key_id!r})"

    __str__ = __repr__


def mark_of(key: bytes) -> str:
    """What the hashes of a key begin with: its name and a colon, or nothing."""
    return f"{key.key_id}:" if isinstance(key, ApplicantKey) and key.key_id else ""
