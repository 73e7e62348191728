"""The JSON Schema of the configuration file: editors then complete and check it while it is written.

What only loading can check (that a source's mapping fits together, say) stays with loading.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from connectors.registry import connector_class, kinds
from tthc_monitor.domain.durations import PATTERN, written
from tthc_monitor.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def settings_schema() -> dict[str, Any]:
    """The schema of the whole file; the options of a source follow from its kind, plug-ins' kinds included."""
    schema = Settings.model_json_schema(ref_template="#/$defs/{model}", mode="validation")
    definitions: dict[str, Any] = schema["$defs"]
    for internal in ("document", "base_dir"):
        schema["properties"].pop(internal, None)
    definitions.pop("Document", None)
    # A text names a shipped calendar or a file; a mapping is the calendar itself.
    schema["properties"]["calendar"] = {
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/CalendarSpec"}],
        "default": "vn",
        "description": "name of a shipped calendar, a path ending in .yaml, or the calendar itself",
    }
    schema["required"] = [name for name in schema.get("required", []) if name != "calendar"]
    source = definitions["SourceSettings"]
    source["properties"]["kind"] = {"enum": kinds()}
    source["allOf"] = [_options_of(kind, definitions) for kind in kinds()]
    for part in definitions.values():
        _write_periods(part)
    return {"$schema": DIALECT, **schema, "title": "tthc-monitor.yaml"}


def _write_periods(part: dict[str, Any]) -> None:
    """Defaults of periods as people write them; pydantic writes them by ISO 8601."""
    for field in part.get("properties", {}).values():
        if field.get("pattern") == PATTERN and "default" in field:
            field["default"] = written(TypeAdapter(timedelta).validate_python(field["default"]))


def _options_of(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The condition that ties a kind to its options; their parts go among the definitions, under the kind's name."""
    options = connector_class(kind).Options.model_json_schema(ref_template=f"#/$defs/{kind}.{{model}}")
    for name, part in options.pop("$defs", {}).items():
        definitions[f"{kind}.{name}"] = part
    definitions[f"{kind}.options"] = options
    then: dict[str, Any] = {"properties": {"options": {"$ref": f"#/$defs/{kind}.options"}}}
    if options.get("required"):
        then["required"] = ["options"]
    return {"if": {"properties": {"kind": {"const": kind}}}, "then": then}
