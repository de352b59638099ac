"""Which endpoints are there, which one does a route mean, and do they go together?

Looked for in the plain values, before their types are checked, so that a route that names none is
told beside all other faults.
"""

from typing import Any
from urllib.parse import urlsplit

from streamer.config.connections import DEFAULT_ENDPOINT, EndpointSettings
from streamer.config.shape import nearest
from streamer.config.tree import Path, Tree

_DEFAULT_PORTS = {"http": 80, "https": 443}


def sections(tree: Tree) -> dict[str, Path]:
    """Where each endpoint stands, by its name."""
    named = _named(tree)
    if named is not None:
        return {name: ("endpoints", name) for name in named if isinstance(name, str)}
    return {DEFAULT_ENDPOINT: ("endpoint",)}


def endpoint_of(tree: Tree, name: str | None) -> str:
    """The endpoint of a route that names this one, or none; its fault is noted already."""
    if name is not None:
        return name
    known = list(sections(tree))
    return known[0] if len(known) == 1 else DEFAULT_ENDPOINT


def instances(tree: Tree) -> dict[str, str]:
    """The app instance of routes without one, by endpoint, so far as it can be told: an
    endpoint's own fault is not each route's."""
    found: dict[str, str] = {}
    for name, path in sections(tree).items():
        section = _map(_at(tree.value, path))
        instance = section.get("instance")
        if any(tree.is_faulty(place) for place in (path[:1], path, (*path, "instance"))):
            found[name] = "unknown"
        elif isinstance(instance, str) and instance:
            found[name] = instance
    return found


def note_unknown_endpoints(tree: Tree) -> None:
    """Adds a finding for each route whose endpoint cannot be told."""
    if any(tree.is_faulty((key,)) for key in ("endpoint", "endpoints")):
        return
    known = list(sections(tree))
    routes = tree.value.get("routes")
    for index, route in enumerate(routes if isinstance(routes, list) else []):
        if isinstance(route, dict):
            _note_unknown(tree, route.get("endpoint"), known, ("routes", index, "endpoint"))


def _note_unknown(tree: Tree, given: Any, known: list[str], path: Path) -> None:
    listed = ", ".join(f"`{name}`" for name in known)
    if given is None:
        if len(known) > 1 and DEFAULT_ENDPOINT not in known:
            do = f"write one of {listed}, or name the usual one `{DEFAULT_ENDPOINT}`"
            tree.fault(path, "is missing, and there are several endpoints", do)
    elif isinstance(given, str) and given not in known:
        meant = nearest(given, known)
        if _named(tree) is None:
            do = "leave it out, or write the endpoints under `endpoints`"
            tree.fault(path, "names none of the endpoints: there is the one `endpoint`", do)
        else:
            do = f"did you mean `{meant}`?" if meant else f"write one of {listed}"
            tree.fault(path, "names none of the endpoints", do)


def note_same_apps(tree: Tree) -> None:
    """Adds a finding for each endpoint that is another one's app at the same address.

    Order, quota and tokens are kept by endpoint, and the platform keeps keys, entities and its
    quota by app: of two endpoints that are one app, neither would hold.
    """
    seen: dict[tuple[Any, ...], str] = {}
    for name, path in sections(tree).items():
        section = _map(_at(tree.value, path))
        key, value = _login(section)
        if value is None:
            continue
        base_url = section.get("base_url", EndpointSettings.model_fields["base_url"].default)
        first = seen.setdefault((key, value, _address(base_url)), name)
        if first != name:
            tree.fault(
                (*path, *key),
                f"is the same as that of `endpoints.{first}`, at the same address",
                "keep one of the two, and name it in the routes of both: order, quota and tokens"
                " are kept by endpoint, and both are one app to the platform",
            )


def _login(section: dict[str, Any]) -> tuple[Path, str | None]:
    """The key that tells one app from another, and its value."""
    app, token = _map(section.get("app")), section.get("token")
    if isinstance(app.get("id"), str):
        return ("app", "id"), app["id"]
    return ("token",), token if isinstance(token, str) and token else None


def _address(base_url: Any) -> tuple[Any, ...]:
    try:
        parts = urlsplit(str(base_url))
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return (str(base_url),)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def _named(tree: Tree) -> dict[Any, Any] | None:
    """The map of endpoints, where the configuration has that form."""
    named = tree.value.get("endpoints")
    return named if isinstance(named, dict) and named else None


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
