"""What stands in the annex of details: the tables of topics that the letter has no room for."""

from __future__ import annotations

from collections.abc import Callable

from tests.word_template import (
    topic_apologies,
    topic_causes,
    topic_focus,
    topic_integrity,
    topic_petitions,
    topic_progress,
    topic_reconciliation,
    topic_returns,
    topic_shortenable,
    topic_trend,
)
from tests.word_template.own_sections import procedures

DETAILS: tuple[Callable[[], str], ...] = (
    topic_trend.details,
    topic_progress.details,
    procedures,
    topic_focus.details,
    topic_returns.details,
    topic_causes.details,
    topic_apologies.details,
    topic_integrity.details,
    topic_reconciliation.details,
    topic_petitions.details,
    topic_shortenable.details,
)
"""Tables that stand in an annex so that the letter stays short, in the order of its sections."""
