"""How many events of one app instance fit into a minute? (docs/configuration.md has the table.)"""

import pytest

from streamer.delivery.core import CoreSettings, EndpointSettings
from streamer.delivery.order import Ordering
from streamer.delivery.quota import MINUTE_S, USED_SHARE
from tests.unit.delivery.bench_core import ACCEPTED, Bench, report

QUOTA = 20
CALLS = int(QUOTA * USED_SHARE)
FULL = 100
WAITING = 2 * FULL * QUOTA
STEP_S = 0.1


def events_in_a_minute(ordering: Ordering, keys: int, batch_most: int = FULL) -> int:
    """Of so many message keys in one partition, with more waiting than fits."""
    bench = Bench(
        CoreSettings(ordering=ordering, batch_most=batch_most),
        endpoint=EndpointSettings(quota_per_minute=QUOTA),
    )
    for offset in range(WAITING):
        message = bench.message(offset, b"%d" % (offset % keys))
        bench.take_in(message, report(message))
    events, until = 0, bench.now + MINUTE_S
    while bench.now < until:
        for call in bench.calls():
            events += len(call.batch.reports)
            bench.answer(call, ACCEPTED)
        bench.wait(STEP_S)
    return events


@pytest.mark.parametrize(
    ("ordering", "keys", "events"),
    [
        (Ordering.KEY, 1, CALLS),
        (Ordering.KEY, 7, 7 * CALLS),
        (Ordering.KEY, 3 * FULL, FULL * CALLS),
        (Ordering.PARTITION, 3 * FULL, CALLS),
        (Ordering.NONE, 1, FULL * CALLS),
    ],
)
def test_a_call_has_one_event_of_what_is_in_order(
    ordering: Ordering, keys: int, events: int
) -> None:
    assert events_in_a_minute(ordering, keys) == events


def test_without_bulk_calls_no_order_gives_more() -> None:
    assert events_in_a_minute(Ordering.NONE, 3 * FULL, batch_most=1) == CALLS
