"""Real data that tests may use but that is not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared(name: str) -> Path:
    """Path of a shared data file or folder; the test is skipped where it is absent.

    The folder is ``TTHC_SHARED_DATA``, or ``shared/data`` beside the checkout.
    """
    base = os.environ.get("TTHC_SHARED_DATA")
    root = Path(base) if base else Path(__file__).resolve().parents[2] / "shared" / "data"
    path = root / name
    if not path.exists():
        pytest.skip(f"shared data {name} not at hand; set TTHC_SHARED_DATA to its folder")
    return path
