"""Which of Python's syntax is the language, and what is said of the rest?

A list of what is part of it: anything else is refused, a newer Python's syntax too.
`docs/expressions.md` shows all of it.
"""

import ast
import re
from dataclasses import dataclass
from difflib import get_close_matches

from streamer.routing.language import hints
from streamer.routing.language.budget import MAX_BITS
from streamer.routing.language.failures import clipped
from streamer.routing.language.formats import constant_format, format_problem
from streamer.routing.language.functions import ARITIES

NAMES = frozenset({"event", "key", "headers", "topic", "partition", "offset", "timestamp"})
"""All that an expression sees."""

CALLABLE = {**ARITIES, "default": (2, 2)}

_X = re.compile(r"\bx\b")

_OPERATORS = (
    ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd, ast.Invert,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.LShift, ast.RShift, ast.BitOr, ast.BitAnd, ast.BitXor,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
)  # fmt: skip

_NAMED = {
    ast.Lambda: ("a function of its own", "write a loop, such as [x.sku for x in event.lines]"),
    ast.NamedExpr: ("an assignment", "write `==` to compare, or repeat the expression"),
    ast.Starred: ("unpacking with *", "add the lists: a + b"),
    ast.Set: ("a set", "write a list: [a, b]; a set stands only after `in`"),
    ast.SetComp: ("a set", "write a list: [x for x in event.lines]"),
    ast.GeneratorExp: ("a bare loop", "put it in brackets: [x for x in event.lines]"),
    ast.Await: ("await", "leave it out"),
    ast.MatMult: ("the operator @", "use + - * / // % or **"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an expression's text."""

    line: int
    """From 1, within the expression."""
    column: int
    """From 1."""
    found: str
    do: str

    @property
    def place(self) -> str:
        return (
            f"column {self.column}" if self.line == 1 else f"line {self.line}, column {self.column}"
        )


class Checker:
    """Walks an expression, and notes what is not of the language and which names it reads."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.names: set[str] = set()
        self._variables: list[str] = []

    def _problem(self, node: ast.AST, found: str, do: str) -> None:
        # Inside an f-string older Pythons count from its own braces.
        line, column = max(getattr(node, "lineno", 1), 1), getattr(node, "col_offset", 0) + 1
        self.problems.append(Problem(line, column, found, do))

    def expression(self, node: ast.expr) -> None:
        match node:
            case ast.Constant():
                self._constant(node)
            case ast.Name():
                self._name(node)
            case ast.Attribute():
                self._field(node)
            case ast.Subscript():
                self._subscript(node)
            case ast.BoolOp(op=op, values=values):
                self._operator(node, op)
                self._all(values)
            case ast.UnaryOp(op=op, operand=operand):
                self._operator(node, op)
                self.expression(operand)
            case ast.BinOp(op=op, left=left, right=right):
                self._operator(node, op)
                self._all([left, right])
            case ast.Compare():
                self._compare(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self._all([test, body, orelse])
            case ast.Call():
                self._call(node)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                self._all(elements)
            case ast.Dict():
                self._dict(node)
            case ast.ListComp(generators=generators, elt=element):
                self._loop(generators, [element])
            case ast.DictComp(generators=generators, key=key, value=value):
                self._loop(generators, [key, value])
            case ast.JoinedStr(values=values):
                self._f_string(values)
            case _:
                self._foreign(node)

    def _all(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            self.expression(node)

    def _foreign(self, node: ast.AST) -> None:
        words = _NAMED.get(type(node), (f"{type(node).__name__}", "see docs/expressions.md"))
        self._problem(node, f"{words[0]} is not part of the language", words[1])

    def _operator(self, node: ast.expr, operator: ast.AST) -> None:
        if not isinstance(operator, _OPERATORS):
            words = _NAMED.get(type(operator), (type(operator).__name__, "use + - * / // % or **"))
            self._problem(node, f"{words[0]} is not part of the language", words[1])

    def _constant(self, node: ast.Constant) -> None:
        match node.value:
            case None | bool() | float() | bytes():
                pass
            case int() if node.value.bit_length() <= MAX_BITS:
                pass
            case int():
                self._problem(node, "the number is too long", f"use at most {MAX_BITS:,} bits")
            case str():
                self._literal_text(node, node.value)
            case _:
                kind = "..." if node.value is ... else f"a {type(node.value).__name__} number"
                self._problem(node, f"{kind} is not part of the language", "write a plain value")

    def _literal_text(self, node: ast.AST, text: str) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._problem(node, "the text holds half a character", "write the whole character")

    def _name(self, node: ast.Name) -> None:
        name = node.id
        if name in self._variables:
            return
        if name in NAMES:
            self.names.add(name)
            return
        if name in CALLABLE:
            self._problem(node, f"{name} is a function", f"call it: {name}(x)")
            return
        self._problem(node, f"{name} is not known", self._nearest(name))

    def _nearest(self, name: str) -> str:
        if name in hints.NAMES:
            return f"write {hints.NAMES[name]}"
        known = [*NAMES, *self._variables]
        near = get_close_matches(name, [*known, *CALLABLE], 1)
        if near:
            return f"write {near[0]}" if near[0] in known else f"write {near[0]}(x)"
        return f'write event.{name} for a field of the event; text stands in quotes: "{name}"'

    def _field(self, node: ast.Attribute) -> None:
        if node.attr.startswith("_"):
            self._problem(
                node,
                f".{node.attr} begins with an underscore",
                f'reach such a field by index: {ast.unparse(node.value)}["{node.attr}"]',
            )
        self.expression(node.value)

    def _subscript(self, node: ast.Subscript) -> None:
        self.expression(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = [node.slice.lower, node.slice.upper, node.slice.step]
            self._all([part for part in parts if part is not None])
        elif isinstance(node.slice, ast.Tuple):
            self._problem(node, "an index has one value", "write x[a][b]")
        else:
            self.expression(node.slice)

    def _compare(self, node: ast.Compare) -> None:
        self.expression(node.left)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self._operator(node, operator)
            if isinstance(operator, ast.Is | ast.IsNot):
                if not (isinstance(right, ast.Constant) and right.value is None):
                    self._problem(node, "`is` compares with None only", "write == or !=")
            elif isinstance(operator, ast.In | ast.NotIn) and isinstance(right, ast.Set):
                self._all(right.elts)
                continue
            self.expression(right)
        # What stands in the middle is compiled twice: twice in twice, and so on, would explode.
        for middle in node.comparators[:-1]:
            if any(
                isinstance(part, ast.Compare) and len(part.ops) > 1 for part in ast.walk(middle)
            ):
                self._problem(
                    node, "a chain of comparisons stands in another", "join them by `and`"
                )

    def _call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name):
            self._method(node)
            return
        name = node.func.id
        arity = CALLABLE.get(name)
        if arity is None:
            instead = f"write {hints.NAMES[name]}" if name in hints.NAMES else self._near_call(name)
            self._problem(node, f"there is no function {name}", instead)
        elif not arity[0] <= len(node.args) <= arity[1]:
            wanted = str(arity[0]) if arity[0] == arity[1] else f"{arity[0]} to {arity[1]}"
            given = len(node.args)
            self._problem(node, f"{name} is given {given} arguments", f"give it {wanted}")
        if node.keywords:
            self._problem(
                node, "an argument is given by name", "give arguments by their place: round(x, 2)"
            )
        for argument in node.args:
            if isinstance(argument, ast.GeneratorExp):
                self._loop(argument.generators, [argument.elt])
            else:
                self.expression(argument)

    def _near_call(self, name: str) -> str:
        near = get_close_matches(name, CALLABLE, 1)
        return f"write {near[0]}(x)" if near else "see docs/expressions.md for what there is"

    def _method(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            known = f"{name}(x)" if name in CALLABLE else "a function of docs/expressions.md"
            subject = clipped(ast.unparse(node.func.value), 60)
            instead = _X.sub(lambda _: subject, hints.METHODS.get(name, known))
            self._problem(node, f"methods such as .{name}() are not called", f"write {instead}")
            self.expression(node.func.value)
        else:
            self._problem(node, "only functions are called", "call a function by its name")
        self._all([part for part in node.args if not isinstance(part, ast.Starred)])

    def _dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self._problem(value, "unpacking with ** is not part of the language", "write a | b")
            elif isinstance(key, ast.Constant) and not isinstance(key.value, str | int):
                self._problem(key, "the key is no text", "put it in quotes")
            else:
                self.expression(key)
            self.expression(value)

    def _loop(self, generators: list[ast.comprehension], made: list[ast.expr]) -> None:
        known = len(self._variables)
        for loop in generators:
            if loop.is_async:
                self._problem(loop.iter, "async is not part of the language", "leave it out")
            self.expression(loop.iter)
            self._targets(loop.target)
            self._all(loop.ifs)
        self._all(made)
        del self._variables[known:]

    def _targets(self, target: ast.expr) -> None:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        for name in names:
            if not isinstance(name, ast.Name):
                self._problem(
                    target, "a loop sets plain names only", "write for x in, or for k, v in"
                )
                continue
            if name.id.startswith("_") or name.id in NAMES or name.id in CALLABLE:
                self._problem(name, f"{name.id} cannot be a loop's name", "choose another name")
            self._variables.append(name.id)

    def _f_string(self, parts: list[ast.expr]) -> None:
        for part in parts:
            match part:
                case ast.Constant(value=str(text)):
                    self._literal_text(part, text)
                case ast.FormattedValue():
                    self._formatted(part)
                case _:
                    self._foreign(part)

    def _formatted(self, part: ast.FormattedValue) -> None:
        self.expression(part.value)
        if part.conversion not in (-1, ord("s")):
            self._problem(part, "!r and !a are not part of the language", "leave it out")
        if part.format_spec is None:
            return
        spec = constant_format(part.format_spec)
        problem = "is not constant" if spec is None else format_problem(spec)
        if problem is not None:
            self._problem(
                part,
                f"the format after the colon {problem}",
                'write one such as f"{event.total:.2f}"',
            )
