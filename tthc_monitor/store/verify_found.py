"""What a walk along the chain of the ledger gathers."""

from __future__ import annotations

from dataclasses import dataclass, field

from tthc_monitor.store.chain import Link

_SHOWN = 10


@dataclass
class Odd:
    """How many links are odd in one way, and the first of them."""

    count: int = 0
    first: list[Link] = field(default_factory=list)

    def add(self, link: Link) -> None:
        """Count a link."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(link)


@dataclass
class Found:
    """What a walk along the chain has met.

    ``broken``
        the first thing wrong with each broken link, by the link's number.
    ``loose``
        what is wrong under no link: in which place of the chain (the number of the link before it), and what.
    ``unprovable``
        observations of version 1 without details: what is left of them is proved by the hash that stands with them only.
    ``late`` / ``early``
        links that were linked long after (before) they say that their source was seen.
    ``backwards``
        links that were linked before their predecessor, by the server's clock.
    """

    links: int = 0
    observations: int = 0
    events: int = 0
    last: Link | None = None
    broken: dict[int, tuple[Link, str]] = field(default_factory=dict)
    loose: list[tuple[int, str]] = field(default_factory=list)
    unprovable: int = 0
    late: Odd = field(default_factory=Odd)
    early: Odd = field(default_factory=Odd)
    backwards: Odd = field(default_factory=Odd)
