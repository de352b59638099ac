"""Fuzzed: is every text an expression that ends, or a list of problems?"""

import time

from streamer.model import Generation, Message, Offset, Partition
from streamer.routing.language.expressions import Language
from streamer.routing.language.failures import Failure
from streamer.routing.language.scope import Scope
from streamer.routing.language.syntax import Checked, check
from streamer.routing.language.whitelist import CALLABLE
from tests.property.routing.grammar import EVENT

MOST_S = 20.0
"""An expression has 100,000 steps; under a fuzzer each costs ten times as much."""

_MESSAGE = Message(Partition("t", 1), Generation(1), Offset(5), 1_000, b"k", b"v", (("h", b"1"),))


def expressions(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    started = time.process_time()
    checked = check(text)
    if isinstance(checked, Checked):
        assert _failure(checked) != ""
    else:
        assert checked
        assert all(str(problem) for problem in checked)
    took_s = time.process_time() - started
    assert took_s < MOST_S, f"it took {took_s} s"


def _failure(checked: Checked) -> str | None:
    """In words; None where there is a value."""
    try:
        Language().expression(checked)(EVENT, Scope(_MESSAGE, None, decoded_key=False))
    except Failure as failure:
        return str(failure)
    return None


WORDS = [*sorted(CALLABLE), *(f"event.{name}" for name in EVENT), " for x in ", " if ", " else "]

SEEDS = {
    "expressions": [
        b"event.text.upper() + ' ' + str(event.whole)",
        b"[{'sku': x.sku, 'sum': x.qty * x.price} for x in event.lines if x.qty > 0]",
        b"default(event.nope, 'x' * 100)",
        b"f'{event.exact:>10}' if event.yes and not event.null else event['class']",
    ]
}
