"""Which events happen in the demo, and what should become of each?

A little business on eight sites: invoices that run late and are paid, bookings that are made and
called off, members who come and go, orders. Some on purpose go wrong: bytes that are no value of
their schema, a schema that nobody has, a payload that its trigger does not take.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from streamer.demo.account import Kind, Outcome, Place
from streamer.demo.believable import fill
from streamer.demo.wire import MARKER, WriterSchema

SITES = 8
# Things that can still happen to something; older ones are forgotten.
OPEN_AT_MOST = 500
# A run of refusals from one cause would rightly be taken for a flood (100 in a minute) and held.
SPOILED_AT_MOST_EACH = 5_000


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """A record to write, and what it should become."""

    topic: str
    key: bytes
    value: bytes | None
    timestamp_ms: int
    outcomes: tuple[Outcome, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class _Thing:
    """An invoice, a booking or a member that something can still happen to."""

    id: str
    site: str


class Scenario:
    """An endless story; the same seed and clock tell the same one."""

    def __init__(
        self,
        schemas: Mapping[str, list[WriterSchema]],
        random: Random,
        clock_ms: Callable[[], int],
        *,
        spoil_every: int,
    ) -> None:
        """One event in `spoil_every` goes wrong on purpose."""
        self._schemas = schemas
        self._random = random
        self._clock_ms = clock_ms
        self._spoil_every = min(spoil_every, SPOILED_AT_MOST_EACH)
        self._sites = [self._guid() for _ in range(SITES)]
        self._invoices: list[_Thing] = []
        self._bookings: list[_Thing] = []
        self._members: list[_Thing] = []
        self._number = 0
        self._spoiled = 0
        # How often each happens, in parts of the whole.
        self._happenings: Mapping[Callable[[], DemoEvent], int] = {
            self._invoice_issued: 8,
            self._invoice_overdue: 24,
            self._invoice_paid: 12,
            self._booking_confirmed: 14,
            self._booking_cancelled: 6,
            self._member_joined: 10,
            self._member_left: 4,
            self._member_forgotten: 2,
            self._order_placed: 14,
            self._order_shipped: 6,
        }

    def next(self) -> DemoEvent:
        self._number += 1
        if self._number % self._spoil_every == 0:
            self._spoiled += 1
            spoiled = (self._cut_short, self._of_unknown_schema, self._not_taken)
            return spoiled[self._spoiled % len(spoiled)]()
        happens = self._random.choices(
            list(self._happenings), weights=list(self._happenings.values())
        )[0]
        return happens()

    # --- billing ------------------------------------------------------------------------------

    def _invoice_issued(self) -> DemoEvent:
        invoice = self._thing()
        event = self._fields(invoice, invoice_id=invoice.id)
        return self._write("billing.invoices", "billing.InvoiceIssued", invoice, event)

    def _invoice_overdue(self) -> DemoEvent:
        invoice = self._thing()
        days, currency = self._random.randint(1, 30), self._random.choice(["EUR", "EUR", "USD"])
        event = self._fields(invoice, invoice_id=invoice.id, days_overdue=days, currency=currency)
        outcomes = []
        if days > 7 and currency == "EUR":
            outcomes.append(_report("invoice_overdue", event))
            _remember(self._invoices, invoice)
        return self._write("billing.invoices", "billing.InvoiceOverdue", invoice, event, *outcomes)

    def _invoice_paid(self) -> DemoEvent:
        invoice = self._take(self._invoices)
        if invoice is None:
            return self._invoice_overdue()
        event = self._fields(invoice, invoice_id=invoice.id)
        ends = Outcome(Kind.CANCEL, "invoice_overdue", invoice.id)
        paid = _report("invoice_paid", event)
        return self._write("billing.invoices", "billing.InvoicePaid", invoice, event, ends, paid)

    # --- bookings, members, orders ------------------------------------------------------------

    def _booking_confirmed(self) -> DemoEvent:
        booking = self._thing()
        _remember(self._bookings, booking)
        event = self._fields(booking, booking_id=booking.id)
        outcome = _report("booking_confirmed", event)
        return self._write(
            "bookings.bookings", "bookings.BookingConfirmed", booking, event, outcome
        )

    def _booking_cancelled(self) -> DemoEvent:
        booking = self._take(self._bookings)
        if booking is None:
            return self._booking_confirmed()
        event = self._fields(booking, booking_id=booking.id)
        outcome = Outcome(Kind.CANCEL, "booking_confirmed", booking.id)
        return self._write(
            "bookings.bookings", "bookings.BookingCancelled", booking, event, outcome
        )

    def _member_joined(self) -> DemoEvent:
        member = self._thing()
        _remember(self._members, member)
        event = self._fields(member, member_id=member.id)
        outcome = _report("member_joined", event)
        return self._write("members.members", "members.MemberJoined", member, event, outcome)

    def _member_left(self) -> DemoEvent:
        member = self._take(self._members)
        if member is None:
            return self._member_joined()
        event = self._fields(member, member_id=member.id)
        outcome = _report("member_left", event)
        return self._write("members.members", "members.MemberLeft", member, event, outcome)

    def _member_forgotten(self) -> DemoEvent:
        """A tombstone: a compacted topic forgets the key."""
        member = self._take(self._members) or self._thing()
        return self._record("members.members", member.id.encode(), None, ())

    def _order_placed(self, currency: str = "EUR") -> DemoEvent:
        order = self._thing()
        total = {"amount": Decimal(self._random.randint(500, 40_000)) / 100, "currency": currency}
        event = self._fields(order, order_id=order.id, total=total)
        outcome = _report("order_placed", event)
        return self._write("orders.orders", "orders.OrderPlaced", order, event, outcome)

    def _order_shipped(self) -> DemoEvent:
        order = self._thing()
        event = self._fields(order, order_id=order.id)
        return self._write("orders.orders", "orders.OrderShipped", order, event)

    # --- on purpose ---------------------------------------------------------------------------

    def _cut_short(self) -> DemoEvent:
        whole = self._booking_confirmed()
        assert whole.value is not None
        self._bookings.pop()
        return self._dead(whole.topic, whole.key, whole.value[:-6])

    def _of_unknown_schema(self) -> DemoEvent:
        unknown = MARKER + b"nobodys\x00" + self._random.randbytes(40)
        return self._dead("members.members", self._guid().encode(), unknown)

    def _not_taken(self) -> DemoEvent:
        """The trigger's schema has no such currency."""
        order = self._order_placed(currency="ZZZ")
        assert order.value is not None
        return self._dead(order.topic, order.key, order.value)

    # --- making records -----------------------------------------------------------------------

    def _guid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _thing(self) -> _Thing:
        return _Thing(self._guid(), self._random.choice(self._sites))

    def _take(self, things: list[_Thing]) -> _Thing | None:
        return things.pop(self._random.randrange(len(things))) if things else None

    def _fields(self, thing: _Thing, **fields: Any) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock_ms() / 1000, UTC)
        own = {"event_id": self._guid(), "site_instance_id": thing.site, "occurred_at": now}
        return own | fields

    def _write(
        self,
        topic: str,
        name: str,
        thing: _Thing,
        event: Mapping[str, Any],
        *outcomes: Outcome,
    ) -> DemoEvent:
        # Producers are not upgraded all at once: every version of a type is still written.
        schema = self._random.choice(self._schemas[f"com.acme.{name}"])
        fields = fill(schema.shape, event, self._random, event["occurred_at"])
        return self._record(topic, thing.id.encode(), schema.encode(fields), outcomes)

    def _dead(self, topic: str, key: bytes, value: bytes) -> DemoEvent:
        return self._record(topic, key, value, (dead_letter(f"{topic}.dlq", value),))

    def _record(
        self, topic: str, key: bytes, value: bytes | None, outcomes: tuple[Outcome, ...]
    ) -> DemoEvent:
        place = Place(topic, key, self._number)
        return DemoEvent(topic, key, value, self._clock_ms(), outcomes, place)


def dead_letter(topic: str, value: bytes | None) -> Outcome:
    """What a record of a dead letter topic counts as: its value, byte for byte."""
    digest = hashlib.sha256(value or b"").hexdigest()
    return Outcome(Kind.DEAD_LETTER, topic, digest)


def _report(trigger: str, event: Mapping[str, Any]) -> Outcome:
    return Outcome(Kind.REPORT, trigger, event["event_id"])


def _remember(things: list[_Thing], thing: _Thing) -> None:
    things.append(thing)
    if len(things) > OPEN_AT_MOST:
        # The story forgets it; nothing is expected of it any more.
        del things[0]
