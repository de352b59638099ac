"""Which functions over lists, maps and records may an expression call?"""

from collections.abc import Callable
from typing import Any

from streamer.decoding.values import Record
from streamer.routing.language.arguments import need, need_bounded, need_items
from streamer.routing.language.budget import STEPS, Budget
from streamer.routing.language.failures import null, wrong_type
from streamer.routing.language.jsons import from_json, to_json
from streamer.routing.language.operators import Operators


class ListFunctions:
    def __init__(self, budget: Budget, operators: Operators) -> None:
        self._budget = budget
        self._operators = operators

    def table(self) -> dict[str, tuple[Callable[..., Any], int, int]]:
        """Name to the function and how few and how many arguments it takes."""
        return {
            "len": (self.len_, 1, 1),
            "any": (self.any_, 1, 1),
            "all": (self.all_, 1, 1),
            "sorted": (self.sorted_, 1, 1),
            "reversed": (self.reversed_, 1, 1),
            "range": (self.range_, 1, 2),
            "enumerate": (self.enumerate_, 1, 1),
            "keys": (self.keys, 1, 1),
            "values": (self.values, 1, 1),
            "items": (self.items, 1, 1),
            "bool": (bool, 1, 1),
            "name": (self.name, 1, 1),
            "json": (self.json, 1, 1),
            "from_json": (self.from_json, 1, 1),
        }

    def len_(self, value: Any) -> int:
        if isinstance(value, list | tuple | dict | str | bytes):
            return len(value)
        wanted = "a list, a map or text"
        raise (
            null("an argument", wanted)
            if value is None
            else wrong_type("an argument", value, wanted)
        )

    def _taken(self, value: Any) -> list[Any] | tuple[Any, ...]:
        items = need_items(value)
        self._budget.spend(len(items))
        return items

    def any_(self, value: Any) -> bool:
        return any(self._taken(value))

    def all_(self, value: Any) -> bool:
        return all(self._taken(value))

    def sorted_(self, value: Any) -> list[Any]:
        items = need_items(value)
        self._operators.unmixed(items)
        return sorted(items)

    def reversed_(self, value: Any) -> list[Any]:
        return list(reversed(self._taken(value)))

    def range_(self, first: Any, second: Any = None) -> list[int]:
        start, end = (0, first) if second is None else (first, second)
        numbers = range(
            need_bounded(start, 2**63, "the start of a range"),
            need_bounded(end, 2**63, "the end of a range"),
        )
        self._budget.spend(min(max(numbers.stop - numbers.start, 0), STEPS + 1))
        return list(numbers)

    def enumerate_(self, value: Any) -> list[Any]:
        return [[position, item] for position, item in enumerate(self._taken(value))]

    def _map(self, value: Any) -> dict[Any, Any]:
        taken: dict[Any, Any] = need(value, dict, "a map or record")
        self._budget.spend(len(taken))
        return taken

    def keys(self, value: Any) -> list[Any]:
        return list(self._map(value))

    def values(self, value: Any) -> list[Any]:
        return list(self._map(value).values())

    def items(self, value: Any) -> list[Any]:
        return [[key, item] for key, item in self._map(value).items()]

    def name(self, value: Any) -> str:
        """The full name of a record that stands in a union of several records."""
        if isinstance(value, Record):
            return value.avro_name
        wanted = "a record of a union of several records"
        raise (
            null("an argument", wanted)
            if value is None
            else wrong_type("an argument", value, wanted)
        )

    def json(self, value: Any) -> str:
        return to_json(self._budget, value)

    def from_json(self, value: Any) -> Any:
        return from_json(self._budget, value)
