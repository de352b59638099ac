"""Which steps does a checked expression have, whatever code is made of them?"""

import ast
from collections.abc import Sequence

from streamer.routing.language.formats import constant_format

SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitAnd: "&",
    ast.BitXor: "^", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip

SCOPE = "_scope_"
"""What the code calls the message's `Scope`."""


def function_name(name: str) -> str:
    """What the code calls a function of the language."""
    return f"_f_{name}_"


def call(guard: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(func=ast.Name(guard, ast.Load()), args=list(arguments), keywords=[])


def literal(value: object) -> ast.expr:
    return ast.Constant(value)  # type: ignore[arg-type]


def thunk(body: ast.expr) -> ast.expr:
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(args=nothing, body=body)


class Translation:
    """What plain and careful code have in common."""

    def __init__(self) -> None:
        self._variables: list[str] = []

    def of(self, node: ast.expr) -> ast.expr:
        """The code for a node that `syntax.check` accepted."""
        match node:
            case ast.Constant():
                return literal(node.value)
            case ast.Name(id=name):
                own = name == "event" or name in self._variables
                return ast.Name(name, ast.Load()) if own else _scoped(name)
            case ast.Attribute(value=value, attr=attr):
                return self.field(value, attr)
            case ast.Subscript(value=value, slice=ast.Slice(lower=low, upper=high, step=step)):
                return self.part(value, [low, high, step])
            case ast.Subscript(value=value, slice=index):
                return self.item(value, index)
            case ast.BoolOp(op=op, values=values):
                return ast.BoolOp(op, self.all(values))
            case ast.UnaryOp(op=ast.Not() as op, operand=operand):
                return ast.UnaryOp(op, self.of(operand))
            case ast.UnaryOp(op=op, operand=operand):
                return self.unary(SIGNS[type(op)], operand)
            case ast.BinOp(op=op, left=left, right=right):
                return self.binary(SIGNS[type(op)], left, right)
            case ast.Compare():
                return self.compare(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return ast.IfExp(self.of(test), self.of(body), self.of(orelse))
            case _:
                return self.made(node)

    def made(self, node: ast.expr) -> ast.expr:
        """The code of what makes a value: calls, lists, maps, loops, f-strings."""
        match node:
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, [_listed(argument) for argument in arguments])
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return ast.List(self.all(elements), ast.Load())
            case ast.Dict(keys=keys, values=values):
                return ast.Dict([self.key(key) for key in keys if key], self.all(values))
            case ast.ListComp(generators=generators, elt=element):
                loops, known = self.loops(generators)
                made = ast.ListComp(self.of(element), loops)
                del self._variables[known:]
                return made
            case ast.DictComp(generators=generators, key=key, value=value):
                loops, known = self.loops(generators)
                mapped = ast.DictComp(self.key(key), self.of(value), loops)
                del self._variables[known:]
                return mapped
            case ast.JoinedStr(values=values):
                return ast.JoinedStr([self.written(value) for value in values])
            case _:
                raise AssertionError(f"{type(node).__name__} was not checked")

    def all(self, nodes: Sequence[ast.expr]) -> list[ast.expr]:
        return [self.of(node) for node in nodes]

    def loops(self, generators: list[ast.comprehension]) -> tuple[list[ast.comprehension], int]:
        """The loops, and how many variables were known before: the caller forgets theirs."""
        known = len(self._variables)
        made: list[ast.comprehension] = []
        for loop in generators:
            names = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
            source = self.source(loop.iter, len(names) if loop.target not in names else 0)
            self._variables += [name.id for name in names if isinstance(name, ast.Name)]
            made.append(ast.comprehension(loop.target, source, self.all(loop.ifs), 0))
        return made, known

    def written(self, part: ast.expr) -> ast.expr:
        """One part of an f-string: its text, or a value as text."""
        if not isinstance(part, ast.FormattedValue):
            return part
        spec = constant_format(part.format_spec) if part.format_spec else None
        value = self.text(part.value) if spec is None else self.formatted(part.value, spec)
        return ast.FormattedValue(value, -1, None)

    def compare(self, node: ast.Compare) -> ast.expr:
        """A chain is the `and` of its pairs: all is pure, so the middle may be asked twice."""
        operands = [node.left, *node.comparators]
        pairs = [
            self.pair(op, left, right)
            for op, left, right in zip(node.ops, operands, operands[1:], strict=False)
        ]
        return pairs[0] if len(pairs) == 1 else ast.BoolOp(ast.And(), pairs)

    def pair(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
        if isinstance(op, ast.Is | ast.IsNot):
            return ast.Compare(self.of(left), [op], [self.of(right)])
        return self.compared(op, left, right)

    # What plain and careful code do each in their way.

    def field(self, value: ast.expr, name: str) -> ast.expr:
        raise NotImplementedError

    def item(self, value: ast.expr, index: ast.expr) -> ast.expr:
        raise NotImplementedError

    def part(self, value: ast.expr, bounds: list[ast.expr | None]) -> ast.expr:
        raise NotImplementedError

    def unary(self, sign: str, operand: ast.expr) -> ast.expr:
        raise NotImplementedError

    def binary(self, sign: str, left: ast.expr, right: ast.expr) -> ast.expr:
        raise NotImplementedError

    def compared(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
        raise NotImplementedError

    def call(self, name: str, arguments: list[ast.expr]) -> ast.expr:
        raise NotImplementedError

    def key(self, key: ast.expr) -> ast.expr:
        raise NotImplementedError

    def source(self, value: ast.expr, unpacked: int) -> ast.expr:
        raise NotImplementedError

    def text(self, value: ast.expr) -> ast.expr:
        raise NotImplementedError

    def formatted(self, value: ast.expr, spec: str) -> ast.expr:
        raise NotImplementedError


def _scoped(name: str) -> ast.expr:
    return ast.Attribute(ast.Name(SCOPE, ast.Load()), name, ast.Load())


def _listed(argument: ast.expr) -> ast.expr:
    """A bare loop as a function's argument is the list of what it gives."""
    if isinstance(argument, ast.GeneratorExp):
        return ast.ListComp(argument.elt, argument.generators)
    return argument
