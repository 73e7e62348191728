"""Messages of the national public service portal, relayed by a province's integration platform."""

from connectors.dvcqg.connector import DvcqgConnector
from connectors.dvcqg.options import DvcqgOptions

__all__ = ["DvcqgConnector", "DvcqgOptions"]
