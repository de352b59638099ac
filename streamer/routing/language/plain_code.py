"""Which code runs for each event? Python's own operators wherever they do the right thing."""

import ast

from streamer.routing.language.translation import (
    SIGNS,
    Translation,
    call,
    function_name,
    literal,
    thunk,
)

GUARD_NAMES = {
    "+": "_add_", "-": "_subtract_", "*": "_multiply_", "/": "_divide_", "//": "_floor_divide_",
    "%": "_modulo_", "**": "_power_", "<<": "_shift_left_", ">>": "_shift_right_", "|": "_or_",
    "&": "_and_", "^": "_xor_",
    "==": "_equal_", "!=": "_unequal_", "<": "_less_", "<=": "_less_or_equal_", ">": "_greater_",
    ">=": "_greater_or_equal_", "in": "_in_", "not in": "_not_in_",
}  # fmt: skip
"""Sign of an operator with two sides to the plain code's name for its guard."""

UNARY_NAMES = {"-": "_negative_", "+": "_positive_", "~": "_inverted_"}


class PlainCode(Translation):
    """Python's own operators wherever they do the right thing."""

    def field(self, value: ast.expr, name: str) -> ast.expr:
        return ast.Subscript(self.of(value), literal(name), ast.Load())

    def item(self, value: ast.expr, index: ast.expr) -> ast.expr:
        if isinstance(index, ast.Constant) and type(index.value) in (str, int):
            return ast.Subscript(self.of(value), literal(index.value), ast.Load())
        return call("_item_", self.of(value), self.of(index))

    def part(self, value: ast.expr, bounds: list[ast.expr | None]) -> ast.expr:
        given = [literal(None) if bound is None else self.of(bound) for bound in bounds]
        return call("_slice_", self.of(value), *given)

    def unary(self, sign: str, operand: ast.expr) -> ast.expr:
        return call(UNARY_NAMES[sign], self.of(operand))

    def binary(self, sign: str, left: ast.expr, right: ast.expr) -> ast.expr:
        return call(GUARD_NAMES[sign], self.of(left), self.of(right))

    def compared(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
        sign = SIGNS[type(op)]
        if sign in ("in", "not in"):
            if _never_mixed_list(right):
                listed = ast.Tuple(self.all(right.elts), ast.Load())  # type: ignore[attr-defined]
                return ast.Compare(self.of(left), [op], [listed])
        elif _never_mixed(left) or _never_mixed(right):
            return ast.Compare(self.of(left), [op], [self.of(right)])
        return call(GUARD_NAMES[sign], self.of(left), self.of(right))

    def call(self, name: str, arguments: list[ast.expr]) -> ast.expr:
        if name != "default":
            return call(function_name(name), *self.all(arguments))
        first, second = arguments
        path = _path(first)
        if path is not None:
            root, steps = path
            keys = ast.Tuple([literal(step) for step in steps], ast.Load())
            return call("_default_path_", self.of(root), keys, thunk(self.of(second)))
        return call("_default_", thunk(self.of(first)), thunk(self.of(second)))

    def key(self, key: ast.expr) -> ast.expr:
        return self.of(key) if isinstance(key, ast.Constant) else call("_key_", self.of(key))

    def source(self, value: ast.expr, unpacked: int) -> ast.expr:
        if unpacked:
            return call("_iter_n_", self.of(value), literal(unpacked))
        return call("_iter_", self.of(value))

    def text(self, value: ast.expr) -> ast.expr:
        return call(function_name("str"), self.of(value))

    def formatted(self, value: ast.expr, spec: str) -> ast.expr:
        return call("_formatted_", self.of(value), literal(spec))


def _path(node: ast.expr) -> tuple[ast.expr, list[str | int]] | None:
    """A name and the fields and constant indexes after it; None for anything else."""
    steps: list[str | int] = []
    while True:
        match node:
            case ast.Attribute(value=value, attr=attr):
                steps.append(attr)
            case ast.Subscript(value=value, slice=ast.Constant(value=str() | int() as index)):
                if isinstance(index, bool):
                    return None
                steps.append(index)
            case ast.Name() if steps:
                return node, steps[::-1]
            case _:
                return None
        node = value


def _never_mixed(node: ast.expr) -> bool:
    """Whether comparing with it can neither mix decimals and floats nor take long."""
    match node:
        case ast.Constant(value=value):
            return not isinstance(value, float)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
            return True
        case ast.Call(func=ast.Name(id="len" | "int")):
            return True
        case _:
            return False


def _never_mixed_list(node: ast.expr) -> bool:
    return isinstance(node, ast.List | ast.Tuple | ast.Set) and all(map(_never_mixed, node.elts))
