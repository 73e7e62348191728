"""OpenCPS v2, the open-source one-stop system, read through its REST interface."""

from connectors.opencps.connector import OpencpsConnector
from connectors.opencps.options import OpencpsOptions

__all__ = ["OpencpsConnector", "OpencpsOptions"]
