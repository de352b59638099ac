"""Can this expression be asked about a tombstone, a message that has a key and no value?"""

import ast

from streamer.routing.language.syntax import Checked, check

Problem = tuple[str, str]
"""What was found, and what to do."""


def problem(checked: Checked, *, key_avro: bool) -> Problem | None:
    """Why an expression of `on_tombstone` cannot work; `key_avro`: the key is decoded."""
    if "event" in checked.names:
        return (
            "the expression reads event, and a tombstone has no fields",
            "write it of key, headers, topic, partition, offset or timestamp",
        )
    if not key_avro and _reads_into_key(checked.tree):
        return (
            "the expression reads a field of key, which is text in this route",
            "write key: avro in the route if the key is Avro; otherwise take its text apart",
        )
    return None


def inherited_problem(instance: str | None) -> Problem | None:
    """Why the route's own `instance` cannot be its tombstones' as well."""
    checked = check(instance) if instance is not None else None
    if not isinstance(checked, Checked) or "event" not in checked.names:
        return None
    return (
        "is missing, and the route's own instance reads event, which a tombstone does not have",
        'write it of the key or a header, such as headers["instance"] or, with key: avro,'
        " key.FIELD",
    )


def _reads_into_key(tree: ast.expr) -> bool:
    """Whether it asks for a field of `key`: `key.invoice_id`, `key["class"]`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="key")):
                return True
            case ast.Subscript(value=ast.Name(id="key"), slice=ast.Constant(value=str())):
                return True
    return False
