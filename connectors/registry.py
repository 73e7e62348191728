"""Finds connector kinds: the built-in ones and third parties' come through the same door, an entry-point group."""

from __future__ import annotations

from importlib.metadata import entry_points

from connectors.base import Connector, ConnectorOptions, Surroundings
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.yaml_text import Document, validate

GROUP = "tthc_monitor.connectors"


def kinds() -> list[str]:
    """Names of all installed connector kinds, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def connector_class(kind: str) -> type[Connector]:
    """The class behind a kind.

    Raises:
        ConfigError: no such kind, or its package cannot be imported.
    """
    for point in entry_points(group=GROUP):
        if point.name == kind:
            try:
                return point.load()  # type: ignore[no-any-return]
            except ImportError as error:
                raise ConfigError(
                    f"connector kind '{kind}' ({point.value}) cannot be imported: {error}; reinstall its package"
                ) from error
    raise ConfigError(f"unknown connector kind '{kind}'; use one of: {', '.join(kinds())}")


def build(kind: str, name: str, options: Document, surroundings: Surroundings) -> Connector:
    """Make a connector from the ``options`` part of a source's settings.

    Raises:
        ConfigError: unknown kind, or options that its model refuses (all problems at once, with lines).
    """
    try:
        cls = connector_class(kind)
    except ConfigError as error:
        raise ConfigError([Problem(options.file, options.line(()), str(error))]) from None
    validated: ConnectorOptions = validate(cls.Options, options)
    return cls(name, validated, surroundings)
