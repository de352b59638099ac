"""What does Kubernetes say to a resource, by its own schemas?"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.chart import fetch

OLDEST = "1.29"
"""What Chart.yaml asks for."""


def newest() -> str:
    """The newest version whose schemas are there."""
    version: str = kubernetes_validate.latest_version()
    return version


def fault(resource: Mapping[str, Any], version: str) -> str | None:
    """Why that version would refuse it, unknown fields included; None where it would not."""
    if resource["apiVersion"].startswith("monitoring.coreos.com/"):
        first = next(_pod_monitor().iter_errors(resource), None)
        return f"{first.json_path}: {first.message}" if first else None
    try:
        kubernetes_validate.validate(resource, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    return None


@cache
def _pod_monitor() -> jsonschema.Draft202012Validator:
    definition = yaml.safe_load(fetch.pod_monitor_definition().read_text(encoding="utf-8"))
    (version,) = definition["spec"]["versions"]
    return jsonschema.Draft202012Validator(_closed(version["schema"]["openAPIV3Schema"]))


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused; the API server would drop them in silence."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    named = schema.get("properties")
    if isinstance(named, dict) and "type" in schema and named.keys() - {"metadata"}:
        closed.setdefault("additionalProperties", False)
    return closed
