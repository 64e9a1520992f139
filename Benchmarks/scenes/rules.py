"""Rules for the events of `event_text`: one a type, each with the schema that all events fit."""

import json
from pathlib import Path

from .event_text import SYSTEMS, TYPES

_SCHEMA = {
    "type": "object",
    "required": ["page", "device", "ab", "ms", "value", "ok"],
    "properties": {
        "page": {
            "type": "object",
            "required": ["path"],
            "properties": {
                "path": {"type": "string", "pattern": "^/p/[0-9]+/", "maxLength": 200},
                "ref": {"type": "string", "minLength": 8},
            },
        },
        "device": {
            "type": "object",
            "properties": {
                "os": {"enum": SYSTEMS},
                "v": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$"},
                "w": {"type": "integer", "minimum": 200, "maximum": 10_000},
            },
            "additionalProperties": False,
        },
        "ab": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 8},
        "ms": {"type": "integer", "minimum": 0, "maximum": 60_000},
        "value": {"type": "number", "exclusiveMinimum": 0},
        "ok": {"type": ["boolean", "null"]},
        "sid": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    },
}


def write(path: Path) -> Path:
    """A rules.toml of 40 rules."""
    tables = [
        f"[[rule]]\nname = \"{name}\"\nevent_types = \"{name}\"\nschema = '''\n{json.dumps(_SCHEMA)}\n'''\n" for name in TYPES
    ]
    path.write_text("\n".join(tables))
    return path
