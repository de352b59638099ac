"""Which code runs once the plain code failed? Each step a call that knows its own text."""

import ast

from streamer.routing.language.failures import clipped
from streamer.routing.language.translation import (
    SIGNS,
    Translation,
    call,
    function_name,
    literal,
    thunk,
)


class CarefulCode(Translation):
    """Each step a call that knows the text of what it works on."""

    def field(self, value: ast.expr, name: str) -> ast.expr:
        return call("_field_", self.of(value), literal(name), _text(value))

    def item(self, value: ast.expr, index: ast.expr) -> ast.expr:
        by_field = isinstance(value, ast.Name) and value.id == "event"
        texts = [_text(value), _text(index)]
        return call("_item_", self.of(value), self.of(index), *texts, literal(by_field))

    def part(self, value: ast.expr, bounds: list[ast.expr | None]) -> ast.expr:
        given = [literal(None) if bound is None else self.of(bound) for bound in bounds]
        return call("_slice_", self.of(value), *given, _text(value))

    def unary(self, sign: str, operand: ast.expr) -> ast.expr:
        return call("_unary_", literal(sign), self.of(operand), _text(operand))

    def binary(self, sign: str, left: ast.expr, right: ast.expr) -> ast.expr:
        return self._two_sided("_binary_", sign, left, right)

    def compared(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
        return self._two_sided("_compare_", SIGNS[type(op)], left, right)

    def _two_sided(self, guard: str, sign: str, left: ast.expr, right: ast.expr) -> ast.expr:
        sides = [self.of(left), self.of(right), _text(left), _text(right)]
        return call(guard, literal(sign), *sides)

    def call(self, name: str, arguments: list[ast.expr]) -> ast.expr:
        if name == "default":
            first, second = self.all(arguments)
            return call("_default_", thunk(first), thunk(second))
        return self._named(name, function_name(name), arguments, [])

    def _named(
        self, name: str, guard: str, arguments: list[ast.expr], more: list[ast.expr]
    ) -> ast.expr:
        given = ast.List([*self.all(arguments), *more], ast.Load())
        texts = [_text(argument) for argument in arguments]
        texts += [literal(repr(part.value)) for part in more if isinstance(part, ast.Constant)]
        called = ast.Name(guard, ast.Load())
        return call("_call_", literal(name), called, given, ast.List(texts, ast.Load()))

    def key(self, key: ast.expr) -> ast.expr:
        return call("_key_", self.of(key), _text(key))

    def source(self, value: ast.expr, unpacked: int) -> ast.expr:
        if unpacked:
            return call("_iter_n_", self.of(value), literal(unpacked), _text(value))
        return call("_iter_", self.of(value), _text(value))

    def text(self, value: ast.expr) -> ast.expr:
        return self._named("str", function_name("str"), [value], [])

    def formatted(self, value: ast.expr, spec: str) -> ast.expr:
        return self._named("f-string", "_formatted_", [value], [literal(spec)])


def _text(node: ast.expr) -> ast.expr:
    """The node's text as a constant, for the words of a failure."""
    return literal(clipped(ast.unparse(node), 80))
