"""Which keys of the configuration exclude or need one another?

Looked for in the plain values, before their types are checked, so that a conflict is reported
beside all other faults.
"""

from collections import Counter
from collections.abc import Container
from typing import Any

from streamer.config.endpoints import note_same_apps, note_unknown_endpoints, sections
from streamer.config.tree import Path, Tree


def note_conflicts(tree: Tree) -> None:
    """Adds a finding to the tree for each conflict."""
    top = _map(tree.value)
    _schemas(tree, _map(top.get("schemas")))
    _endpoints(tree, top)
    routes = top.get("routes")
    for index, route in enumerate(routes if isinstance(routes, list) else []):
        if isinstance(route, dict):
            _route(tree, route, ("routes", index))


def note_repeated_names(tree: Tree, compiled: Container[int]) -> None:
    """Adds a finding for each name that routes share of which not all could be `compiled`.

    Names that only compiled routes share are found where the table is made.
    """
    routes = _map(tree.value).get("routes")
    names = [
        (index, route["name"])
        for index, route in enumerate(routes if isinstance(routes, list) else [])
        if isinstance(route, dict) and isinstance(route.get("name"), str)
    ]
    counted = Counter(name for _, name in names)
    untold = {name for index, name in names if index not in compiled}
    for index, name in names:
        if counted[name] > 1 and name in untold:
            tree.fault(
                ("routes", index, "name"),
                f"{counted[name]} routes have this name",
                "give each route a name of its own: it is a part of the idempotency keys",
            )


def _endpoints(tree: Tree, top: dict[str, Any]) -> None:
    if top.get("endpoint") is not None and top.get("endpoints") is not None:
        tree.fault(
            ("endpoint",),
            "stands beside `endpoints`, and only one of the two can be",
            "keep `endpoints`, and move what stands under `endpoint` to `endpoints.default`",
        )
        return
    _one_of(tree, top, (), ("endpoint", "endpoints"), needed=True)
    for path in sections(tree).values():
        section: Any = top
        for step in path:
            section = section.get(step)
        if isinstance(section, dict):
            _one_of(tree, section, path, ("app", "token"), needed=True)
            _certificate(tree, _map(section.get("tls")), (*path, "tls"))
    note_same_apps(tree)
    note_unknown_endpoints(tree)


def _schemas(tree: Tree, schemas: dict[str, Any]) -> None:
    if not schemas:
        return
    _one_of(tree, schemas, ("schemas",), ("registry", "directory"), needed=True)
    if schemas.get("topics") and schemas.get("directory") is None:
        tree.fault(
            ("schemas", "topics"),
            "names schemas by topic, which needs `schemas.directory`",
            "give `directory`, or take `topics` out: the registry's messages name their schema",
        )
    registry = _map(schemas.get("registry"))
    _one_of(tree, registry, ("schemas", "registry"), ("basic", "bearer"), needed=False)
    _certificate(tree, _map(registry.get("tls")), ("schemas", "registry", "tls"))


def _route(tree: Tree, route: dict[str, Any], path: Path) -> None:
    _one_of(tree, route, path, ("topic", "topics"), needed=True)
    _one_of(tree, route, path, ("trigger", "cancel"), needed=True)
    if route.get("cancel") is None or route.get("trigger") is not None:
        return
    if route.get("entity") is None:
        tree.fault(
            (*path, "entity"),
            "is missing, and a cancel needs it",
            "write the expression that the reports of the trigger have as their `entity`",
        )
    for key in ("payload", "idempotency", "idempotency_ttl"):
        if route.get(key) is not None:
            tree.fault((*path, key), "has no meaning in a cancel", f"take `{key}` out")


def _one_of(
    tree: Tree, section: dict[str, Any], path: Path, keys: tuple[str, str], *, needed: bool
) -> None:
    given = [key for key in keys if section.get(key) is not None]
    if len(given) > 1:
        tree.fault(
            (*path, keys[1]),
            f"stands beside `{keys[0]}`, and only one of the two can be",
            f"keep `{keys[0]}` or `{keys[1]}`",
        )
    elif needed and not given and not any(key in section for key in keys):
        tree.fault(
            (*path, keys[0]),
            f"is missing, and so is `{keys[1]}`",
            f"write `{keys[0]}` or `{keys[1]}`",
        )
    elif needed and not given:
        tree.fault(
            (*path, next(key for key in keys if key in section)),
            "is empty",
            f"write `{keys[0]}` or `{keys[1]}`",
        )


def _certificate(tree: Tree, tls: dict[str, Any], path: Path) -> None:
    if tls.get("key") is not None and tls.get("cert") is None:
        tree.fault(
            (*path, "cert"),
            "is missing, and `key` needs it",
            "name the file of the certificate that the key belongs to",
        )


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
