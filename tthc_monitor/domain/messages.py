"""A message that a source sent by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Message:
    """Something that was sent to us, without personal data, as ``receive`` of its connector left it.

    ``number`` grows in the order of arrival within a source; ``content`` is plain JSON.
    """

    number: int
    received_at: datetime
    content: Any
