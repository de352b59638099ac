"""Did the fault of a part come to pass at all? Without it every account is clean."""

from collections.abc import Iterable, Mapping
from typing import Any


def not_hit(signs: Mapping[str, bool]) -> list[str]:
    """A fault for each sign that is not there. `signs`: what the fault leaves, in words."""
    return [f"the fault did not hit: not seen: {what}" for what, seen in signs.items() if not seen]


def accepted_between(entries: Iterable[Mapping[str, Any]], began_ms: float, ended_ms: float) -> int:
    """How many of the ledger's entries were accepted first in this span."""
    return sum(began_ms < entry["accepted_at_ms"] < ended_ms for entry in entries)
