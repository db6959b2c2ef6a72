"""Writes the agent's own keys into the chart's values.schema.json: `make manifests`.

A key of `config` that the agent does not know stops `helm install`, not the first pods. Only keys and kinds of values
are checked there: what a value may be, the agent knows.
"""

import json
from typing import Any, Final

from msgspec import inspect

from release.helm import CHART
from shipper.config.types import WHOLE, aliases, meanings

SCHEMA: Final = CHART / "values.schema.json"

_VARIABLE: Final = {"type": "string", "pattern": r"\$\{.+\}"}  # the agent puts in what its environment has

Schema = dict[str, Any]


def schema_of(of: inspect.Type) -> Schema:
    """A type of the configuration as JSON Schema."""
    match of:
        case inspect.StructType():
            return _section(of)
        case inspect.VarTupleType():
            limits = {"minItems": of.min_length, "maxItems": of.max_length}
            given = {name: limit for name, limit in limits.items() if limit is not None}
            return {"type": "array", "items": schema_of(of.item_type), **given}
        case inspect.DictType():
            return {"type": "object", "additionalProperties": {"type": "string"}}
        case inspect.CustomType():
            return {"type": ["number", "string"]}
        case inspect.IntType():
            return {"anyOf": [{"type": "integer"}, _VARIABLE]}
        case inspect.BoolType():
            return {"anyOf": [{"type": "boolean"}, _VARIABLE]}
        case inspect.LiteralType():
            return {"anyOf": [{"enum": list(of.values)}, _VARIABLE]}
        case _:
            return {"type": "string"}


def _section(of: inspect.StructType) -> Schema:
    known = meanings(of)
    properties = {field.name: _described(schema_of(field.type), known.get(field.name)) for field in of.fields}
    properties |= {older: properties[name] for older, name in aliases(of).items()}
    required = [field.name for field in of.fields if field.required]
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def _described(schema: Schema, meaning: str | None) -> Schema:
    return {"description": meaning, **schema} if meaning else schema


def config_schema() -> Schema:
    """What the chart takes as `config`."""
    schema = {"description": "The agent's own configuration: docs/configuration.md", **schema_of(WHOLE)}
    # The chart reads these two itself.
    schema["properties"]["server"]["properties"]["http_listen_port"] = {"type": "integer", "minimum": 1}
    schema["properties"]["scrape_configs"]["items"]["properties"]["kubernetes"] = {"type": "boolean"}
    return schema


def directory_config_schema() -> Schema:
    """What the chart takes as `directory.config`: of the agent's sections those that the directory reads."""
    whole = config_schema()
    properties = {name: whole["properties"][name] for name in ("server", "directory")}
    return whole | {"description": "The directory's own configuration", "properties": properties}


def completed(text: str) -> str:
    """The chart's schema with the agent's keys in it."""
    schema = json.loads(text)
    schema["properties"]["config"] = config_schema()
    schema["properties"]["directory"]["properties"]["config"] = directory_config_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(completed(SCHEMA.read_text("utf-8")), "utf-8")
