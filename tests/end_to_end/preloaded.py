"""What the process has imported from which commands are forked; what lies there is never garbage to any of them."""

import gc

import tthc_monitor.cli

__all__ = ["tthc_monitor"]

gc.collect()
gc.freeze()
