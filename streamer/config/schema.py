"""What does the JSON Schema of the configuration say, by which editors complete it?"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from streamer.config.quantities import Written
from streamer.config.settings import Settings

_REFERENCE = {"type": "string", "pattern": r"^\$\{.*\}$"}
"""A value may come from the environment, also where a number or a flag is wanted."""


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """A quantity's default as an operator writes it."""
        return str(dft) if isinstance(dft, Written) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the configuration file, with a description for every key."""
    schema = Settings.model_json_schema(schema_generator=_Generator)
    _finish(schema)
    routes = schema["properties"]["routes"]
    files = {"type": "string", "description": "Name of a file with routes, or a pattern of names."}
    routes["items"] = {"anyOf": [routes["items"], files]}
    schema["oneOf"] = [{"required": [key]} for key in ("endpoint", "endpoints")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "The configuration of streamer",
    }


def _finish(node: Any) -> None:
    """Takes pydantic's titles out, lets numbers and flags be references, and closes maps of named
    sections, in place."""
    if isinstance(node, list):
        for item in node:
            _finish(item)
        return
    if not isinstance(node, dict):
        return
    for name, child in node.items():
        if name in ("properties", "$defs"):
            for inner in child.values():
                _finish(inner)
        elif name not in ("examples", "default", "enum", "const"):
            _finish(child)
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if isinstance(node.get("title"), str):
        del node["title"]
    if node.get("type") in ("integer", "boolean"):
        moved = {key: node.pop(key) for key in list(node) if key in ("type", "minimum", "maximum")}
        node["anyOf"] = [moved, _REFERENCE]
