"""What is the value of an expression for an event?

    language = Language()
    expression = language.expression(checked)      # of `syntax.check(text)`
    value = expression(event.fields, scope)        # or Failure

An expression is a pure function of the event: the same event gives the same value, always.
"""

import ast
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from streamer.routing.language.budget import STEPS, Budget
from streamer.routing.language.careful import Careful, items, sliced, unpackable
from streamer.routing.language.code import compiled
from streamer.routing.language.failures import DEFAULTED, Failure
from streamer.routing.language.formats import formatted
from streamer.routing.language.functions import functions
from streamer.routing.language.operators import Operators
from streamer.routing.language.plain_code import GUARD_NAMES, UNARY_NAMES
from streamer.routing.language.scope import Scope
from streamer.routing.language.syntax import Checked
from streamer.routing.language.translation import function_name

Compiled = Callable[[Mapping[str, Any], Scope], Any]


class Language:
    """The functions and guards that expressions are compiled against, on one budget.

    Evaluations that share a language run one at a time.
    """

    def __init__(self) -> None:
        self.budget = Budget()
        operators = Operators(self.budget)
        called: dict[str, Any] = {
            function_name(name): function.call
            for name, function in functions(self.budget, operators).items()
        }
        called["_formatted_"] = self._formatted
        self._plain = {"__builtins__": {}, **called, **self._guards(operators)}
        careful = Careful(self.budget, operators).guards()
        self._careful = {"__builtins__": {}, **called, **careful}

    def expression(self, checked: Checked) -> "Expression":
        """Compiled on first use: a table of ten thousand routes starts at once."""
        return Expression(self, checked.tree, checked.text)

    def compile(self, tree: ast.expr, *, careful: bool) -> Compiled:
        with warnings.catch_warnings():
            # Python's compiler warns of what is certain to fail, such as `1["a"]`, on stderr.
            warnings.simplefilter("ignore", SyntaxWarning)
            code = compile(compiled(tree, careful=careful), "<expression>", "eval")
        made: Compiled = eval(code, self._careful if careful else self._plain)
        return made

    def _guards(self, operators: Operators) -> dict[str, Callable[..., Any]]:
        budget = self.budget
        return {
            **{GUARD_NAMES[sign]: guard for sign, guard in operators.binary.items()},
            **{GUARD_NAMES[sign]: guard for sign, guard in operators.compared.items()},
            **{UNARY_NAMES[sign]: guard for sign, guard in operators.unary.items()},
            "_item_": _item,
            "_key_": _key,
            "_slice_": lambda value, *bounds: sliced(budget, value, *bounds),
            "_iter_": lambda value: items(budget, value),
            "_iter_n_": lambda value, count: unpackable(budget, value, count),
            "_default_": _default,
            "_default_path_": _default_path,
        }

    def _formatted(self, value: Any, spec: str) -> str:
        made = formatted(value, spec)
        self.budget.spend_text(len(made))
        return made


class Expression:
    """One expression, or a map of them, ready to be asked."""

    __slots__ = ("_careful", "_language", "_plain", "_tree", "text")

    def __init__(self, language: Language, tree: ast.expr, text: str) -> None:
        self._language = language
        self._tree = tree
        self.text = text
        self._plain: Compiled | None = None
        self._careful: Compiled | None = None

    def __call__(self, event: Mapping[str, Any], scope: Scope) -> Any:
        """The value for this event. Raises `Failure`, and nothing else."""
        budget = self._language.budget
        budget.left = STEPS
        plain = self._plain
        if plain is None:
            plain = self._plain = self._language.compile(self._tree, careful=False)
        try:
            return plain(event, scope)
        except Exception:  # whatever it is: the careful code says what, or has the value
            budget.left = STEPS
        if self._careful is None:
            self._careful = self._language.compile(self._tree, careful=True)
        return self._careful(event, scope)


def _item(value: Any, index: Any) -> Any:
    if not isinstance(index, str | int):
        raise TypeError
    return value[index]


def _key(key: Any) -> Any:
    if not isinstance(key, str | int):
        raise TypeError
    return key


def _default(first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    try:
        value = first()
    except LookupError:
        return second()
    except Failure as failure:
        if failure.kind not in DEFAULTED:
            raise
        return second()
    return second() if value is None else value


def _default_path(value: Any, steps: tuple[str | int, ...], second: Callable[[], Any]) -> Any:
    for step in steps:
        if value is None:
            return second()
        try:
            value = value[step]
        except LookupError:
            return second()
    return second() if value is None else value
