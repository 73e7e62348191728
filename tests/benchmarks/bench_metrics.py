"""What watching costs: scrapes, the snapshot behind them, an idle tick; beside query-exporter with the equivalent SQL.

The store has a million plausible dossiers, judged by all rules, 50,000 of them open; and a small one beside it. A province
of that size has some 20,000 series. query-exporter is GPL-3: it is installed into a folder of its own for the run, and run
as a program.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text

from tests.benchmarks.bench_rules import judge, store
from tests.benchmarks.bench_store import ROWS, clock, quiet
from tests.benchmarks.harness import Measurement, Run, Skip, at_most, at_most_times, benchmark
from tests.benchmarks.plausible import grounds
from tthc_monitor.outputs.metrics import Exposition, ScrapeSettings
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.serving import WebServer
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.web import make_app

SMALL = 10_000
SERIES = 20_000
SCRAPERS = 20
EACH = 25
