"""What watching costs: scrapes, the snapshot behind them, an idle tick; beside query-exporter with the equivalent SQL.

The store has a million plausible dossiers, judged by all rules, 50,000 of them open; and a small one beside it. A province
of that size has some 20,000 series. query-exporter is GPL-3: it is installed into a folder of its own for the run, and run
as a program.
"""

from __future__ import annotations

SMALL = 10_000
SERIES = 20_000
SCRAPERS = 20
EACH = 25
