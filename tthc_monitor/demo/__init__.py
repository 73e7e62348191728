"""The demonstration: simulated one-stop systems, the whole service against them, and where to look."""

from tthc_monitor.demo.run import run_demo

__all__ = ["run_demo"]
