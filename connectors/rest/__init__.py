"""Any HTTP interface that answers JSON, described in the settings alone."""

from connectors.rest.connector import RestConnector
from connectors.rest.options import RestOptions

__all__ = ["RestConnector", "RestOptions"]
