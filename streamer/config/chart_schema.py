"""What does the chart's schema of values say of `config`?

The same as the configuration's own schema, so that a misspelt key fails where Helm renders and not
where a pod starts. Looser where Helm knows less: a key may come from another values file or from a
variable, a value may be a reference, and null takes a key away.
"""

import json
import sys
from pathlib import Path
from typing import Any

from streamer.config.schema import json_schema

_REFERENCE = {"type": "string", "pattern": r"\$\{|^file:"}
_NULL = {"type": "null"}
_LEFT_OUT = {"required", "default", "examples", "format", "minItems", "title"}
_CONSTRAINTS = ("enum", "const", "pattern", "minimum", "maximum", "minLength", "maxLength")
_SCALARS = ("string", "integer", "number", "boolean")


def put_into(text: str) -> str:
    """The chart's schema with `config`, the files of routes and their definitions made anew."""
    chart = json.loads(text)
    schema = json_schema()
    chart["definitions"] = {name: _loose(part) for name, part in schema["$defs"].items()}
    chart["properties"]["config"] = {
        **_loose({key: schema[key] for key in ("type", "properties", "additionalProperties")}),
        "description": "The configuration of streamer (docs/configuration.md).",
    }
    (file,) = chart["properties"]["routeFiles"]["patternProperties"].values()
    file["oneOf"][0]["items"] = {"$ref": "#/definitions/RouteSettings"}
    return json.dumps(chart, indent=2) + "\n"


def _loose(node: dict[str, Any]) -> dict[str, Any]:
    """The same for draft-07, and looser."""
    if "$ref" in node:
        return {"$ref": node["$ref"].replace("#/$defs/", "#/definitions/")}
    kept = {key: value for key, value in node.items() if key not in _LEFT_OUT}
    description = {key: kept.pop(key) for key in ("description",) if key in kept}
    for key in ("properties", "patternProperties"):
        if key in kept:
            kept[key] = {name: _loose(part) for name, part in kept[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = _loose(kept[key])
    # Of a text form and a reference both may fit.
    given = [form for key in ("anyOf", "oneOf") for form in kept.pop(key, [])]
    forms = [_loose(form) for form in given if form != _NULL]
    if forms:
        return {"anyOf": [*forms, _NULL], **kept, **description}
    if any(key in kept for key in _CONSTRAINTS) or kept.get("type") in _SCALARS[1:]:
        return {"anyOf": [kept, _REFERENCE, _NULL], **description}
    return {**_or_null(kept), **description}


def _or_null(node: dict[str, Any]) -> dict[str, Any]:
    kind = node.get("type")
    if kind is None:
        return node
    return {**node, "type": [*(kind if isinstance(kind, list) else [kind]), "null"]}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(put_into(target.read_text(encoding="utf-8")), encoding="utf-8")
