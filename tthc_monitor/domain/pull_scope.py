"""What a source is asked for, as a fingerprint: when it changes, what is no longer given may only be left out by it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

_NO_SCOPE: Final = re.compile(
    r"password|passphrase|secret|token|auth|credential|user|login|headers|certificate|timeout|retries|page_size|per_second",
    re.IGNORECASE,
)
"""Names of options that say how a source is asked, or hold secrets, and do not say for what."""

_ACCOUNT: Final = re.compile(r"//[^/@\s]*@")


def scope_of(options: Mapping[str, Any]) -> str:
    """The fingerprint of a source's options, without secrets: renewing a password changes nothing."""
    return sha256(json.dumps(_scope(options), sort_keys=True, default=str).encode()).hexdigest()


def _scope(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _scope(part) for name, part in value.items() if not _NO_SCOPE.search(str(name))}
    if isinstance(value, (list, tuple)):
        return [_scope(part) for part in value]
    return _ACCOUNT.sub("//", value) if isinstance(value, str) else value
