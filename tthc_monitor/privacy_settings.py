"""The parts of the configuration about personal data: how long what is kept, and the keys of applicants' hashes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Final

from pydantic import ConfigDict, Field, field_validator

from tthc_monitor.domain.durations import Period, written
from tthc_monitor.source_settings import Part

LEAST_KEPT: Final = timedelta(days=731)
"""Details of a dossier are kept for so long after it ended, whatever the settings say. The database refuses what is less
than 730 days back by its own clock, which need not agree with ours to the second.
"""


class RetentionSettings(Part):
    """How long what is kept; what is older is erased every night at ``at`` (docs/data-inventory.md).

    ``details``
        after a dossier ended: what can lead to a person. At least :data:`LEAST_KEPT`.
    ``runs``
        after a pull: the texts about it, such as rejects, unknown codes and its error.
    ``deliveries``
        after a mail: to whom it went.
    ``job_runs``
        after a job's slot: how it went; the last success stays.
    ``inbox``
        after a message was sent to us that no good pull has read since.
    """

    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "02:30"
    details: Period = timedelta(days=3650)
    runs: Period = timedelta(days=730)
    deliveries: Period = timedelta(days=730)
    job_runs: Period = timedelta(days=30)
    inbox: Period = timedelta(days=365)

    @field_validator("details")
    @classmethod
    def _long_enough(cls, details: timedelta) -> timedelta:
        if details < LEAST_KEPT:
            raise ValueError(
                f"details must be kept for at least {written(LEAST_KEPT)} after a dossier ended: inspectors look back so "
                "far; choose a longer period"
            )
        return details


class ApplicantKeySettings(Part):
    """One key of applicants' hashes: its file, the day from which on it is used, and the ``id`` that its hashes begin with.

    Without ``from`` it is in use from the beginning; without ``id`` its hashes are those of ``applicant_key_file``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    file: str
    first_day: date | None = Field(default=None, alias="from")
    id: Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")] | None = None


def check_keys(keys: Sequence[ApplicantKeySettings], *, single: bool) -> None:
    """Whether the keys of applicants' hashes follow each other.

    Args:
        single: ``applicant_key_file`` names a key too.

    Raises:
        ValueError: they do not; with what to do.
    """
    if keys and single:
        raise ValueError("applicant_key_file and applicant_keys are both given; keep applicant_keys alone")
    days = [key.first_day or date.min for key in keys]
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise ValueError("applicant_keys must follow each other by the day; give each but the first a later 'from'")
    if len({key.id for key in keys}) < len(keys):
        raise ValueError("two of applicant_keys have the same id, so their hashes look alike; give each its own")


def key_in_force(keys: Sequence[ApplicantKeySettings], today: date) -> ApplicantKeySettings | None:
    """The newest key whose first day has come; None: there is none."""
    return next((key for key in reversed(keys) if key.first_day is None or key.first_day <= today), None)
