"""Models that people may also write as a bare text: what the JSON Schema for editors has to say of them."""

from __future__ import annotations

from typing import Any


def text_or_this(schema: dict[str, Any]) -> None:
    """For ``json_schema_extra`` of a model with a short form: a text, or the mapping."""
    mapping = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, mapping]
