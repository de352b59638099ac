"""Which functions may an expression call, and with how many arguments?"""

from collections.abc import Callable
from typing import Any, NamedTuple

from streamer.routing.language.budget import Budget
from streamer.routing.language.date_functions import DateFunctions
from streamer.routing.language.list_functions import ListFunctions
from streamer.routing.language.number_functions import NumberFunctions
from streamer.routing.language.operators import Operators
from streamer.routing.language.text_functions import TextFunctions


class Function(NamedTuple):
    """A pure function of the language."""

    call: Callable[..., Any]
    fewest: int
    most: int


def functions(budget: Budget, operators: Operators) -> dict[str, Function]:
    """All functions by name, but for `default`, which is a special form of the language."""
    tables = (
        TextFunctions(budget).table(),
        NumberFunctions(budget, operators).table(),
        DateFunctions(budget).table(),
        ListFunctions(budget, operators).table(),
    )
    return {name: Function(*entry) for table in tables for name, entry in table.items()}


_BUDGET = Budget()
ARITIES = {
    name: (function.fewest, function.most)
    for name, function in functions(_BUDGET, Operators(_BUDGET)).items()
}
"""Name to how few and how many arguments, for checking an expression before anything runs."""
