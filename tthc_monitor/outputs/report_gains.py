"""What to do about the figures: focus sectors, heads, limits that could be shorter, steps, indices, and what follows.

One topic, for the proposals rest on what the others found, and two of them on one reading of working times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tthc_monitor.outputs.report_focus import FIELDS_FOCUS, Focus, read_focus
from tthc_monitor.outputs.report_heads import FIELDS_HEADS, Heads, read_heads_topic
from tthc_monitor.outputs.report_indices import FIELDS_INDICES, Indices, read_index_values
from tthc_monitor.outputs.report_proposals import FIELDS_PROPOSALS, Proposals, propose
from tthc_monitor.outputs.report_shortenable import FIELDS_SHORTENABLE, Shortenable, read_shortenable
from tthc_monitor.outputs.report_steps import FIELDS_STEPS, Steps, read_steps
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.report_times import read_times

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

FIELDS_GAINS: Final = (
    *FIELDS_FOCUS,
    *FIELDS_HEADS,
    *FIELDS_SHORTENABLE,
    *FIELDS_STEPS,
    *FIELDS_INDICES,
    *FIELDS_PROPOSALS,
)


@dataclass(frozen=True)
class Gains:
    """All parts, in the order of the document."""

    focus: Focus
    heads: Heads
    shortenable: Shortenable
    steps: Steps
    indices: Indices
    proposals: Proposals

    @property
    def _parts(self) -> tuple[Focus | Heads | Shortenable | Steps | Indices | Proposals, ...]:
        return self.focus, self.heads, self.shortenable, self.steps, self.indices, self.proposals

    def tables(self) -> Sequence[Table]:
        """The tables of all parts."""
        return [table for part in self._parts for table in part.tables()]

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_GAINS`."""
        return {name: value for part in self._parts for name, value in part.words().items()}


def read_gains(reading: Reading) -> Gains:
    """Read all parts.

    Raises:
        ConfigError: ``report.heads_file`` or ``report.indices_file`` cannot be used.
    """
    focus, heads, indices = read_focus(reading), read_heads_topic(reading), read_index_values(reading)
    times = read_times(reading)
    shortenable, steps = read_shortenable(reading, times), read_steps(reading, times)
    return Gains(focus, heads, shortenable, steps, indices, propose(reading, focus, shortenable, steps, indices))
