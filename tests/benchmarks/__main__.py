"""``python -m tests.benchmarks``: see :mod:`tests.benchmarks.harness`."""

from __future__ import annotations

import sys

from tests.benchmarks.harness import main

if __name__ == "__main__":
    sys.exit(main())
