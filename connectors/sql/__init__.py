"""The ``sql`` connector: dossiers from a read-only copy of a one-stop system's database, by one checked SELECT."""

from connectors.sql.connector import SqlConnector
from connectors.sql.options import SqlOptions

__all__ = ["SqlConnector", "SqlOptions"]
