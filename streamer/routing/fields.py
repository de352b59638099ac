"""Which fields does an expression name that no schema of its events has?

For `streamer check`: a misspelt field is found before the first event is refused for it, and one
inside `default`, which would never be noticed, as well.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from msgspec import Struct

from streamer.errors import Finding, Severity
from streamer.routing.language.syntax import Checked, check
from streamer.routing.schema_fields import (
    Node,
    Schema,
    Schemas,
    fields_of,
    is_text,
    items_of,
    kind_of,
    values_of,
)
from streamer.routing.specs import RouteSpec

Shape = list[Node] | None
"""What a value may be; None where nothing is known of it."""


class UnknownField(Struct, frozen=True):
    """A field that is named and is not there."""

    path: str
    """As it is written, such as `event.lines[0].skew`."""
    name: str
    nearest: str | None
    """The field with the nearest name, where one is near."""
    defaulted: bool
    """It stands inside `default`, so that nothing would tell of it."""


def unknown_fields(checked: Checked, schema: Schema) -> list[UnknownField]:
    """The fields of an expression that events of the schema cannot have, each once."""
    schemas = Schemas(schema)
    search = _Search(schemas)
    search.shape(checked.tree)
    return list({field.path: field for field in search.found}.values())


def field_findings(spec: RouteSpec, schemas: Sequence[Schema]) -> list[Finding]:
    """What is wrong with a route's fields, given the writer schemas of its topics.

    An error where no version of the event has a field; a warning where some lack it, where the
    route is for every event, or where `default` stands in for it. And where `as_is` is set for
    what is no text.
    """
    own = [
        schema
        for schema in schemas
        if spec.event is None or Schemas(schema).full_name == spec.event
    ]
    if not own:
        return []
    findings: list[Finding] = []
    for place, text in _expressions(spec):
        checked = check(text)
        if isinstance(checked, Checked):
            findings += _of_expression(spec, place, checked, own)
            if place == "idempotency" and spec.idempotency is not None and spec.idempotency.as_is:
                findings += _of_own_key(spec, checked, own)
    return findings


def _of_own_key(spec: RouteSpec, checked: Checked, schemas: Sequence[Schema]) -> Iterator[Finding]:
    """Whether the value of `as_is` is text: otherwise every event would be refused for it."""
    kinds: dict[str, bool] = {}
    for schema in schemas:
        for node in _Search(Schemas(schema)).shape(checked.tree) or ():
            kinds[kind_of(node)] = is_text(node)
    others = [kind for kind, text in kinds.items() if not text]
    if others:
        yield Finding(
            spec.place("idempotency"),
            f"{checked.text.strip()} is {' or '.join(others)}, and as_is sends text only",
            "write str(x), or leave out as_is, so that the hash of its text is sent",
            Severity.WARNING if any(kinds.values()) else Severity.ERROR,
        )


def _of_expression(
    spec: RouteSpec, place: str, checked: Checked, schemas: Sequence[Schema]
) -> Iterator[Finding]:
    missing = [
        {field.path: field for field in unknown_fields(checked, schema)} for schema in schemas
    ]
    everywhere = set(missing[0]).intersection(*missing[1:])
    for path, field in {path: field for one in missing for path, field in one.items()}.items():
        lacking = sum(path in one for one in missing)
        # Which events a route without `event` is for, its `when` may say by the fields they have.
        if spec.event is None and path not in everywhere:
            continue
        certain = path in everywhere and not field.defaulted and spec.event is not None
        which = "no version" if path in everywhere else f"{lacking} of {len(schemas)} versions"
        lacks = "has" if path in everywhere else "lack"
        subject = f"of {spec.event} {lacks}" if spec.event else "of an event of the topic has"
        nearest = f"write {field.nearest} if that is meant" if field.nearest else "correct the name"
        yield Finding(
            spec.place(place),
            f"{which} {subject} the field {field.path}",
            f"{nearest}, or write default({field.path}, x) if only some events have it",
            Severity.ERROR if certain else Severity.WARNING,
        )


def _expressions(spec: RouteSpec) -> Iterator[tuple[str, str]]:
    for place in ("when", "instance", "entity"):
        text = getattr(spec, place)
        if text is not None:
            yield place, text
    if spec.idempotency is not None:
        yield "idempotency", spec.idempotency.value
    if isinstance(spec.payload, Mapping):
        yield from ((f"payload.{key}", text) for key, text in spec.payload.items())
    else:
        yield "payload", spec.payload


class _Search:
    """Walks an expression with what is known of each value's schema."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._variables: dict[str, Shape] = {}
        self._in_default = 0
        self.found: list[UnknownField] = []

    def shape(self, node: ast.expr) -> Shape:
        """What the node's value may be; notes unknown fields on the way."""
        match node:
            case ast.Name(id="event"):
                return list(self._schemas.alternatives(self._schemas.root))
            case ast.Name(id=name):
                return self._variables.get(name)
            case ast.Attribute(value=value, attr=attr):
                return self._named(node, self.shape(value), attr)
            case ast.Subscript(value=value, slice=ast.Constant(value=str() as name)):
                return self._named(node, self.shape(value), name)
            case ast.Subscript(value=value, slice=ast.Slice()):
                return self.shape(value)
            case ast.Subscript(value=value, slice=index):
                self.shape(index)
                return self._held(self.shape(value))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.shape(test)
                return _either(self.shape(body), self.shape(orelse))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
            case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
                return self._loop(node)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.shape(child)
                return None

    def _named(self, node: ast.expr, base: Shape, name: str) -> Shape:
        if base is None:
            return None
        found: list[Node] = []
        known: set[str] = set()
        for alternative in base:
            fields = fields_of(alternative)
            values = values_of(alternative)
            if fields is None and values is None:
                return None
            known |= set(fields or ())
            value = values if fields is None else fields.get(name)
            if value is not None:
                found += self._schemas.alternatives(value)
        if not found and base:
            near = get_close_matches(name, sorted(known), 1)
            self.found.append(
                UnknownField(
                    ast.unparse(node), name, near[0] if near else None, self._in_default > 0
                )
            )
            return None
        return found

    def _held(self, base: Shape) -> Shape:
        """What an index into a list or map gives, or a loop over a list."""
        held: list[Node] = []
        for alternative in base or ():
            inner = items_of(alternative) or values_of(alternative)
            if inner is None:
                return None
            held += self._schemas.alternatives(inner)
        return held or None

    def _call(self, name: str, arguments: list[ast.expr]) -> Shape:
        if name == "default":
            self._in_default += 1
            first = self.shape(arguments[0])
            self._in_default -= 1
            return _either(first, self.shape(arguments[1]))
        shapes = [self.shape(argument) for argument in arguments]
        return shapes[0] if name in ("sorted", "reversed") else None

    def _loop(self, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> Shape:
        kept = dict(self._variables)
        for loop in node.generators:
            held = self._iterated(loop.iter)
            match loop.target:
                case ast.Name(id=name):
                    self._variables[name] = held
                case target:
                    self._variables.update(
                        {part.id: None for part in ast.walk(target) if isinstance(part, ast.Name)}
                    )
            for condition in loop.ifs:
                self.shape(condition)
        for made in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.shape(made)
        self._variables = kept
        return None

    def _iterated(self, source: ast.expr) -> Shape:
        base = self.shape(source)
        # A loop over a map gives its keys.
        if base is None or any(values_of(alternative) for alternative in base):
            return None
        return self._held(base)


def _either(one: Shape, other: Shape) -> Shape:
    return None if one is None or other is None else [*one, *other]
