"""VNPT iGate, a one-stop system that many provinces run, read through its search interface."""

from connectors.igate.connector import IgateConnector
from connectors.igate.options import IgateOptions

__all__ = ["IgateConnector", "IgateOptions"]
