"""What an office says of itself in the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tthc_monitor.report_settings import ReportSettings


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"signer": {"on_behalf": ["THAY MẶT ỦY BAN"]}}, "names no power to sign; begin it with TM., KT., TL., TUQ."),
        ({"addressees": [" "]}, "at least 1 character"),
        ({"formats": []}, "at least 1 item"),
        ({"formats": ["odt"]}, "'docx', 'xlsx', 'pdf', 'csv' or 'json'"),
        ({"office": "a" * 501}, "at most 500 characters"),
    ],
)
def test_what_cannot_stand_on_paper_is_refused(part: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ReportSettings.model_validate(part)


def test_small_letters_name_a_power_too() -> None:
    assert ReportSettings.model_validate({"signer": {"on_behalf": ["tl. Chủ tịch"]}}).signer.on_behalf == (
        "tl. Chủ tịch",
    )
